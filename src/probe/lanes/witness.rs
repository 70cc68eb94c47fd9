//! Which path each lane saw.

use serde_json::Map;

use super::scenario_id;
use crate::probe::artifact::{BaselineResult, Canonicalization, PathObservation, PathWitness, ProbeResult};
use crate::probe::registry::Decision;
use crate::probe::tag;

/// Which path the baseline saw.
pub(super) fn of_baseline(id: &str, probe: &ProbeResult, row: &BaselineResult) -> PathWitness {
    PathWitness {
        decision: Some(row.status),
        exit_code: row.exit_code,
        command: row.command.clone(),
        ..witness("baseline", id, probe, row.path_observation.as_ref())
    }
}

/// Which path the scenario saw: none when the open was refused.
pub(super) fn of_scenario(id: &str, probe: &ProbeResult) -> PathWitness {
    let opened = probe.path_observation.as_ref().filter(|_| probe.actual == Some(Decision::Allow));
    PathWitness {
        decision: probe.actual,
        errno: probe.runtime_result.errno,
        failure_stage: probe.runtime_result.failure_stage.clone(),
        failure_kind: probe.runtime_result.failure_kind.clone(),
        command: probe.command.clone(),
        ..witness("scenario", id, probe, opened)
    }
}

fn witness(lane: &str, id: &str, probe: &ProbeResult, seen: Option<&PathObservation>) -> PathWitness {
    let requested = probe.path.clone().unwrap_or_default();
    let missing = |name: &str| format!("{name}:missing");
    let seen = seen.cloned().unwrap_or_else(|| PathObservation {
        observed_path: None,
        observed_path_source: missing("probe_fgetpath"),
        observed_path_errno: None,
        observed_path_nofirmlink: None,
        observed_path_nofirmlink_source: missing("probe_fgetpath_nofirmlink"),
        observed_path_nofirmlink_errno: None,
        symlinks_traversed: Vec::new(),
    });
    let observed = seen.observed_path.clone();
    let nofirmlink = seen.observed_path_nofirmlink.as_ref();
    PathWitness {
        schema_version: tag::PATH_WITNESS.to_owned(),
        lane: lane.to_owned(),
        profile_id: id.to_owned(),
        scenario_id: scenario_id(id, probe),
        operation: probe.operation.clone(),
        normalized_path_source: match (&observed, requested.is_empty()) {
            (Some(_), _) => "observed_path",
            (None, false) => "requested_path",
            (None, true) => "missing",
        }
        .to_owned(),
        canonicalization: Canonicalization {
            alias_pair: observed.as_deref().is_some_and(|observed| is_alias_pair(&requested, observed)),
            nofirmlink_differs: nofirmlink.is_some() && nofirmlink != observed.as_ref(),
        },
        normalized_path: observed.or_else(|| Some(requested.clone()).filter(|path| !path.is_empty())),
        requested_path: requested,
        seen,
        decision: None,
        command: Vec::new(),
        exit_code: None,
        errno: None,
        failure_stage: None,
        failure_kind: None,
        extra: Map::new(),
    }
}

fn is_alias_pair(a: &str, b: &str) -> bool {
    let behind = |short: &str, long: &str| long.strip_prefix("/private") == Some(short) && short != long;
    behind(a, b) || behind(b, a)
}
