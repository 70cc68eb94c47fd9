//! The join of scenario and baseline: one event a probe.

use serde_json::Map;

use super::confounder::{errno_name, file_confounder, policy_layers};
use super::{intent, scenario_id};
use crate::probe::artifact::{BaselineResult, Event, ProbeResult, ProfileResult};
use crate::probe::registry::Decision;
use crate::probe::run::Documents;
use crate::sandbox::transcript::strip_markers;

pub(super) fn event(
    documents: &Documents<'_>,
    id: &str,
    profile: &ProfileResult,
    probe: &ProbeResult,
    baseline: Option<&BaselineResult>,
) -> Event {
    let result = &probe.runtime_result;
    let is_path = probe.path.as_deref().is_some_and(|path| path.starts_with('/'));
    let requested = probe.path.clone().filter(|_| is_path);
    let observed = probe.path_observation.as_ref();
    let observed_path = observed.and_then(|observed| observed.observed_path.clone());
    let (normalized_path, source) = normalized(requested.as_deref(), observed_path.as_deref());
    let denied = probe.actual == Some(Decision::Deny);
    let denier = probe.decided_by.as_ref().filter(|_| denied);
    let on_the_way = denier.is_some_and(|by| Some(&by.argument) != observed_path.as_ref() && is_path);
    Event {
        world_id: Some(documents.world_id()),
        profile_id: Some(id.to_owned()),
        scenario_id: Some(scenario_id(id, probe)),
        run_id: Some(documents.run_id()),
        expectation_id: probe.expectation_id.clone(),
        operation: Some(probe.operation.clone()),
        target: probe.path.clone(),
        requested_path: requested,
        observed_path,
        observed_path_source: Some(match observed {
            Some(observed) => observed.observed_path_source.clone(),
            None => "not_attempted".to_owned(),
        }),
        normalized_path,
        normalized_path_source: Some(source.to_owned()),
        probe_name: probe.name.clone(),
        expected: probe.expected,
        actual: probe.actual,
        matches: probe.matches,
        primary_intent: Some(intent(id, probe)),
        reached_primary_op: probe.actual.map(|_| !on_the_way),
        intended_op_witnessed: result.intended_op_witnessed,
        first_denial_op: denier.map(|by| by.operation.clone()),
        first_denial_filters: denier.map(|by| vec![by.argument.clone()]),
        decision_path: Some("scenario".to_owned()),
        runtime_status: Some(result.status.clone()),
        errno: result.errno,
        errno_name: result.errno.and_then(errno_name).map(str::to_owned),
        policy_layers: policy_layers(probe, baseline),
        file_confounder: file_confounder(probe, baseline),
        failure_stage: result.failure_stage.clone(),
        failure_kind: result.failure_kind.clone(),
        apply_report: result.apply_report.clone(),
        preflight: profile.preflight.clone(),
        runner_info: result.runner_info.clone(),
        seatbelt_callouts: result.seatbelt_callouts.clone(),
        probe_details: probe.probe_details.clone(),
        violation_summary: probe.violation_summary.clone(),
        command: Some(probe.command.clone()),
        stdout: Some(probe.stdout.clone()),
        stderr: Some(strip_markers(&probe.stderr)),
        harness: Some(format!("sbpl {}", documents.options.backend.kind().name())),
        notes: probe.notes.clone(),
        extra: Map::new(),
    }
}

fn normalized(requested: Option<&str>, observed: Option<&str>) -> (Option<String>, &'static str) {
    match (observed, requested) {
        (Some(observed), _) => (Some(observed.to_owned()), "observed_path"),
        (None, Some(path)) if path == "/tmp" || path.starts_with("/tmp/") => {
            (Some(format!("/private{path}")), "alias_map")
        }
        (None, requested) => (requested.map(str::to_owned), "requested_path"),
    }
}
