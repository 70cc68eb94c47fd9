//! Bundles on disk: one folder a run, written so that it is complete or recognisably not (`spec/probe-runner.md` 1.1, 1.12).
//!
//! **Invariants:** one writer at a time holds `.runtime.lock` of the root. Every file appears under its name with all its bytes
//! or not at all. `artifact_index.json` is written after every file it names, `LATEST` after the index. No path of a document
//! leads out of the bundle.

mod check;
mod index;
mod json;
mod lock;
mod write;

pub use check::{Check, Listed, Listing, check, list, locate, verify};
pub use index::{Reindexed, reindex};
pub use write::Writer;

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use super::artifact::RuntimeResults;
use super::error::ProbeError;

/// Name of the index, the commit of a bundle.
pub const INDEX: &str = "artifact_index.json";
/// Name of the pointer to the newest committed bundle.
pub const LATEST: &str = "LATEST";
/// Name of the status.
pub const STATUS: &str = "run_status.json";

/// The documents of a bundle in the order of the index.
pub const DOCUMENTS: &[&str] = &[
    STATUS,
    "run_manifest.json",
    "apply_preflight.json",
    "baseline_results.json",
    "path_witnesses.json",
    "fixtures.json",
    "expected_matrix.generated.json",
    "expected_matrix.json",
    "runtime_results.json",
    "runtime_events.normalized.json",
    "mismatch_summary.json",
    "mismatch_packets.jsonl",
    "oracle_results.json",
    "summary.json",
    "summary.md",
];

fn not_written(path: &Path, error: &std::io::Error) -> ProbeError {
    ProbeError::NotWritten { path: path.display().to_string(), reason: words(error) }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ProbeError {
    ProbeError::Unreadable { path: path.display().to_string(), reason: words(error) }
}

/// The system's words without the number that Rust adds.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// True for a relative path that stays inside: only normal components.
fn is_inside(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|component| matches!(component, Component::Normal(_)))
}

/// What the probes of a bundle came to, by profile.
///
/// # Errors
/// The document cannot be read, or does not have its shape.
pub fn results(folder: &Path) -> Result<RuntimeResults, ProbeError> {
    read_json(&folder.join("runtime_results.json"))
}

/// Reads a JSON document of at most 256 MiB.
pub(crate) fn read_json<T: for<'de> serde::Deserialize<'de>>(path: &Path) -> Result<T, ProbeError> {
    const LIMIT: u64 = 256 << 20;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(LIMIT).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ProbeError::Shape { document: path.display().to_string(), reason: error.to_string() })
}
