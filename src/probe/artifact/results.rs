//! `runtime_results.json`: the scenario lane (`spec/probe-runner.md` section 1.6).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::PathObservation;
use crate::probe::preflight::Record as PreflightRecord;
use crate::probe::registry::Decision;
use crate::sandbox::Stage;

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
    /// [`crate::probe::tag::RUNTIME_RESULTS`]
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
