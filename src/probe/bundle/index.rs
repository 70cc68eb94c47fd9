//! `artifact_index.json`: every file with its digest, and making it again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::json::to_json;
use super::write::replace;
use super::{DOCUMENTS, INDEX, STATUS, check, read_json, unreadable};
use crate::probe::artifact::{ArtifactEntry, ArtifactIndex, Faults, RepairLog, RunStatus};

use crate::probe::{ProbeError, sha256_hex, tag};

/// What making an index again came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reindexed {
    /// What was wrong before, and what is wrong still.
    pub log: RepairLog,
    /// True when the index was written.
    pub written: bool,
}

/// Compares the index of a bundle with its files; with `repair` writes it again, after a `repair_log.json` that says what was
/// wrong. A bundle whose run was interrupted stays refused: its status says so.
///
/// # Errors
/// The folder or its status cannot be read, or something cannot be written.
pub fn reindex(folder: &Path, repair: bool, now: f64) -> Result<Reindexed, ProbeError> {
    let before = check(folder)?;
    let faults = |check: &super::Check| Faults {
        missing: check.missing.clone(),
        digest_mismatches: check.digest_mismatches.clone(),
    };
    let mut log = RepairLog {
        schema_version: tag::REPAIR_LOG.to_owned(),
        bundle_dir: before.bundle_dir.clone(),
        repaired_at_unix: now,
        before: faults(&before),
        after: faults(&before),
    };
    if !repair {
        return Ok(Reindexed { log, written: false });
    }
    let status: RunStatus = read_json(&folder.join(STATUS))?;
    let outcome = before.index.as_ref().map_or("partial", |index| index.status.as_str());
    let write = |name: &str, text: Vec<u8>| replace(&folder.join(name), true, |file| file.write_all(&text));
    // What the log says is "after" is what an index of the files as they are leaves missing: nothing differs from it.
    let missing = index_of(folder, &status.head.run_id, &status.head.world_id, outcome)?.missing;
    log.after = Faults {
        missing: missing.into_iter().filter(|name| log.before.missing.contains(name)).collect(),
        digest_mismatches: Vec::new(),
    };
    write("repair_log.json", to_json("repair_log.json", &log)?)?;
    let index = index_of(folder, &status.head.run_id, &status.head.world_id, outcome)?;
    write(INDEX, to_json(INDEX, &index)?)?;
    Ok(Reindexed { log, written: true })
}

/// Lists every file of a bundle as it is on disk.
fn index_of(folder: &Path, run_id: &str, world_id: &str, status: &str) -> Result<ArtifactIndex, ProbeError> {
    let names = files_below(folder)?.into_iter().filter(|name| name != INDEX);
    let entries = names.map(|name| entry(folder, &name)).collect::<Result<_, _>>()?;
    Ok(index_with(entries, run_id, world_id, status))
}

/// The index of these files: the documents in their order, then the rest by name.
pub(super) fn index_with(
    mut artifacts: Vec<ArtifactEntry>,
    run_id: &str,
    world_id: &str,
    status: &str,
) -> ArtifactIndex {
    let rank = |name: &String| DOCUMENTS.iter().position(|known| known == name).unwrap_or(DOCUMENTS.len());
    artifacts.sort_by(|a, b| (rank(&a.path), &a.path).cmp(&(rank(&b.path), &b.path)));
    let missing = DOCUMENTS.iter().filter(|known| !artifacts.iter().any(|entry| entry.path == **known));
    ArtifactIndex {
        schema_version: tag::ARTIFACT_INDEX.to_owned(),
        run_id: run_id.to_owned(),
        world_id: world_id.to_owned(),
        missing: missing.map(|name| (*name).to_owned()).collect(),
        artifacts,
        status: status.to_owned(),
        extra: Default::default(),
    }
}

fn entry(folder: &Path, name: &str) -> Result<ArtifactEntry, ProbeError> {
    let path = folder.join(name);
    let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
    let schema_version = if name.ends_with(".json") {
        serde_json::from_slice::<Value>(&bytes)
            .ok()
            .and_then(|value| Some(value.get("schema_version")?.as_str()?.to_owned()))
    } else {
        None
    };
    Ok(entry_of(name, &bytes, schema_version))
}

fn entry_of(name: &str, bytes: &[u8], schema_version: Option<String>) -> ArtifactEntry {
    ArtifactEntry {
        path: name.to_owned(),
        file_size: bytes.len() as u64,
        sha256: sha256_hex(bytes),
        schema_version,
        extra: Default::default(),
    }
}

pub(super) fn files_below(folder: &Path) -> Result<Vec<String>, ProbeError> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        let path = folder.join(&relative);
        for item in fs::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let item = item.map_err(|error| unreadable(&path, &error))?;
            let name = relative.join(item.file_name());
            let kind = item.file_type().map_err(|error| unreadable(&item.path(), &error))?;
            if kind.is_dir() {
                folders.push(name);
            } else if let Some(name) = name.to_str().filter(|name| !name.contains(".writing-")) {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}
