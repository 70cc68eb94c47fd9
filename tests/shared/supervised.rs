//! Recorded probes as real processes under the supervisor: the system's calls give what macOS was observed to give.
//!
//! In CI a system that cannot supervise processes is a failure; elsewhere the topic is listed as ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, MemoryLoader, evaluate};
use sbpl::sandbox::supervised::{Supervised, availability};
use sbpl::sandbox::{Action, Backend, Outcome, ProbeSetup, ProfileInput, Rules, Setup};
use serde_json::Value;

use crate::counts;
use crate::witness::{text, world};

/// Operations that Linux has no call for.
const NOT_HERE: &[(&str, &str)] = &[("mach-lookup", "Linux has no Mach services")];

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    let name = "supervised: recorded probes as real processes";
    match availability() {
        Err(reason) if std::env::var_os("CI").is_none() => {
            vec![Trial::test(format!("{name} (left out: {reason})"), || Ok(())).with_ignored_flag(true)]
        }
        _ => vec![Trial::test(name, move || run(&folder))],
    }
}

fn run(folder: &Path) -> Result<(), Failed> {
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("golden/runtime-witness.json"))?)?;
    let system = std::fs::read(folder.join("corpus/macos-10.15/system.sb"))?;
    let loader = MemoryLoader::new().with("system.sb", system);
    // Right and all, of files and of everything else.
    let mut counts = [[0usize; 2]; 2];
    let (mut wrong, mut left_out) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for row in rows.iter().filter(|row| row["evaluator_usable"] == true) {
        let operation = text(row, "operation");
        if let Some((_, reason)) = NOT_HERE.iter().find(|(name, _)| *name == operation) {
            *left_out.entry(reason).or_default() += 1;
            continue;
        }
        let [right, total] = &mut counts[usize::from(!operation.starts_with("file-"))];
        *total += 1;
        match try_row(row, &loader)? {
            None => *right += 1,
            Some(problem) => wrong.push(format!("{}: {problem}", text(row, "id"))),
        }
    }
    for (reason, count) in left_out {
        println!("left out: {count} rows: {reason}");
    }
    let [files, others] = counts;
    counts::check("supervised: recorded file probes as observed", files[0], files[1])?;
    counts::check("supervised: recorded probes of processes and sockets as observed", others[0], others[1])?;
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// What is not as observed.
fn try_row(row: &Value, loader: &MemoryLoader) -> Result<Option<String>, Failed> {
    let scratch = tempfile::tempdir()?;
    let mut setup = Setup::macos_14();
    setup.world = world(row)?;
    setup.probes =
        Some(ProbeSetup { driver: PathBuf::from(env!("CARGO_BIN_EXE_sbpl")), scratch: scratch.path().canonicalize()? });
    let backend = Supervised::open(&setup)?;
    let profile = text(row, "sbpl").as_bytes();
    let policy = evaluate(Source::new(text(row, "id"), profile), loader, &EvalOptions::default())?.policy;
    let input = ProfileInput { bytes: profile.into(), rules: Rules::Policy(Arc::new(policy)) };
    let target = row["requested_path"].as_str().unwrap_or(text(row, "target")).to_owned();
    let action = Action { operation: text(row, "operation").to_owned(), target, ..Action::default() };
    backend.prepare(std::slice::from_ref(&action))?;
    let without = backend.try_unconfined(&action);
    if without.outcome != Outcome::Allow {
        return Ok(Some(format!("fails without a profile: {without:?}")));
    }
    let mut session = backend.apply(&input).map_err(|failure| failure.message)?;
    let seen = session.try_action(&action);
    let outcome = match seen.outcome {
        Outcome::Allow => "allow",
        Outcome::Deny => "deny",
        Outcome::Undecided => "undecided",
    };
    let resolved = row["resolved_path"].as_str().filter(|_| action.operation.starts_with("file-"));
    let path = seen.path.as_ref().map(|path| path.path.as_str());
    Ok(if outcome != text(row, "observed") {
        Some(format!("{outcome}, but {} was observed: {seen:?}", text(row, "observed")))
    } else if path != resolved {
        Some(format!("the path is {path:?}, but {resolved:?} was recorded"))
    } else {
        None
    })
}
