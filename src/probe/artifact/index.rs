//! `artifact_index.json` and `repair_log.json` (`spec/probe-runner.md` section 1.12).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `artifact_index.json`: the commit of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactIndex {
    /// [`crate::probe::tag::ARTIFACT_INDEX`]
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

/// `repair_log.json`: what reindexing changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepairLog {
    /// [`crate::probe::tag::REPAIR_LOG`]
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
