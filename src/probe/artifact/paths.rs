//! Which paths were meant: `path_witnesses.json`, and `fixtures.json` (`spec/probe-runner.md` section 1.13).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Head;
use crate::probe::registry::Decision;

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

/// `path_witnesses.json`: which paths the targets are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathWitnesses<R = PathWitness> {
    /// [`crate::probe::tag::PATH_WITNESSES`]
    #[serde(flatten)]
    pub head: Head,
    /// Which plan.
    pub plan_id: String,
    /// Lane by lane, probe by probe.
    pub records: Vec<R>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One path in one lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathWitness {
    /// [`crate::probe::tag::PATH_WITNESS`]
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
    /// What was observed; these fields stand in the record itself.
    #[serde(flatten)]
    pub seen: PathObservation,
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
    /// [`crate::probe::tag::FIXTURES`]
    #[serde(flatten)]
    pub head: Head,
    /// One for each thing.
    pub fixtures: Vec<Value>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
