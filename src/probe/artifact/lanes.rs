//! The lanes beside the scenario: `baseline_results.json` and `oracle_results.json` (`spec/probe-runner.md` sections 1.8 and 1.9).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Head, PathObservation, PrimaryIntent};
use crate::probe::registry::Decision;

/// A lane's document: its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaneResults<R> {
    /// [`crate::probe::tag::BASELINE_RESULTS`] or [`crate::probe::tag::ORACLE_RESULTS`].
    #[serde(flatten)]
    pub head: Head,
    /// Row by row.
    pub results: Vec<R>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `baseline_results.json`: the probes without any profile.
pub type BaselineResults = LaneResults<BaselineResult>;

/// `oracle_results.json`: what `sandbox_check` said. Annotation only.
pub type OracleResults = LaneResults<OracleResult>;

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
