//! `mismatch_summary.json` and `mismatch_packets.jsonl` (`spec/probe-runner.md` section 1.10).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BaselineResult, PolicyLayers};
use crate::probe::registry::Decision;

/// `mismatch_summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MismatchSummary {
    /// What it is about.
    pub world_id: String,
    /// Who wrote it.
    pub generated_by: String,
    /// Each of them.
    pub mismatches: Vec<Mismatch>,
    /// How many of each type.
    pub counts: IndexMap<String, u64>,
    /// Why the run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One mismatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mismatch {
    /// What it is about.
    pub world_id: String,
    /// Which profile.
    pub profile_id: String,
    /// Which expectation.
    pub expectation_id: Option<String>,
    /// The operation.
    pub operation: String,
    /// The target.
    pub path: Option<String>,
    /// What should have come of it.
    pub expected: Option<Decision>,
    /// What came of it.
    pub actual: Option<Decision>,
    /// What kind of mismatch.
    pub mismatch_type: String,
    /// `EPERM` when the profile refused it.
    pub violation_summary: Option<String>,
    /// More words.
    pub notes: Option<String>,
}

/// The seven reasons for a mismatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MismatchReason {
    /// It is refused without a profile too.
    AmbientPlatformRestriction,
    /// Requested and observed path differ.
    CanonicalizationBoundary,
    /// An older name of the former.
    PathNormalizationSensitivity,
    /// Two anchors name one thing.
    AnchorAliasGap,
    /// What is expected is too much.
    ExpectationTooStrong,
    /// Oracle and scenario disagree.
    CapturePipelineDisagreement,
    /// The operation was not seen.
    OpNotWitnessed,
}

/// One line of `mismatch_packets.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MismatchPacket {
    /// [`crate::probe::tag::MISMATCH_PACKET`]
    pub schema_version: String,
    /// Joins with everything.
    pub expectation_id: Option<String>,
    /// Of which run.
    pub run_context: RunContext,
    /// What happened.
    pub decision_event: DecisionEvent,
    /// What should have.
    pub expected: Expected,
    /// The baseline's row for the same probe.
    pub baseline: Option<BaselineResult>,
    /// The oracle's answer.
    pub oracle_check: Option<Value>,
    /// Which path was meant.
    pub canonicalization: Option<Value>,
    /// Why, as far as the lanes say.
    pub mismatch_reason: MismatchReason,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The run of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunContext {
    /// UUID v4.
    pub run_id: String,
    /// `simulated`, `direct`, `launchd_clean`.
    pub channel: String,
    /// What it is about.
    pub world_id: String,
    /// Folder that paths are relative to.
    pub repo_root_context: String,
    /// The manifest's file.
    pub run_manifest: String,
}

/// What happened, in a packet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionEvent {
    /// Which event.
    pub scenario_id: String,
    /// Which profile.
    pub profile_id: String,
    /// Which probe.
    pub probe_name: Option<String>,
    /// The operation.
    pub operation: String,
    /// On what.
    pub target: Option<String>,
    /// As the probe gave it.
    pub requested_path: Option<String>,
    /// Behind all links.
    pub observed_path: Option<String>,
    /// The best guess at the real path.
    pub normalized_path: Option<String>,
    /// `success`, `errno`, `blocked`.
    pub runtime_status: String,
    /// Where it failed.
    pub failure_stage: Option<String>,
    /// How.
    pub failure_kind: Option<String>,
    /// What came of it.
    pub decision: Option<Decision>,
    /// Error number.
    pub errno: Option<i32>,
    /// Whether the operation was seen.
    pub intended_op_witnessed: Option<bool>,
    /// Which layer decided.
    pub policy_layers: PolicyLayers,
    /// `runtime_events.normalized.json`.
    pub source: String,
    /// Number of the filter.
    pub filter_type: Option<i64>,
    /// Its name.
    pub filter_type_name: Option<String>,
}

/// What was expected, in a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Joins with the matrix.
    pub expectation_id: Option<String>,
    /// What should have come of it.
    pub expected_decision: Option<Decision>,
    /// On what.
    pub target: Option<String>,
}
