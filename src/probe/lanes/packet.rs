//! One packet a mismatch: both sides of the join, and one of the seven reasons.

use serde_json::{Map, json};

use crate::probe::artifact::{
    BaselineResult, DecisionEvent, Event, Expected, MismatchPacket, MismatchReason, PathWitness, RunContext,
};
use crate::probe::registry::Decision;
use crate::probe::run::Documents;
use crate::probe::tag;

pub(super) fn packet(
    documents: &Documents<'_>,
    event: &Event,
    baseline: &[BaselineResult],
    witnesses: &[PathWitness],
) -> MismatchPacket {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let row = baseline.iter().find(|row| {
        Some(&row.profile_id) == event.profile_id.as_ref() && Some(&row.probe_name) == event.probe_name.as_ref()
    });
    // The scenario's own path first.
    let mine = |lane: &str| {
        witnesses
            .iter()
            .find(|witness| witness.lane == lane && Some(&witness.scenario_id) == event.scenario_id.as_ref())
    };
    let witness = mine("scenario").filter(|witness| witness.seen.observed_path.is_some()).or_else(|| mine("baseline"));
    MismatchPacket {
        schema_version: tag::MISMATCH_PACKET.to_owned(),
        expectation_id: event.expectation_id.clone(),
        run_context: RunContext {
            run_id: documents.run_id(),
            channel: documents.channel(),
            world_id: documents.world_id(),
            repo_root_context: ".".to_owned(),
            run_manifest: "run_manifest.json".to_owned(),
        },
        decision_event: DecisionEvent {
            scenario_id: text(&event.scenario_id),
            profile_id: text(&event.profile_id),
            probe_name: event.probe_name.clone(),
            operation: text(&event.operation),
            target: event.target.clone(),
            requested_path: event.requested_path.clone(),
            observed_path: event.observed_path.clone(),
            normalized_path: event.normalized_path.clone(),
            runtime_status: text(&event.runtime_status),
            failure_stage: event.failure_stage.clone(),
            failure_kind: event.failure_kind.clone(),
            decision: event.actual,
            errno: event.errno,
            intended_op_witnessed: event.intended_op_witnessed,
            policy_layers: event.policy_layers.clone(),
            source: "runtime_events.normalized.json".to_owned(),
            filter_type: None,
            filter_type_name: None,
        },
        expected: Expected {
            expectation_id: event.expectation_id.clone(),
            expected_decision: event.expected,
            target: event.target.clone(),
        },
        baseline: row.cloned(),
        oracle_check: None,
        canonicalization: witness.map(|witness| json!({ "witness_source": witness.lane, "witness": witness })),
        mismatch_reason: reason(event, row.map(|row| row.status), witness, None),
        extra: Map::new(),
    }
}

/// Why, as far as the lanes say; each lane is asked in turn.
pub(super) fn reason(
    event: &Event,
    baseline: Option<Decision>,
    witness: Option<&PathWitness>,
    oracle: Option<Decision>,
) -> MismatchReason {
    let witnessed = event.intended_op_witnessed != Some(false) && event.actual.is_some();
    let other_path = witness
        .is_some_and(|witness| witness.canonicalization.alias_pair || witness.canonicalization.nofirmlink_differs);
    if !witnessed {
        MismatchReason::OpNotWitnessed
    } else if other_path {
        MismatchReason::CanonicalizationBoundary
    } else if baseline == Some(Decision::Deny) {
        MismatchReason::AmbientPlatformRestriction
    } else if oracle.is_some() && oracle != event.actual {
        MismatchReason::CapturePipelineDisagreement
    } else {
        MismatchReason::ExpectationTooStrong
    }
}
