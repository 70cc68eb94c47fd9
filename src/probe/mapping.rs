//! `runtime_mappings/`: the events of a run cut by scenario, operation and profile (`spec/probe-runner.md` section 1.16).
//!
//! Nothing new is said here: every document points back to `runtime_events.normalized.json`.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Map;

use super::artifact::{
    Coverage, EventsIndex, MappedOperation, MappedScenario, MismatchReason, OperationsMap, RuntimeIndexes,
    RuntimeManifest, ScenariosMap,
};
use super::error::ProbeError;
use super::lanes::Joined;
use super::names::{fits, short, unique};
use super::run::Documents;
use super::tag;

const FOLDER: &str = "runtime_mappings";

/// Scenarios up to which each has a trace of its own, as in the notes; more of them share one. Making a file costs more than all
/// the rest of a simulated probe.
const OWN_TRACES: usize = 500;
/// The trace that many scenarios share.
const SHARED_TRACE: &str = "all";

/// Writes the traces and the tables over them.
pub(super) fn write(documents: &Documents<'_>, joined: &[Joined<'_>]) -> Result<(), ProbeError> {
    let mut traces: IndexMap<&str, Vec<&Joined<'_>>> = IndexMap::with_capacity(joined.len());
    for row in joined {
        traces.entry(row.scenario_id()).or_default().push(row);
    }
    let path = |name: &str| format!("{FOLDER}/traces/{name}.jsonl");
    let mut taken = BTreeSet::new();
    let paths: Vec<String> = match traces.len() > OWN_TRACES {
        true => {
            documents.writer.write_new(&path(SHARED_TRACE), &trace(joined.iter())?)?;
            vec![path(SHARED_TRACE); traces.len()]
        }
        false => {
            let write = |(id, rows): (&&str, &Vec<&Joined<'_>>)| {
                let path = path(&unique(trace_name(id), &mut taken));
                documents.writer.write_new(&path, &trace(rows.iter().copied())?).map(|()| path)
            };
            traces.iter().map(write).collect::<Result<_, _>>()?
        }
    };

    let mut scenarios = IndexMap::new();
    let mut operations: IndexMap<String, MappedOperation> = IndexMap::new();
    let mut indexes = RuntimeIndexes { head: documents.head(tag::RUNTIME_INDEXES), ..RuntimeIndexes::default() };
    for (id, rows) in &traces {
        // A scenario that was tried twice is what its last try was.
        let Some(row) = rows.last() else { continue };
        let coverage = coverage(row);
        let operation = operations.entry(row.probe.operation.clone()).or_default();
        operation.scenarios.push((*id).to_owned());
        *operation.coverage.entry(coverage).or_insert(0) += 1;
        for (index, key) in [
            (&mut indexes.by_profile, row.profile_id.to_owned()),
            (&mut indexes.by_operation, row.probe.operation.clone()),
            (&mut indexes.by_status, row.probe.runtime_result.status.clone()),
        ] {
            index.entry(key).or_default().push((*id).to_owned());
        }
        scenarios.insert(
            (*id).to_owned(),
            MappedScenario {
                profile_id: row.profile_id.to_owned(),
                probe_name: row.probe.name.clone(),
                operation: row.probe.operation.clone(),
                target: row.probe.path.clone(),
                expected: row.probe.expected,
                actual: row.probe.actual,
                matches: row.probe.matches,
                coverage,
            },
        );
    }
    let by_id = traces.keys().map(|id| (*id).to_owned());
    let events_index = EventsIndex {
        head: documents.head(tag::EVENTS_INDEX),
        source: EVENTS.to_owned(),
        traces: by_id.zip(paths.iter().map(|path| vec![path.clone()])).collect(),
        extra: Map::new(),
    };
    let manifest = RuntimeManifest {
        head: documents.head(tag::RUNTIME_MANIFEST),
        plan_id: documents.set.plan.plan_id.clone(),
        channel: documents.channel(),
        run_manifest: "run_manifest.json".to_owned(),
        event_count: joined.len() as u64,
        scenario_count: scenarios.len() as u64,
        documents: DOCUMENTS.iter().map(|name| format!("{FOLDER}/{name}")).collect(),
        extra: Map::new(),
    };
    let scenarios = ScenariosMap { head: documents.head(tag::SCENARIOS), scenarios, extra: Map::new() };
    let ops = OperationsMap { head: documents.head(tag::OPERATIONS), ops: operations, extra: Map::new() };
    let (writer, path) = (documents.writer, |name: &str| format!("{FOLDER}/{name}"));
    let [events_name, scenarios_name, ops_name, indexes_name, manifest_name] = DOCUMENTS;
    writer.write_json(&path(events_name), &events_index)?;
    writer.write_json(&path(scenarios_name), &scenarios)?;
    writer.write_json(&path(ops_name), &ops)?;
    writer.write_json(&path(indexes_name), &indexes)?;
    writer.write_json(&path(manifest_name), &manifest)
}

/// One line an event, as the document of events has it.
fn trace<'j>(rows: impl Iterator<Item = &'j Joined<'j>>) -> Result<Vec<u8>, ProbeError> {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, &row.event)
            .map_err(|error| ProbeError::NotWritten { path: FOLDER.to_owned(), reason: error.to_string() })?;
        lines.push(b'\n');
    }
    Ok(lines)
}

const EVENTS: &str = "runtime_events.normalized.json";
const DOCUMENTS: [&str; 5] =
    ["events_index.json", "scenarios.json", "ops.json", "runtime_indexes.json", "runtime_manifest.json"];

/// The name of a scenario's trace: every run of characters that do not belong in a file name is one `_`.
fn trace_name(id: &str) -> String {
    let mut name = String::new();
    let mut last_fits = true;
    for c in id.chars() {
        match fits(c) {
            true => name.push(c),
            false if last_fits => name.push('_'),
            false => {}
        }
        last_fits = fits(c);
    }
    short(name)
}

/// Which class a scenario counts in. The notes name the classes and not their rule; ours: a mismatch is *allowed* when
/// another lane explains it, and not when only the expectation or the capture can be wrong.
fn coverage(row: &Joined<'_>) -> Coverage {
    match (row.probe.matches, row.reason) {
        (Some(true), _) => Coverage::CoveredOk,
        (_, MismatchReason::OpNotWitnessed) => Coverage::Uncovered,
        (_, MismatchReason::ExpectationTooStrong | MismatchReason::CapturePipelineDisagreement) => {
            Coverage::CoveredMismatchDisallowed
        }
        _ => Coverage::CoveredMismatchAllowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of spec/probe-runner.md section 1.16, and ids that would be no file names.
    #[test]
    fn names_of_traces() {
        assert_eq!(trace_name("bucket4:v1_read:read_/etc/hosts"), "bucket4_v1_read_read__etc_hosts");
        assert_eq!(trace_name("../../etc/passwd\0"), ".._.._etc_passwd_");
        assert_eq!(trace_name(&"x".repeat(300)).len(), 200);
        assert_ne!(trace_name(&"x".repeat(300)), trace_name(&"x".repeat(301)));
    }
}
