//! Documents of ours about the profiles of a run: `golden_decodes.json` and `runtime_diffs.json`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Head, ProfileStatus};
use crate::probe::registry::Decision;

/// `golden_decodes.json`: the decoded header of every profile that was run, joined to its results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GoldenDecodes {
    /// [`crate::probe::tag::GOLDEN_DECODES`]
    #[serde(flatten)]
    pub head: Head,
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
    /// Buckets, nodes and literals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<BlobContents>,
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuntimeDiffs {
    /// [`crate::probe::tag::RUNTIME_DIFFS`]
    #[serde(flatten)]
    pub head: Head,
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
    /// Operations that answer some request otherwise than before, over all requests; `None` when that was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantic: Option<Vec<ChangedOperations>>,
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

/// What a blob consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobContents {
    /// Sections with their bytes.
    pub sections: IndexMap<String, u64>,
    /// Buckets: operations by the node at which their decision starts, in the order of each one's first operation.
    pub op_table: Vec<Bucket>,
    /// Nodes by kind.
    pub nodes: Nodes,
    /// Records of the pool.
    pub literals: Literals,
}

/// Operations that start at one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The node's index.
    pub node: u16,
    /// `allow` or `deny` when the node is an answer already; `None` when it is a test.
    pub answer: Option<String>,
    /// Names, in the order of their numbers.
    pub operations: Vec<String>,
}

/// Nodes of a blob.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    /// Comparisons.
    pub tests: u64,
    /// Answers.
    pub terminals: u64,
    /// Neither.
    pub invalid: u64,
    /// Tests by filter, terminals by answer; sorted.
    pub kinds: IndexMap<String, u64>,
}

/// Records of a blob's pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Literals {
    /// All of them.
    pub count: u64,
    /// By kind; sorted.
    pub kinds: IndexMap<String, u64>,
    /// The first of them with a value that fits one line.
    pub values: Vec<Literal>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Literal {
    /// What it is.
    pub kind: String,
    /// Its value, cut to 200 characters.
    pub text: String,
    /// How many nodes and tables refer to it.
    pub users: u32,
}

/// Operations whose answers change alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedOperations {
    /// `widened`, `narrowed`, `both`, `undecided`.
    pub change: String,
    /// Which operations.
    pub operations: Vec<String>,
    /// A request that the original refuses and the shimmed profile allows, as `FILTER=VALUE`; empty for any request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widened: Option<Vec<String>>,
    /// A request that the original allows and the shimmed profile refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<Vec<String>>,
    /// Why it is undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
