//! The lanes of a run: joined probe by probe, then written. Each lane is filled from its own observations only; joins name both
//! sides.

mod baseline;
mod confounder;
mod event;
mod observer;
mod oracle;
mod packet;
mod witness;

pub(super) use baseline::{baseline_row, path_observation};

use serde_json::{Map, Value, json};

use super::artifact::{
    BaselineResult, Event, Fixtures, LaneResults, MismatchReason, PathWitness, PathWitnesses, PrimaryIntent,
    ProbeResult, ProfileResult, RuntimeResults, sorted,
};
use super::plan::Lanes;
use super::pool::{self, Task};
use super::run::{Documents, PACKETS};
use super::tag;
use crate::sandbox::Fixture;

/// What the baseline lane has of one profile: a row a probe, in their order; none when the lane is off.
pub(super) type BaselineLane = Vec<BaselineResult>;

/// Everything that the lanes know of one probe.
pub(super) struct Joined<'a> {
    pub(super) profile_id: &'a str,
    pub(super) probe: &'a ProbeResult,
    pub(super) baseline: Option<&'a BaselineResult>,
    pub(super) event: Event,
    /// What a calibrated oracle said.
    pub(super) oracle: Option<oracle::Check>,
    /// Which path the baseline saw, for operations on files.
    pub(super) baseline_witness: Option<PathWitness>,
    /// Which path the scenario saw, for operations on files.
    pub(super) scenario_witness: Option<PathWitness>,
    /// Why it is not as expected, if it is not.
    pub(super) reason: MismatchReason,
}

impl<'a> Joined<'a> {
    fn new(
        documents: &Documents<'_>,
        profile_id: &'a str,
        profile: &ProfileResult,
        probe: &'a ProbeResult,
        baseline: Option<&'a BaselineResult>,
        calibration: Option<&Value>,
    ) -> Self {
        let event = event::event(documents, profile_id, profile, probe, baseline);
        let on_files = probe.operation.starts_with("file-");
        Self {
            oracle: oracle::check(event.seatbelt_callouts.as_ref(), calibration),
            event,
            baseline_witness: baseline.filter(|_| on_files).map(|row| witness::of_baseline(profile_id, probe, row)),
            scenario_witness: on_files.then(|| witness::of_scenario(profile_id, probe)),
            // Anchors are compared when all rows are there.
            reason: MismatchReason::ExpectationTooStrong,
            profile_id,
            probe,
            baseline,
        }
    }

    pub(super) fn scenario_id(&self) -> &str {
        self.event.scenario_id.as_deref().unwrap_or_default()
    }

    fn is_mismatch(&self) -> bool {
        self.event.matches != Some(true)
    }
}

/// Joins scenario and baseline, in the order of the plan.
pub(super) fn join<'a>(
    documents: &Documents<'_>,
    results: &'a RuntimeResults,
    lanes: &'a [BaselineLane],
) -> Vec<Joined<'a>> {
    let rows: Vec<_> = results
        .iter()
        .zip(lanes)
        .flat_map(|((id, profile), lane)| {
            let probes = profile.probes.iter().enumerate();
            probes.map(move |(at, probe)| (id.as_str(), profile, probe, lane.get(at)))
        })
        .collect();
    let calibration = documents.options.backend.calibration();
    const CHUNK: usize = 128;
    let chunks: Vec<_> = rows.chunks(CHUNK).collect();
    let joined = pool::ordered(documents.options.jobs, chunks.len(), |at| -> Vec<Joined<'a>> {
        let chunk = chunks.get(at).copied().unwrap_or_default();
        let joined = |&(id, profile, probe, row)| Joined::new(documents, id, profile, probe, row, calibration.as_ref());
        chunk.iter().map(joined).collect()
    });
    let mut joined: Vec<Joined<'a>> = joined.into_iter().flatten().collect();
    let anchors = packet::Anchors::of(&joined);
    for row in joined.iter_mut().filter(|row| row.is_mismatch()) {
        row.reason = packet::reason(row, &anchors);
    }
    joined
}

/// Writes the documents of the lanes: baseline, events, oracle, path witnesses, fixtures, mismatch packets; each is a task.
pub(super) fn write<'t>(
    documents: &'t Documents<'_>,
    joined: &'t [Joined<'_>],
    lanes: &'t Lanes,
    fixtures: &'t [Fixture],
    tasks: &mut Vec<Task<'t>>,
) {
    let writer = documents.writer;
    let (run_head, plan_id) = (move |tag: &str| documents.head(tag), &documents.set.plan.plan_id);
    tasks.push(Box::new(move || {
        let events: Vec<&Event> = joined.iter().map(|row| &row.event).collect();
        writer.write_json("runtime_events.normalized.json", &events)
    }));
    // Baseline rows first, then the scenario's: a refused open has no path in its own lane.
    tasks.push(Box::new(move || {
        let baseline = joined.iter().filter_map(|row| row.baseline_witness.as_ref());
        let scenario = joined.iter().filter_map(|row| row.scenario_witness.as_ref());
        let records = baseline.chain(scenario).collect();
        let (head, plan_id) = (run_head(tag::PATH_WITNESSES), plan_id.clone());
        writer.write_json("path_witnesses.json", &PathWitnesses { head, plan_id, records, extra: Map::new() })
    }));
    if lanes.baseline {
        tasks.push(Box::new(move || {
            let results: Vec<&BaselineResult> = joined.iter().filter_map(|row| row.baseline).collect();
            let head = run_head(tag::BASELINE_RESULTS);
            writer.write_json("baseline_results.json", &LaneResults { head, results, extra: Map::new() })
        }));
    }
    if lanes.oracle {
        tasks.push(Box::new(move || writer.write_json("oracle_results.json", &oracle::results(documents, joined))));
    }
    if lanes.scenario {
        tasks.push(Box::new(move || match documents.options.backend.observe(documents.started) {
            Some(observed) => {
                writer.write_json("observer_results.json", &observer::results(documents, joined, &observed))
            }
            None => Ok(()),
        }));
    }
    tasks.push(Box::new(move || {
        let fixtures = fixtures.iter().map(|fixture| json!(fixture)).collect();
        let head = run_head(tag::FIXTURES);
        writer.write_json("fixtures.json", &Fixtures { head, fixtures, extra: Map::new() })
    }));
    tasks.push(Box::new(move || {
        let mut packets = String::new();
        for row in joined.iter().filter(|row| row.is_mismatch()) {
            packets.push_str(&sorted(json!(packet::packet(documents, row)), false).to_string());
            packets.push('\n');
        }
        writer.write(PACKETS, packets.as_bytes())
    }));
}

fn intent(id: &str, probe: &ProbeResult) -> PrimaryIntent {
    PrimaryIntent {
        operation: probe.operation.clone(),
        target: probe.path.clone().unwrap_or_default(),
        profile_id: id.to_owned(),
        probe_name: probe.name.clone().unwrap_or_default(),
    }
}

/// The expectation id, else `profile::name`, else `profile::operation::target`.
fn scenario_id(id: &str, probe: &ProbeResult) -> String {
    match (&probe.expectation_id, probe.name.as_deref()) {
        (Some(expectation), _) => expectation.clone(),
        (None, Some(name)) if !name.is_empty() => format!("{id}::{name}"),
        _ => format!("{id}::{}::{}", probe.operation, probe.path.as_deref().unwrap_or_default()),
    }
}
