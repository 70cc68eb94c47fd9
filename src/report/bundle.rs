//! What the page shows of a bundle, read once and verified.

use std::fs;
use std::path::Path;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use crate::probe::artifact::MismatchPacket;
use crate::probe::artifact::{
    ArtifactIndex, BaselineResults, MismatchSummary, ObserverResults, OracleResults, RunManifest, RunStatus,
    RuntimeDiffs, RuntimeResults, Summary,
};
use crate::probe::bundle::{self, STATUS};
use crate::probe::{ProbeError, sha256_hex};

/// The documents of a run, and the texts that were put in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// `run_status.json`
    pub status: RunStatus,
    /// `run_manifest.json`
    pub manifest: RunManifest,
    /// `summary.json`
    pub summary: Summary,
    /// `runtime_results.json`; empty when nothing was run.
    pub results: RuntimeResults,
    /// `mismatch_summary.json`
    pub mismatches: MismatchSummary,
    /// `mismatch_packets.jsonl`
    pub packets: Vec<MismatchPacket>,
    /// `baseline_results.json`, when that lane was on.
    pub baseline: Option<BaselineResults>,
    /// `oracle_results.json`, when that lane was on.
    pub oracle: Option<OracleResults>,
    /// `observer_results.json`; only backends with an observer write one.
    pub observer: Option<ObserverResults>,
    /// `runtime_diffs.json`; other tools write none.
    pub diffs: Option<RuntimeDiffs>,
    /// The profiles that were put in force, by their path in the bundle.
    pub profiles: IndexMap<String, Vec<u8>>,
}

impl Bundle {
    /// Reads the bundle in `folder`.
    ///
    /// # Errors
    /// [`ProbeError::RefusedBundle`] when it is not complete or a file is not what the index says, with the file's name;
    /// [`ProbeError::Shape`] when a document does not have its shape.
    pub fn load(folder: &Path) -> Result<Self, ProbeError> {
        let check = bundle::verify(folder)?;
        let refused =
            |reason: String| ProbeError::RefusedBundle { path: check.bundle_dir.clone(), reasons: vec![reason] };
        let index = check.index.as_ref().ok_or_else(|| refused("no index".to_owned()))?;
        let files = Files { folder, index };
        let needed = |name: &str| refused(format!("missing: {name}"));
        let results: RuntimeResults = files.document("runtime_results.json")?.unwrap_or_default();
        let mut profiles = IndexMap::new();
        for path in results.values().filter_map(|result| result.profile_path.as_deref()) {
            if let Some(bytes) = files.bytes(path)? {
                profiles.insert(path.to_owned(), bytes);
            }
        }
        Ok(Self {
            status: files.document(STATUS)?.ok_or_else(|| needed(STATUS))?,
            manifest: files.document("run_manifest.json")?.ok_or_else(|| needed("run_manifest.json"))?,
            summary: files.document("summary.json")?.ok_or_else(|| needed("summary.json"))?,
            mismatches: files.document("mismatch_summary.json")?.ok_or_else(|| needed("mismatch_summary.json"))?,
            packets: files.lines("mismatch_packets.jsonl")?,
            baseline: files.document("baseline_results.json")?,
            oracle: files.document("oracle_results.json")?,
            observer: files.document("observer_results.json")?,
            diffs: files.document("runtime_diffs.json")?,
            results,
            profiles,
        })
    }
}

/// The files that the index names.
struct Files<'a> {
    folder: &'a Path,
    index: &'a ArtifactIndex,
}

impl Files<'_> {
    /// A file's bytes; `None` when the index does not name it. What is read is verified once more: the bytes that are shown
    /// are the bytes that the index means, whatever happens to the folder meanwhile.
    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, ProbeError> {
        let Some(entry) = self.index.artifacts.iter().find(|entry| entry.path == name) else { return Ok(None) };
        let path = self.folder.join(name);
        let refused = |reason: String| ProbeError::RefusedBundle {
            path: self.folder.display().to_string(),
            reasons: vec![format!("{reason}: {name}")],
        };
        let bytes = fs::read(&path).map_err(|error| refused(error.to_string()))?;
        if sha256_hex(&bytes) != entry.sha256 {
            return Err(refused("digest mismatch".to_owned()));
        }
        Ok(Some(bytes))
    }

    fn document<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ProbeError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| shape(name, &error))
    }

    fn lines<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, ProbeError> {
        let bytes = self.bytes(name)?.unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(|error| shape(name, &error))).collect()
    }
}

fn shape(name: &str, error: &serde_json::Error) -> ProbeError {
    ProbeError::Shape { document: name.to_owned(), reason: error.to_string() }
}
