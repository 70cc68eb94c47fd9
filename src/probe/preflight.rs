//! The scan for profiles that are known not to apply (`spec/probe-runner.md` section 4.1).
//!
//! Two rules and no more: in text, a `(deny OPERATION …)` directly inside an `(apply-message-filter …)`; for blobs, a list of
//! digests. Nothing is compiled and no import is followed, so "no known signature" is no promise.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{WORLD_ID, sha256_hex};
use crate::syntax::{self, Atom, NodeId, SyntaxLimits, Tree};

/// How a scanned file is classed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// A known signature was found.
    LikelyApplyGatedForHarnessIdentity,
    /// None was found.
    NoKnownApplyGateSignature,
    /// It cannot be read.
    Invalid,
    /// It is nothing that can be scanned.
    Unsupported,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Finding {
    /// In text.
    MessageFilter {
        /// `allow` or `deny` of the nearest rule around it.
        outer_action: Option<String>,
        /// That rule's operation.
        outer_operation: Option<String>,
        /// What the message filter denies.
        denied_operation: String,
    },
    /// For a blob.
    Digest {
        /// SHA-256 of the file.
        blob_sha256: String,
        /// Whether it is in the list.
        matched: bool,
    },
}

/// What is known of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureMeta {
    /// `partial` while the list is not complete.
    pub status: String,
    /// Where it is from.
    pub pointers: Vec<String>,
}

/// One line of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who scanned.
    pub tool: String,
    /// 1
    pub preflight_schema_version: u32,
    /// What the scan is about.
    pub world_id: String,
    /// `sbpl_text`, `sbpl_path`, `sbpl_blob_path` or `path`.
    pub input_kind: String,
    /// The file, as it was named.
    pub input_ref: String,
    /// The verdict.
    pub classification: Classification,
    /// Name of what was found.
    pub signature: Option<String>,
    /// Each place.
    pub findings: Vec<Finding>,
    /// What is known of the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_meta: Option<SignatureMeta>,
    /// Why it is invalid or unsupported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

const TEXT_SIGNATURE: &str = "deny_message_filter";
const DIGEST_SIGNATURE: &str = "apply_gate_blob_digest";

/// Digests of blobs that macOS 14.4.1 refused to apply; of some only the first 32 bits are known.
const GATED_DIGESTS: &[&str] = &[
    "33d1a72e709f86f7827cb6e5a919a30cc86a3d0ea6e048b2117d0240a923467e",
    "4043e71f",
    "a450d277",
    "d39f451b",
    "62d86920",
    "67871c25",
];

impl Record {
    fn new(input_kind: &str, input_ref: &str, classification: Classification) -> Self {
        Self {
            tool: "sbpl-preflight".to_owned(),
            preflight_schema_version: 1,
            world_id: WORLD_ID.to_owned(),
            input_kind: input_kind.to_owned(),
            input_ref: input_ref.to_owned(),
            classification,
            signature: None,
            findings: Vec::new(),
            signature_meta: None,
            error: None,
            extra: Map::new(),
        }
    }

    fn invalid(input_kind: &str, input_ref: &str, error: String) -> Self {
        Self { error: Some(error), ..Self::new(input_kind, input_ref, Classification::Invalid) }
    }

    /// True when the profile should not be run.
    pub fn is_gated(&self) -> bool {
        self.classification == Classification::LikelyApplyGatedForHarnessIdentity
    }

    /// The record of a file that could not be read.
    pub fn unreadable(path: &str, reason: &str) -> Self {
        Self::invalid(kind_of(path), path, reason.to_owned())
    }
}

fn kind_of(path: &str) -> &'static str {
    if path.ends_with(".sb.bin") {
        "sbpl_blob_path"
    } else if path.ends_with(".sb") {
        "sbpl_path"
    } else {
        "path"
    }
}

/// Scans a file by what its name says it is.
pub fn scan_file(path: &str, bytes: &[u8]) -> Record {
    match kind_of(path) {
        "sbpl_blob_path" => scan_blob(path, bytes),
        "sbpl_path" => scan_text("sbpl_path", path, bytes),
        other => {
            let error = "expected a name that ends in .sb or .sb.bin".to_owned();
            Record { error: Some(error), ..Record::new(other, path, Classification::Unsupported) }
        }
    }
}

/// Scans text. `input_kind` is `sbpl_path` for a file and `sbpl_text` for text from elsewhere.
pub fn scan_text(input_kind: &str, input_ref: &str, text: &[u8]) -> Record {
    let parsed = syntax::parse(text, &SyntaxLimits::default());
    if let Some(error) = parsed.errors.first() {
        return Record::invalid(input_kind, input_ref, error.to_string());
    }
    let findings = message_filter_denies(&parsed.tree);
    if findings.is_empty() {
        return Record::new(input_kind, input_ref, Classification::NoKnownApplyGateSignature);
    }
    Record {
        signature: Some(TEXT_SIGNATURE.to_owned()),
        findings,
        ..Record::new(input_kind, input_ref, Classification::LikelyApplyGatedForHarnessIdentity)
    }
}

fn scan_blob(path: &str, bytes: &[u8]) -> Record {
    let digest = sha256_hex(bytes);
    let matched = GATED_DIGESTS.iter().any(|known| digest.starts_with(known));
    let meta = SignatureMeta { status: "partial".to_owned(), pointers: vec!["docs/preflight.md".to_owned()] };
    let record = Record {
        findings: vec![Finding::Digest { blob_sha256: digest, matched }],
        signature_meta: Some(meta),
        ..Record::new("sbpl_blob_path", path, Classification::NoKnownApplyGateSignature)
    };
    if !matched {
        return record;
    }
    Record {
        classification: Classification::LikelyApplyGatedForHarnessIdentity,
        signature: Some(DIGEST_SIGNATURE.to_owned()),
        ..record
    }
}

fn message_filter_denies(tree: &Tree) -> Vec<Finding> {
    let filters = tree.nodes().filter(|&node| tree.head(node) == Some(b"apply-message-filter"));
    let denies = filters.flat_map(|filter| {
        let outer = outer_rule(tree, filter);
        tree.children(filter).filter_map(move |child| {
            let denied_operation = rule_operation(tree, child, &[b"deny"])?.1;
            let (outer_action, outer_operation) = outer.clone().unzip();
            Some(Finding::MessageFilter { outer_action, outer_operation, denied_operation })
        })
    });
    denies.collect()
}

/// The nearest `(allow OPERATION …)` or `(deny OPERATION …)` around a node.
fn outer_rule(tree: &Tree, node: NodeId) -> Option<(String, String)> {
    std::iter::successors(tree.parent(node), |&node| tree.parent(node))
        .find_map(|node| rule_operation(tree, node, &[b"allow", b"deny"]))
}

/// Action and operation of a list that starts with one of `actions` and an atom.
fn rule_operation(tree: &Tree, node: NodeId, actions: &[&[u8]]) -> Option<(String, String)> {
    let action = tree.head(node).filter(|head| actions.contains(head))?;
    let operation = tree.children(node).nth(1)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let operation = match tree.datum(operation)? {
        Atom::String(value) => text(&value),
        _ => text(tree.source(operation)),
    };
    Some((text(action), operation))
}
