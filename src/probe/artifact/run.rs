//! The documents of the run itself: `run_status.json`, `run_manifest.json`, `summary.json` (`spec/probe-runner.md` sections 1.11 and
//! 1.14).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Head, RunHead};
use crate::probe::plan::Lanes;

/// `run_status.json`: where a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// [`crate::probe::tag::RUN_STATUS`]
    #[serde(flatten)]
    pub head: RunHead,
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
    /// [`crate::probe::tag::RUN_MANIFEST`]
    #[serde(flatten)]
    pub head: RunHead,
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
    /// The system it ran on (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// The part of the plan that was asked for; `None` for all of it (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Selection>,
    /// Backend that ran it (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// What shows that the channel is the clean one (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_proof: Option<Value>,
    /// Longest time of a probe under its profile, in seconds; half of it without. `None`: nothing is executed (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<f64>,
    /// The world that paths are judged in, as a world file has it. `None`: the system's own (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<Value>,
    /// Version of this tool (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The system that a run was made on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `macos`, `linux` …
    pub os: String,
    /// Version of the system.
    pub version: Option<String>,
    /// Its build.
    pub build: Option<String>,
    /// `aarch64`, `x86_64` …
    pub arch: String,
    /// Whether all of System Integrity Protection is on; `None` where there is none or it is not known.
    pub sip: Option<bool>,
    /// Who says so: `csr_get_active_config`, or `not_available`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_source: Option<String>,
    /// One bit a protection that is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_config: Option<u32>,
}

/// A part of a plan. An empty list means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Profile ids.
    pub profiles: Vec<String>,
    /// Expectation ids.
    pub scenarios: Vec<String>,
}

/// `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`crate::probe::tag::SUMMARY`]
    #[serde(flatten)]
    pub head: Head,
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
