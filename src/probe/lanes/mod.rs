//! Writes the documents of the lanes. Each lane is filled from its own observations only; joins name both sides.

mod baseline;
mod confounder;
mod event;
mod packet;
mod witness;

pub(super) use baseline::path_observation;

use serde_json::{Map, Value, json};

use super::artifact::{
    BaselineResult, BaselineResults, Event, Fixtures, OracleResults, PathWitnesses, PrimaryIntent, ProbeResult,
    RuntimeResults,
};
use super::error::ProbeError;
use super::one::Ran;
use super::run::Documents;
use super::tag;

/// Baseline, events, oracle, path witnesses, fixtures, mismatch packets.
pub(super) fn write(
    documents: &Documents<'_>,
    ran: &[(String, Ran)],
    results: &RuntimeResults,
) -> Result<(), ProbeError> {
    let lanes = documents.set.plan.lanes();
    let writer = documents.writer;
    let baseline = baseline::baseline_rows(ran);
    if lanes.baseline {
        writer.write_json(
            "baseline_results.json",
            &BaselineResults {
                head: documents.head(tag::BASELINE_RESULTS),
                results: baseline.clone(),
                extra: Map::new(),
            },
        )?;
    }
    let events: Vec<Event> = results
        .iter()
        .flat_map(|(id, profile)| profile.probes.iter().map(move |probe| (id, profile, probe)))
        .map(|(id, profile, probe)| event::event(documents, id, profile, probe, row_for(&baseline, id, probe)))
        .collect();
    let documents_of_events: Vec<Value> = events.iter().map(|event| sorted(json!(event), true)).collect();
    writer.write_json("runtime_events.normalized.json", &documents_of_events)?;
    if lanes.oracle {
        writer.write_json(
            "oracle_results.json",
            &OracleResults {
                head: documents.head(tag::ORACLE_RESULTS),
                // No backend that is here has an oracle; the lane is asked for and empty.
                results: Vec::new(),
                extra: Map::new(),
            },
        )?;
    }
    let witnesses = witness::witnesses(ran, &baseline);
    writer.write_json(
        "path_witnesses.json",
        &PathWitnesses {
            head: documents.head(tag::PATH_WITNESSES),
            plan_id: documents.set.plan.plan_id.clone(),
            records: witnesses.clone(),
            extra: Map::new(),
        },
    )?;
    let fixtures = documents.fixtures.iter().map(|fixture| json!(fixture)).collect();
    writer
        .write_json("fixtures.json", &Fixtures { head: documents.head(tag::FIXTURES), fixtures, extra: Map::new() })?;
    let mut packets = String::new();
    for event in events.iter().filter(|event| event.matches != Some(true)) {
        let packet = packet::packet(documents, event, &baseline, &witnesses);
        packets.push_str(&sorted(json!(packet), false).to_string());
        packets.push('\n');
    }
    writer.write("mismatch_packets.jsonl", packets.as_bytes())
}

fn intent(id: &str, probe: &ProbeResult) -> PrimaryIntent {
    PrimaryIntent {
        operation: probe.operation.clone(),
        target: probe.path.clone().unwrap_or_default(),
        profile_id: id.to_owned(),
        probe_name: probe.name.clone().unwrap_or_default(),
    }
}

fn row_for<'a>(baseline: &'a [BaselineResult], id: &str, probe: &ProbeResult) -> Option<&'a BaselineResult> {
    let name = probe.name.as_deref().unwrap_or_default();
    baseline.iter().find(|row| row.profile_id == id && row.probe_name == name)
}

/// The expectation id, else `profile::name`, else `profile::operation::target`.
fn scenario_id(id: &str, probe: &ProbeResult) -> String {
    match (&probe.expectation_id, probe.name.as_deref()) {
        (Some(expectation), _) => expectation.clone(),
        (None, Some(name)) if !name.is_empty() => format!("{id}::{name}"),
        _ => format!("{id}::{}::{}", probe.operation, probe.path.as_deref().unwrap_or_default()),
    }
}

/// Keys sorted at every level, `null` fields left out or kept. Recursion is as deep as our own documents are.
fn sorted(value: Value, drop_nulls: bool) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> =
                map.into_iter().filter(|(_, value)| !drop_nulls || !value.is_null()).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.into_iter().map(|(key, value)| (key, sorted(value, drop_nulls))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| sorted(item, drop_nulls)).collect(),
        other => other,
    }
}
