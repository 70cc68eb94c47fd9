//! Rows of the baseline lane.

use serde_json::Map;

use super::intent;
use crate::probe::artifact::{BaselineResult, PathObservation, ProbeResult};
use crate::probe::registry::Decision;
use crate::sandbox::class::Class;
use crate::sandbox::{Observation, Outcome, PathSource};

/// The row of one probe without the profile.
pub(in crate::probe) fn baseline_row(id: &str, probe: &ProbeResult, seen: &Observation) -> BaselineResult {
    let intent = intent(id, probe);
    let cut = |text: &str| text.chars().take(200).collect::<String>();
    BaselineResult {
        name: format!("baseline:{id}:{}", intent.probe_name),
        profile_id: id.to_owned(),
        probe_name: intent.probe_name.clone(),
        operation: probe.operation.clone(),
        target: intent.target.clone(),
        primary_intent: intent,
        command: seen.command.clone(),
        path_observation: path_observation(&probe.operation, seen),
        status: if seen.outcome == Outcome::Allow { Decision::Allow } else { Decision::Deny },
        exit_code: seen.exit_code,
        stdout: cut(&seen.stdout),
        stderr: cut(&seen.stderr),
        reached_primary_op: true,
        decision_path: "baseline".to_owned(),
        // The status has two values only; one that ran out of time was not refused.
        error: (seen.evidence.class == Some(Class::Timeout)).then(|| Class::Timeout.name().to_owned()),
        extra: Map::new(),
    }
}

/// Which path an observation saw, for operations on files.
pub(in crate::probe) fn path_observation(operation: &str, seen: &Observation) -> Option<PathObservation> {
    let path = seen.path.as_ref().filter(|_| operation.starts_with("file-"))?;
    let known = match path.source {
        PathSource::World => "simulated_world",
        PathSource::Descriptor => "unsandboxed_fd_path",
    };
    let source = |is_known: bool| if is_known { known } else { "unsandboxed_unavailable" }.to_owned();
    Some(PathObservation {
        observed_path: Some(path.path.clone()),
        observed_path_source: source(true),
        observed_path_errno: None,
        observed_path_nofirmlink: path.nofirmlink.clone(),
        observed_path_nofirmlink_source: source(path.nofirmlink.is_some()),
        observed_path_nofirmlink_errno: None,
        symlinks_traversed: path.links.clone(),
    })
}
