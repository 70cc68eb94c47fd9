//! `apply_preflight.json`: can a profile be put in force here at all?

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ApplyReport, Head};

/// The apply-only check of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplyPreflight {
    /// [`crate::probe::tag::APPLY_PREFLIGHT`]
    #[serde(flatten)]
    pub head: Head,
    /// The profile, as the plan names it.
    pub profile: String,
    /// The program that put it in force; `None` when there is none.
    pub runner: Option<String>,
    /// Whether the process that runs the plan has a profile itself: `{source, rc, sandboxed}` or `{source, error}`.
    pub sandbox_check_self: Value,
    /// `ok` or `error`.
    pub status: String,
    /// `missing_preflight_profile`, `missing_sandbox_runner`, `timeout`, or words.
    pub error: Option<String>,
    /// What was run.
    pub command: Vec<String>,
    /// How it ended; negative for a signal.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about, markers taken out.
    pub stderr: String,
    /// How applying went.
    pub apply_report: Option<ApplyReport>,
    /// The process that applied it.
    pub apply_marker_pid: Option<u32>,
    /// Whether it is in force; `None` when that was not tried.
    pub apply_ok: Option<bool>,
    /// `apply` when that failed.
    pub failure_stage: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `observer_results.json`, a document of ours: what the system's log says about the time of the run. Annotation only; an
/// observer that saw nothing is no witness for anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObserverResults {
    /// [`crate::probe::tag::OBSERVER_RESULTS`]
    #[serde(flatten)]
    pub head: Head,
    /// `witness`, `no_witness`, `unavailable`.
    pub status: String,
    /// Why nothing was seen.
    pub reason: Option<String>,
    /// What was asked.
    pub command: Vec<String>,
    /// Other words of the sandbox, such as a message filter that lacks its entitlement.
    pub notices: Vec<Value>,
    /// Probe by probe.
    pub results: Vec<ObserverResult>,
    /// Entries of the profile layer from processes that are no probes.
    pub unmatched: u64,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What the log says about one probe's process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObserverResult {
    /// Beside which probe.
    pub expectation_id: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// Whether the log has an entry of it. `false` says nothing about a denial.
    pub witness: bool,
    /// Those entries.
    pub entries: Vec<Value>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
