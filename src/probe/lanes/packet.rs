//! One packet a mismatch: both sides of the join, and one of the seven reasons.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};

use super::Joined;
use crate::probe::artifact::{DecisionEvent, Expected, MismatchPacket, MismatchReason, PathWitness, RunContext};
use crate::probe::registry::Decision;
use crate::probe::run::Documents;
use crate::probe::tag;

/// The packet of one mismatch.
pub(super) fn packet(documents: &Documents<'_>, row: &Joined<'_>) -> MismatchPacket {
    let event = &row.event;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let witness = witness(row);
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
        baseline: row.baseline.cloned(),
        oracle_check: row.oracle.as_ref().map(|check| check.value.clone()),
        canonicalization: witness.map(|witness| json!({ "witness_source": witness.lane, "witness": witness })),
        mismatch_reason: row.reason,
        extra: Map::new(),
    }
}

/// The path that was meant: the scenario's own first.
fn witness<'a>(row: &'a Joined<'_>) -> Option<&'a PathWitness> {
    let scenario = row.scenario_witness.as_ref().filter(|witness| witness.seen.observed_path.is_some());
    scenario.or(row.baseline_witness.as_ref())
}

/// Why, as far as the lanes say; each lane is asked in turn (`spec/probe-runner.md` section 1.10). Two of the seven reasons
/// are not in that list; we give them where it would end with *expectation too strong*.
pub(super) fn reason(row: &Joined<'_>, anchors: &Anchors) -> MismatchReason {
    let event = &row.event;
    let witness = witness(row);
    let witnessed = event.intended_op_witnessed != Some(false) && event.actual.is_some();
    let other_path = witness
        .is_some_and(|witness| witness.canonicalization.alias_pair || witness.canonicalization.nofirmlink_differs);
    let oracle = row.oracle.as_ref().map(|check| check.decision);
    match () {
        () if !witnessed => MismatchReason::OpNotWitnessed,
        () if other_path => MismatchReason::CanonicalizationBoundary,
        () if row.baseline.is_some_and(|row| row.status == Decision::Deny && row.error.is_none()) => {
            MismatchReason::AmbientPlatformRestriction
        }
        () if oracle.is_some() && oracle != event.actual => MismatchReason::CapturePipelineDisagreement,
        () if witness.is_some_and(|witness| !is_normal(&witness.requested_path)) => {
            MismatchReason::PathNormalizationSensitivity
        }
        () if anchors.has_other(row) => MismatchReason::AnchorAliasGap,
        () => MismatchReason::ExpectationTooStrong,
    }
}

/// True for a path without `.`, `..`, empty components and a slash at its end.
fn is_normal(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return true };
    rest.is_empty() || rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Targets that did as expected, by what they are an anchor of: profile, operation, anchor.
pub(super) struct Anchors(BTreeMap<[String; 3], BTreeSet<String>>);

impl Anchors {
    pub(super) fn of(joined: &[Joined<'_>]) -> Self {
        let mut anchors: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for row in joined.iter().filter(|row| row.probe.matches == Some(true)) {
            if let (Some(key), Some(target)) = (Self::key(row), &row.probe.path) {
                anchors.entry(key).or_default().insert(target.clone());
            }
        }
        Self(anchors)
    }

    fn key(row: &Joined<'_>) -> Option<[String; 3]> {
        let anchor = row.probe.anchor_ctx_id.clone()?;
        Some([row.profile_id.to_owned(), row.probe.operation.clone(), anchor])
    }

    /// Whether the anchor of a probe has another name that does as expected.
    fn has_other(&self, row: &Joined<'_>) -> bool {
        let names = Self::key(row).and_then(|key| self.0.get(&key));
        names.is_some_and(|names| names.iter().any(|name| Some(name) != row.probe.path.as_ref()))
    }
}
