//! Decisions observed on macOS 14.4.1: each usable row must come out as observed.
//!
//! Rows whose profile text was applied as it stands (or with the recorded shim added) are counted apart from rows whose text
//! was derived or rebuilt: only the former are evidence.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::decide::{Answer, Engine, Request, World, operation_named};
use sbpl::diag::Source;
use sbpl::profile::{EvalOptions, MemoryLoader, evaluate};
use serde_json::Value;

use crate::counts;

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    vec![Trial::test("witness: observed decisions", move || run(&folder))]
}

pub(crate) fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().unwrap_or_default()
}

fn run(folder: &Path) -> Result<(), Failed> {
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("golden/runtime-witness.json"))?)?;
    let system = std::fs::read(folder.join("corpus/macos-10.15/system.sb"))?;
    let loader = MemoryLoader::new().with("system.sb", system);
    // [right, total] for texts that were applied, and for the others.
    let mut counts = [[0usize; 2]; 2];
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| row["evaluator_usable"] == true) {
        let evidence = text(row, "sbpl_source").starts_with("verbatim") || text(row, "sbpl_source") == "base+shim";
        let [right, total] = &mut counts[usize::from(!evidence)];
        *total += 1;
        let answer = decide(row, &loader)?;
        if answer.name() == text(row, "observed") {
            *right += 1;
        } else {
            wrong.push(format!("{}: {} but {} was observed", text(row, "id"), answer.name(), text(row, "observed")));
        }
    }
    for problem in &wrong {
        println!("{problem}");
    }
    let [applied, rebuilt] = counts;
    counts::check("witness rows, text as applied", applied[0], applied[1])?;
    counts::check("witness rows, text derived or rebuilt", rebuilt[0], rebuilt[1])?;
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} rows are wrong", wrong.len()).into()) }
}

/// The world of the row: what every macOS 14 has, and the fixture's own links, whose targets follow from the recorded paths.
pub(crate) fn world(row: &Value) -> Result<World, Failed> {
    let mut world = World::macos_14();
    let (requested, resolved) = (text(row, "requested_path"), text(row, "resolved_path"));
    for link in row["symlinks_traversed"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if ["/tmp", "/var", "/etc"].contains(&link) {
            continue;
        }
        let rest = requested.strip_prefix(link).ok_or("the link is not in front of the requested path")?;
        let target = resolved.strip_suffix(rest).ok_or("the resolved path does not end as the requested one")?;
        world.add_symlink(link.as_bytes(), target.as_bytes())?;
    }
    Ok(world)
}

/// Asks as the probes did (`spec/probe-runner.md` section 8): opening for reading and writing asks for the data, a probe of a
/// service for its global name, `nc` for a TCP address; what a probe had not, is absent.
fn decide(row: &Value, loader: &MemoryLoader) -> Result<Answer, Failed> {
    let options = EvalOptions::default();
    let evaluation = evaluate(Source::new(text(row, "id"), text(row, "sbpl").as_bytes()), loader, &options)
        .map_err(|failure| format!("{}: {failure}", text(row, "id")))?;
    let operation = match text(row, "operation") {
        "file-read*" => "file-read-data",
        "file-write*" => "file-write-data",
        other => other,
    };
    let target = evaluation.policy.target();
    let operation = operation_named(target, operation).map_err(|error| error.to_string())?;
    let engine = Engine::new(evaluation.policy);
    let mut request = Request::new(operation);
    request.closed = true;
    let asked = text(row, "target");
    let argument = match text(row, "operation") {
        "mach-lookup" => format!("global-name={asked}"),
        "network-outbound" => format!("remote=tcp4:{asked}"),
        "signal" => format!("target={asked}"),
        _ => {
            let path = row["requested_path"].as_str().unwrap_or(asked);
            return Ok(engine.decide_path(&request, path.as_bytes(), &world(row)?, None)?.answer);
        }
    };
    request.add_argument(target, &argument).map_err(|error| error.to_string())?;
    Ok(engine.decide(&request).answer)
}
