//! Lines of the sandbox's log in every carrier: each gives the decision that it stands for, or none.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use sbpl::sandbox::log::{Entry, Layer, read};
use serde_json::{Value, json};

pub(crate) fn trials(folder: PathBuf) -> Vec<Trial> {
    vec![Trial::test("log: denial lines", move || run(&folder))]
}

fn run(folder: &Path) -> Result<(), Failed> {
    let document: Value = serde_json::from_slice(&std::fs::read(folder.join("golden/denial-log-lines.json"))?)?;
    let lines = document["lines"].as_array().ok_or("no lines")?;
    let mut wrong = Vec::new();
    for line in lines {
        let raw = line["raw"].as_str().ok_or("a line without text")?;
        let log = read(raw);
        let seen: Vec<Value> = log.entries.iter().map(|entry| shown(entry, &line["parsed"])).collect();
        let wanted: Vec<Value> = if line["parsed"].is_null() { Vec::new() } else { vec![line["parsed"].clone()] };
        if seen != wanted {
            wrong.push(format!("{raw}\n  gives {seen:?}\n  not {wanted:?}"));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{} of {} lines\n{}", wrong.len(), lines.len(), wrong.join("\n")).into()),
    }
}

/// The entry under the keys that the line's record has.
fn shown(entry: &Entry, record: &Value) -> Value {
    let all = json!({
        "layer": if entry.layer == Layer::Sandbox { "Sandbox" } else { "System Policy" },
        "process": entry.process,
        "pid": entry.pid,
        "verdict": entry.verdict,
        "operation": entry.operation,
        "argument": entry.argument,
        "count": entry.count,
        "tag": entry.tag,
        "time": entry.time,
        "local": entry.local,
        "duplicate": entry.duplicate,
        "learnable": entry.layer == Layer::Sandbox,
        "path": entry.path,
        "identifier": entry.identifier,
    });
    let keys = record.as_object().map(|record| record.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    keys.into_iter().map(|key| (key.clone(), all.get(&key).cloned().unwrap_or(Value::Null))).collect()
}
