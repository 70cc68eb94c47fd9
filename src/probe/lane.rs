//! The documents of the lanes and their joins (`spec/probe-runner.md` sections 1.7 to 1.10, 1.13, 1.15), as values.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::artifact::{ApplyReport, PathObservation};
use super::preflight::Record as PreflightRecord;
use super::registry::Decision;

/// One entry of `runtime_events.normalized.json`. Fields that are `None` are left out of the document, keys are sorted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// What it is about.
    pub world_id: Option<String>,
    /// Which profile.
    pub profile_id: Option<String>,
    /// The expectation id, else `profile::name`.
    pub scenario_id: Option<String>,
    /// UUID v4.
    pub run_id: Option<String>,
    /// Joins with the matrix.
    pub expectation_id: Option<String>,
    /// The probed operation.
    pub operation: Option<String>,
    /// What it was tried on.
    pub target: Option<String>,
    /// The same for paths.
    pub requested_path: Option<String>,
    /// Behind all links.
    pub observed_path: Option<String>,
    /// `fd_path`, `error`, `unavailable`, a source of the path observation, `not_attempted`.
    pub observed_path_source: Option<String>,
    /// The best guess at the real path.
    pub normalized_path: Option<String>,
    /// `observed_path`, `alias_map`, `requested_path`.
    pub normalized_path_source: Option<String>,
    /// Name within the profile.
    pub probe_name: Option<String>,
    /// What should come of it.
    pub expected: Option<Decision>,
    /// What came of it.
    pub actual: Option<Decision>,
    /// Whether they agree.
    #[serde(rename = "match")]
    pub matches: Option<bool>,
    /// What was meant.
    pub primary_intent: Option<PrimaryIntent>,
    /// Whether the operation itself was reached.
    pub reached_primary_op: Option<bool>,
    /// Whether that was seen.
    pub intended_op_witnessed: Option<bool>,
    /// The operation that was refused first.
    pub first_denial_op: Option<String>,
    /// What it was refused for.
    pub first_denial_filters: Option<Vec<String>>,
    /// `scenario`.
    pub decision_path: Option<String>,
    /// `success`, `errno`, `blocked`.
    pub runtime_status: Option<String>,
    /// Error number.
    pub errno: Option<i32>,
    /// Its name.
    pub errno_name: Option<String>,
    /// Which layer decided.
    pub policy_layers: PolicyLayers,
    /// Something else that may explain a refused file.
    pub file_confounder: Option<FileConfounder>,
    /// Where it failed.
    pub failure_stage: Option<String>,
    /// How.
    pub failure_kind: Option<String>,
    /// How applying went.
    pub apply_report: Option<ApplyReport>,
    /// The scan.
    pub preflight: Option<PreflightRecord>,
    /// The program that did it.
    pub runner_info: Option<Value>,
    /// Callout markers.
    pub seatbelt_callouts: Option<Value>,
    /// What the probe told about itself.
    pub probe_details: Option<Value>,
    /// `EPERM` when refused.
    pub violation_summary: Option<String>,
    /// What was run.
    pub command: Option<Vec<String>>,
    /// What it printed.
    pub stdout: Option<String>,
    /// What it complained about, markers taken out.
    pub stderr: Option<String>,
    /// Which harness.
    pub harness: Option<String>,
    /// More words.
    pub notes: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a probe meant to try.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryIntent {
    /// The operation.
    pub operation: String,
    /// On what.
    pub target: String,
    /// Under which profile.
    pub profile_id: String,
    /// By which probe.
    pub probe_name: String,
}

/// Which layer of policy decided: the platform (baseline lane) or the process's profile (scenario lane).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyLayers {
    /// What happens without a profile.
    pub platform_policy: PlatformPolicy,
    /// What happens under it.
    pub process_policy: ProcessPolicy,
    /// `allow`, `deny`, `unknown`.
    pub effective_decision: String,
    /// `platform_policy`, `process_policy`, `allow`, `unknown`.
    pub attribution: String,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The baseline's side of [`PolicyLayers`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlatformPolicy {
    /// `allow`, `deny`, `unknown`.
    pub decision: String,
    /// Of the baseline row.
    pub status: Option<String>,
    /// `baseline` or `baseline_missing`.
    pub source: String,
    /// Of the baseline row.
    pub error: Option<String>,
    /// Of the baseline row.
    pub exit_code: Option<i32>,
}

/// The scenario's side of [`PolicyLayers`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessPolicy {
    /// `allow`, `deny`, `unknown`; unknown for everything before the operation.
    pub decision: String,
    /// Of the result.
    pub status: Option<String>,
    /// Of the result.
    pub failure_stage: Option<String>,
    /// Of the result.
    pub failure_kind: Option<String>,
}

/// Other layers that refuse files too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileConfounder {
    /// Error number.
    pub errno: i32,
    /// Its name.
    pub errno_name: Option<String>,
    /// `unix_permissions`, `sandbox_or_mac`, `other_errno`.
    pub classification: String,
    /// `unix_acl`, `app_sandbox`, `mac`, `sandbox_or_mac`, `unknown`.
    pub attribution: String,
}

/// `baseline_results.json`: the probes without any profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineResults {
    /// [`super::tag::BASELINE_RESULTS`]
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// Probe by probe.
    pub results: Vec<BaselineResult>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One probe without a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineResult {
    /// `baseline:<profile>:<probe>`.
    pub name: String,
    /// For which profile's probe.
    pub profile_id: String,
    /// Which probe.
    pub probe_name: String,
    /// The operation.
    pub operation: String,
    /// On what.
    pub target: String,
    /// What was meant.
    pub primary_intent: PrimaryIntent,
    /// What was run.
    pub command: Vec<String>,
    /// The path behind the target; these fields stand in the row itself.
    #[serde(flatten)]
    pub path_observation: Option<PathObservation>,
    /// `allow` iff the exit code is 0.
    pub status: Decision,
    /// How it ended.
    pub exit_code: Option<i32>,
    /// At most 200 characters.
    pub stdout: String,
    /// At most 200 characters.
    pub stderr: String,
    /// Always true: there is nothing before it.
    pub reached_primary_op: bool,
    /// `baseline`.
    pub decision_path: String,
    /// `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `oracle_results.json`: what `sandbox_check` said. Annotation only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OracleResults {
    /// [`super::tag::ORACLE_RESULTS`]
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// Callout by callout.
    pub results: Vec<OracleResult>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One callout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OracleResult {
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// Beside which probe.
    pub expectation_id: Option<String>,
    /// What was asked.
    pub operation: Option<String>,
    /// Number of the filter.
    pub filter_type: Option<i64>,
    /// Its name.
    pub filter_type_name: Option<String>,
    /// Its value.
    pub argument: Option<String>,
    /// `allow`, `deny`, `error`.
    pub decision: Option<String>,
    /// `pre_syscall`, `preflight`, `bootstrap_exec`.
    pub stage: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `path_witnesses.json`: which paths the targets are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathWitnesses {
    /// [`super::tag::PATH_WITNESSES`]
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// Which plan.
    pub plan_id: String,
    /// Lane by lane, probe by probe.
    pub records: Vec<PathWitness>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One path in one lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathWitness {
    /// [`super::tag::PATH_WITNESS`]
    pub schema_version: String,
    /// `baseline` or `scenario`.
    pub lane: String,
    /// Which profile.
    pub profile_id: String,
    /// Which event.
    pub scenario_id: String,
    /// The operation.
    pub operation: String,
    /// As the probe gave it.
    pub requested_path: String,
    /// Behind all links.
    pub observed_path: Option<String>,
    /// How it is known.
    pub observed_path_source: String,
    /// Why it is not.
    pub observed_path_errno: Option<i32>,
    /// On the data volume.
    pub observed_path_nofirmlink: Option<String>,
    /// How it is known.
    pub observed_path_nofirmlink_source: String,
    /// Why it is not.
    pub observed_path_nofirmlink_errno: Option<i32>,
    /// The best guess at the real path.
    pub normalized_path: Option<String>,
    /// `observed_path`, `requested_path`, `missing`.
    pub normalized_path_source: String,
    /// What the spellings say.
    pub canonicalization: Canonicalization,
    /// What came of it.
    pub decision: Option<Decision>,
    /// What was run.
    pub command: Vec<String>,
    /// Baseline only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Scenario only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// Scenario only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_stage: Option<String>,
    /// Scenario only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How requested and observed path differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canonicalization {
    /// One is the other behind `/tmp`, `/var` or `/etc`.
    pub alias_pair: bool,
    /// The data volume spells it differently.
    pub nofirmlink_differs: bool,
}

/// `fixtures.json`: what was put in place for a lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fixtures {
    /// [`super::tag::FIXTURES`]
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// One for each thing.
    pub fixtures: Vec<Value>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
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
    /// [`super::tag::MISMATCH_PACKET`]
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

/// `promotion_packet.json`: pointers to a bundle and whether its decisions may be used as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromotionPacket {
    /// [`super::tag::PROMOTION_PACKET`]
    pub schema_version: String,
    /// Files by role; only those that are there.
    #[serde(flatten)]
    pub pointers: Map<String, Value>,
    /// Whether and why not.
    pub promotability: Promotability,
}

/// Whether a bundle's decisions may be used as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promotability {
    /// The answer.
    pub promotable_decision_stage: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// What it hangs on.
    pub gating_inputs: GatingInputs,
}

/// What promotability hangs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatingInputs {
    /// Only `launchd_clean` is promotable.
    pub channel: Option<String>,
    /// Whether the apply-only check was made.
    pub apply_preflight_present: bool,
    /// Whether it went well.
    pub apply_ok: Option<bool>,
    /// Whether the runner was sandboxed itself.
    pub sandbox_check_self: Option<Value>,
}

/// `repair_log.json`: what reindexing changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepairLog {
    /// [`super::tag::REPAIR_LOG`]
    pub schema_version: String,
    /// Which bundle.
    pub bundle_dir: String,
    /// When.
    pub repaired_at_unix: f64,
    /// What was wrong.
    pub before: Faults,
    /// What is wrong still.
    pub after: Faults,
}

/// What is wrong with an index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Files that are not there.
    pub missing: Vec<String>,
    /// Files with other bytes.
    pub digest_mismatches: Vec<String>,
}
