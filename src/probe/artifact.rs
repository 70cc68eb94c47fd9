//! The documents of a bundle (`spec/probe-runner.md` sections 1.6 to 1.15), as values.
//!
//! Fields that are `null` in a document are `None` here and written as `null`, unless the document leaves them out.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::plan::Lanes;
use super::preflight::Record as PreflightRecord;
use super::registry::Decision;
use crate::sandbox::Stage;

/// `run_status.json`: where a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// [`super::tag::RUN_STATUS`]
    pub schema_version: String,
    /// UUID v4.
    pub run_id: String,
    /// What it is about.
    pub world_id: String,
    /// `simulated`, `direct`, `launchd_clean`.
    pub channel: String,
    /// Which plan.
    pub plan_id: String,
    /// Its digest.
    pub plan_digest: String,
    /// How far.
    pub state: RunState,
    /// The process that writes.
    pub writer_pid: u32,
    /// When this was written.
    pub updated_at_unix: f64,
    /// Why it failed.
    pub error: Option<String>,
    /// `exception` when it failed.
    pub failure_stage: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// States of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Being written, or interrupted.
    InProgress,
    /// All there.
    Complete,
    /// Ended with an error.
    Failed,
}

/// `run_manifest.json`: what was run, where and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// [`super::tag::RUN_MANIFEST`]
    pub schema_version: String,
    /// UUID v4.
    pub run_id: String,
    /// What it is about.
    pub world_id: String,
    /// `simulated`, `direct`, `launchd_clean`.
    pub channel: String,
    /// Which plan.
    pub plan_id: String,
    /// Its digest.
    pub plan_digest: String,
    /// True when nothing was run.
    pub dry_run: bool,
    /// True when the tree was copied to a clean place.
    pub stage_used: bool,
    /// That place.
    pub stage_root: Option<String>,
    /// Folder that paths are relative to.
    pub repo_root_context: String,
    /// Output in the clean place.
    pub staged_output_root: Option<String>,
    /// The root that holds `LATEST`.
    pub output_root: String,
    /// The apply-only check.
    pub apply_preflight: Option<Value>,
    /// Backend that ran it (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Version of this tool (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `runtime_results.json`: by profile id.
pub type RuntimeResults = IndexMap<String, ProfileResult>;

/// How a profile did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileStatus {
    /// Every probe is as expected.
    Ok,
    /// Some are not.
    Partial,
    /// The profile was never in force for a probe.
    Blocked,
}

/// One profile's results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileResult {
    /// How it did.
    pub status: ProfileStatus,
    /// Why it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The text that was applied.
    pub profile_path: Option<String>,
    /// The text it was made of.
    pub base_profile_path: Option<String>,
    /// The scan.
    pub preflight: Option<PreflightRecord>,
    /// Stage at which it was expected to be blocked (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_block: Option<Stage>,
    /// How each stage went for the profile (ours).
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub stages: IndexMap<Stage, StageReport>,
    /// Probe by probe.
    pub probes: Vec<ProbeResult>,
    /// [`super::tag::RUNTIME_RESULTS`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<String>,
    /// UUID v4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How one stage went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageReport {
    /// Whether it went well.
    pub status: StageStatus,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it left, for the stage *compile*: file, size, digest.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub facts: Map<String, Value>,
}

/// How one stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// It went well.
    Ok,
    /// It stopped the profile.
    Blocked,
    /// It failed, and what comes after does not hang on it.
    Failed,
    /// An earlier stage stopped the profile.
    NotReached,
    /// The backend has no such stage.
    NotApplicable,
}

/// One probe's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Name within the profile.
    pub name: Option<String>,
    /// Joins expectation and result.
    pub expectation_id: Option<String>,
    /// The anchor it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_ctx_id: Option<String>,
    /// The probed operation.
    pub operation: String,
    /// The target.
    pub path: Option<String>,
    /// What should come of it.
    pub expected: Option<Decision>,
    /// What came of it; `None` when nothing was decided.
    pub actual: Option<Decision>,
    /// Whether they agree; an expected block agrees. `None` when nothing can be said.
    #[serde(rename = "match")]
    pub matches: Option<bool>,
    /// The furthest stage (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// How each stage went (ours).
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub stages: IndexMap<Stage, StageStatus>,
    /// The compatible view of what happened.
    pub runtime_result: RuntimeResult,
    /// `EPERM` when the profile refused it.
    pub violation_summary: Option<String>,
    /// The path behind the target, seen without a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_observation: Option<PathObservation>,
    /// What would do it again.
    pub command: Vec<String>,
    /// How the probe program ended; negative for a signal.
    pub exit_code: Option<i32>,
    /// What it printed, markers included.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// What it told about itself.
    pub probe_details: Option<Value>,
    /// Start, Unix seconds.
    pub cmd_started_at_unix_s: f64,
    /// End, Unix seconds.
    pub cmd_finished_at_unix_s: f64,
    /// Seconds.
    pub cmd_duration_s: f64,
    /// Who decided (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
    /// Why nothing was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Who decided a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedBy {
    /// The operation that was asked in the end.
    pub operation: String,
    /// About what.
    pub argument: String,
    /// The rule's text, cut to one line; `None` when no rule of the text decided.
    pub rule: Option<String>,
    /// Its file, for a rule.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// Its column, from 1.
    pub column: Option<u32>,
}

/// `path_observation` of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathObservation {
    /// Behind all links.
    pub observed_path: Option<String>,
    /// How it is known: `unsandboxed_fd_path`, `unsandboxed_error`, `simulated_world`.
    pub observed_path_source: String,
    /// Why it is not known.
    pub observed_path_errno: Option<i32>,
    /// On the data volume.
    pub observed_path_nofirmlink: Option<String>,
    /// As above, and `unsandboxed_unavailable`.
    pub observed_path_nofirmlink_source: String,
    /// Why it is not known.
    pub observed_path_nofirmlink_errno: Option<i32>,
    /// Links on the way (ours).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symlinks_traversed: Vec<String>,
}

/// `runtime_result` of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeResult {
    /// `success`, `errno`, `blocked`.
    pub status: String,
    /// The error number of the operation; older documents may have the exit code here.
    pub errno: Option<i32>,
    /// 1
    pub runtime_result_schema_version: u32,
    /// 2
    pub tool_marker_schema_version: u32,
    /// `preflight`, `apply`, `bootstrap`, `probe`, or ours: `compile`.
    pub failure_stage: Option<String>,
    /// The kind within the stage.
    pub failure_kind: Option<String>,
    /// How applying went.
    pub apply_report: Option<ApplyReport>,
    /// The program that did it.
    pub runner_info: Option<Value>,
    /// Callout markers.
    pub seatbelt_callouts: Option<Value>,
    /// Whether the operation was reached.
    pub intended_op_witnessed: Option<bool>,
    /// What was asked of `sandbox_check`.
    pub sandbox_check_request: Option<Value>,
    /// Open descriptors and such.
    pub resource_hygiene: Option<Value>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How applying went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyReport {
    /// `sandbox_init`, `sandbox_apply`, `simulated`.
    pub api: String,
    /// 0 or -1.
    pub rc: i32,
    /// Error number.
    pub errno: Option<i32>,
    /// Its words.
    pub errbuf: Option<String>,
    /// `ok`, `already_sandboxed`, `errno_eperm`, `errno_eacces`, `errno_other`, `unknown`.
    pub err_class: String,
    /// How the class is known.
    pub err_class_source: String,
}

/// `golden_decodes.json`: the decoded header of every profile that was run, joined to its results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenDecodes {
    /// [`super::tag::GOLDEN_DECODES`]
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// By profile id.
    pub decodes: IndexMap<String, Decode>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One decoded profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decode {
    /// The text.
    pub profile_path: String,
    /// The compiled file.
    pub blob_path: Option<String>,
    /// Its digest.
    pub sha256: Option<String>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// Its header, under our names.
    pub header: Option<Value>,
    /// Its header, under the names of the older notes.
    pub legacy: Option<Value>,
    /// Why there is no header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How it did.
    pub status: ProfileStatus,
    /// Expectation by expectation.
    pub results: Vec<DecodeResult>,
}

/// One result in [`Decode`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecodeResult {
    /// Joins with `runtime_results.json` and `expected_matrix.json`.
    pub expectation_id: Option<String>,
    /// What should come of it.
    pub expected: Option<Decision>,
    /// What came of it.
    pub actual: Option<Decision>,
    /// Whether they agree.
    #[serde(rename = "match")]
    pub matches: Option<bool>,
}

/// `runtime_diffs.json`: what the shims changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeDiffs {
    /// [`super::tag::RUNTIME_DIFFS`]
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// By profile id.
    pub profiles: IndexMap<String, ProfileDiff>,
}

/// What the shims changed in one profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileDiff {
    /// Unified diff of the texts.
    pub text: String,
    /// Names of the shims, in order.
    pub shims: Vec<String>,
    /// Rules that differ after evaluation.
    pub rules: Vec<ChangedRule>,
    /// Why there are no rules to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One rule that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedRule {
    /// `removed`, `added`, `moved`, `action`, `modifiers`.
    pub change: String,
    /// The rule of the original, on one line.
    pub before: Option<String>,
    /// The rule of the shimmed profile, on one line.
    pub after: Option<String>,
    /// In the lists of which operations.
    pub operations: Vec<String>,
}

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

/// `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`super::tag::SUMMARY`]
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
    /// `ok`, `partial`, `failed`, `dry`.
    pub status: String,
    /// Which plan.
    pub plan_id: String,
    /// Its digest.
    pub plan_digest: String,
    /// `simulated`, `direct`, `launchd_clean`.
    pub channel: String,
    /// Lanes of the plan.
    pub lanes: Lanes,
    /// Profiles that were run.
    pub profile_count: u64,
    /// Probes that were run.
    pub scenario_count: u64,
    /// Profiles of the plan.
    pub expected_profiles: Vec<String>,
    /// How many mismatches of each type.
    pub mismatch_counts: IndexMap<String, u64>,
    /// True when nothing was run.
    pub dry_run: bool,
    /// Backend that ran it (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Probes that are as expected, expected blocks included (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_count: Option<u64>,
    /// Of them, expected blocks (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_block_count: Option<u64>,
    /// The bundle's folder (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_dir: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `artifact_index.json`: the commit of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactIndex {
    /// [`super::tag::ARTIFACT_INDEX`]
    pub schema_version: String,
    /// UUID v4.
    pub run_id: String,
    /// What it is about.
    pub world_id: String,
    /// Files, the documents first.
    pub artifacts: Vec<ArtifactEntry>,
    /// Documents that are not there.
    pub missing: Vec<String>,
    /// `ok`, `partial`, `failed`.
    pub status: String,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactEntry {
    /// Relative to the bundle.
    pub path: String,
    /// In bytes.
    pub file_size: u64,
    /// 64 hex digits.
    pub sha256: String,
    /// The document's own tag.
    pub schema_version: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
