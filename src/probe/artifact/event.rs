//! `runtime_events.normalized.json`: the join of the lanes (`spec/probe-runner.md` section 1.7).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ApplyReport;
use crate::probe::preflight::Record as PreflightRecord;
use crate::probe::registry::Decision;

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
