//! Probes whose outcome on macOS 14.4.1 was recorded: through the simulated backend, and through the preflight scan.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use sbpl::diag::Source;
use sbpl::probe::preflight::scan_text;
use sbpl::profile::{EvalOptions, MemoryLoader, evaluate};
use sbpl::sandbox::{Action, Backend, Outcome, ProfileInput, Rules, Simulated};
use serde_json::Value;

use crate::counts;
use crate::witness::{text, world};

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let copy = folder.clone();
    vec![
        Trial::test("probe: the simulated backend gives what was observed", move || simulated(&copy)),
        Trial::test("probe: the preflight scan finds what did not apply", move || preflight(&folder)),
    ]
}

fn rows(folder: &Path) -> Result<Vec<Value>, Failed> {
    Ok(serde_json::from_slice(&std::fs::read(folder.join("golden/runtime-witness.json"))?)?)
}

fn simulated(folder: &Path) -> Result<(), Failed> {
    let loader = MemoryLoader::new().with("system.sb", std::fs::read(folder.join("corpus/macos-10.15/system.sb"))?);
    let (mut right, mut total, mut wrong) = (0, 0, Vec::new());
    for row in rows(folder)?.iter().filter(|row| row["evaluator_usable"] == true) {
        let profile = text(row, "sbpl").as_bytes();
        let policy = evaluate(Source::new(text(row, "id"), profile), &loader, &EvalOptions::default())?.policy;
        let input = ProfileInput { bytes: profile.into(), rules: Rules::Policy(Arc::new(policy)) };
        let backend = Simulated::in_world(world(row)?);
        let mut session = backend.apply(&input).map_err(|failure| failure.message)?;
        let target = row["requested_path"].as_str().unwrap_or(text(row, "target")).to_owned();
        let seen =
            session.try_action(&Action { operation: text(row, "operation").to_owned(), target, ..Action::default() });
        let outcome = match seen.outcome {
            Outcome::Allow => "allow",
            Outcome::Deny => "deny",
            Outcome::Undecided => "undecided",
        };
        total += 1;
        right += usize::from(outcome == text(row, "observed"));
        if outcome != text(row, "observed") {
            wrong.push(format!("{}: {outcome} {:?}", text(row, "id"), seen.note));
        }
    }
    counts::check("probe: outcomes as observed", right, total)?;
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Profiles that were refused when they were applied are gated by the scan; profiles that ran are not. Left out is one that the
/// compiler refuses in that context: the scan compiles nothing.
fn preflight(folder: &Path) -> Result<(), Failed> {
    let (mut right, mut total) = (0, 0);
    for row in rows(folder)?.iter().filter(|row| row["sbpl"].is_string()) {
        let refused = row["stage"] == "apply" && row["observed"] == "apply-fail";
        let ran = row["evaluator_usable"] == true;
        let context_error = text(row, "sbpl").contains("(allow iokit-external-method");
        if context_error || !(refused || ran) {
            continue;
        }
        total += 1;
        let record = scan_text("sbpl_text", text(row, "id"), text(row, "sbpl").as_bytes());
        if record.is_gated() != refused {
            return Err(format!("{}: {:?}", text(row, "id"), record.classification).into());
        }
        right += 1;
    }
    counts::check("probe: gates found by the preflight scan", right, total)
}
