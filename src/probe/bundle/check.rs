//! Reading a bundle without trusting it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::index::files_below;
use super::{INDEX, LATEST, STATUS, is_inside, read_json, unreadable};
use crate::probe::artifact::{ArtifactIndex, RunState, RunStatus};
use crate::probe::{ProbeError, sha256_hex, tag};

/// What a bundle on disk is, without trusting it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Its folder.
    pub bundle_dir: String,
    /// Its index, if it can be read.
    pub index: Option<ArtifactIndex>,
    /// State by `run_status.json`.
    pub state: Option<RunState>,
    /// Documents or files that should be there and are not.
    pub missing: Vec<String>,
    /// Files whose bytes are not those of the index.
    pub digest_mismatches: Vec<String>,
    /// Files that the index does not name.
    pub unlisted: Vec<String>,
    /// Everything that is wrong, in words; empty for a bundle that may be used.
    pub problems: Vec<String>,
}

/// Looks at one bundle: index, status, digest of every file. Writes nothing.
///
/// # Errors
/// The folder cannot be read.
pub fn check(folder: &Path) -> Result<Check, ProbeError> {
    let found = files_below(folder)?;
    let mut check = Check {
        bundle_dir: folder.display().to_string(),
        index: None,
        state: None,
        missing: Vec::new(),
        digest_mismatches: Vec::new(),
        unlisted: Vec::new(),
        problems: Vec::new(),
    };
    match read_json::<RunStatus>(&folder.join(STATUS)) {
        Ok(status) => {
            check.state = Some(status.state);
            if status.state == RunState::InProgress {
                check.problems.push("the run is still going on or was interrupted".to_owned());
            }
            if !folder.ends_with(&status.head.run_id) {
                check.problems.push(format!("{STATUS} is of another run: {}", status.head.run_id));
            }
        }
        Err(error) => check.problems.push(error.to_string()),
    }
    let index: ArtifactIndex = match read_json(&folder.join(INDEX)) {
        Ok(index) => index,
        Err(error) => {
            check.problems.push(error.to_string());
            check.missing.push(INDEX.to_owned());
            return Ok(check);
        }
    };
    if !tag::same_kind(&index.schema_version, tag::ARTIFACT_INDEX) {
        check.problems.push(format!("{INDEX}: unexpected schema_version {}", index.schema_version));
    }
    for entry in &index.artifacts {
        if !is_inside(&entry.path) {
            check.problems.push(format!("{INDEX} names a path outside the bundle: {}", entry.path));
        } else if found.binary_search(&entry.path).is_err() {
            check.missing.push(entry.path.clone());
        } else {
            let path = folder.join(&entry.path);
            let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            if sha256_hex(&bytes) != entry.sha256 {
                check.digest_mismatches.push(entry.path.clone());
            }
        }
    }
    let named: BTreeSet<&String> = index.artifacts.iter().map(|entry| &entry.path).collect();
    let listed = |name: &String| named.contains(name) || name == INDEX;
    check.unlisted = found.into_iter().filter(|name| !listed(name)).collect();
    for required in [STATUS, "run_manifest.json", "expected_matrix.json", "mismatch_summary.json", "summary.json"] {
        if !index.artifacts.iter().any(|entry| entry.path == required) {
            check.missing.push(required.to_owned());
        }
    }
    check.problems.extend(check.missing.iter().map(|name| format!("missing: {name}")));
    check.problems.extend(check.digest_mismatches.iter().map(|name| format!("digest mismatch: {name}")));
    check.problems.extend(check.unlisted.iter().map(|name| format!("not in the index: {name}")));
    check.index = Some(index);
    Ok(check)
}

/// The folder of the bundle that `path` means: a bundle itself, or the newest committed one of an output root.
///
/// # Errors
/// There is none.
pub fn locate(path: &Path) -> Result<PathBuf, ProbeError> {
    if path.join(INDEX).is_file() || path.join(STATUS).is_file() {
        return Ok(path.to_owned());
    }
    let missing = || ProbeError::NoBundle { path: path.display().to_string() };
    let text = fs::read_to_string(path.join(LATEST)).map_err(|_| missing())?;
    let run_id = text.trim_end_matches('\n');
    let folder = path.join(run_id);
    if is_inside(run_id) && folder.is_dir() { Ok(folder) } else { Err(missing()) }
}

/// Checks a bundle and refuses one that is not complete and verified.
///
/// # Errors
/// [`ProbeError::RefusedBundle`] with everything that is wrong.
pub fn verify(folder: &Path) -> Result<Check, ProbeError> {
    let check = check(folder)?;
    if check.problems.is_empty() {
        return Ok(check);
    }
    Err(ProbeError::RefusedBundle { path: check.bundle_dir, reasons: check.problems })
}

/// What lies below an output root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// What `LATEST` names.
    pub latest: Option<String>,
    /// The process that a lock file names; it may be gone.
    pub locked_by: Option<u32>,
    /// Every folder that has a status or an index, by name.
    pub bundles: Vec<Listed>,
}

/// One bundle of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its folder's name.
    pub run_id: String,
    /// State by `run_status.json`.
    pub state: Option<RunState>,
    /// Status by the index.
    pub status: Option<String>,
    /// True when it is complete and every digest is right.
    pub verified: bool,
    /// Everything that is wrong.
    pub problems: Vec<String>,
}

/// Lists the bundles below an output root, each of them checked.
///
/// # Errors
/// The folder cannot be read.
pub fn list(root: &Path) -> Result<Listing, ProbeError> {
    let mut bundles = Vec::new();
    for entry in fs::read_dir(root).map_err(|error| unreadable(root, &error))?.flatten() {
        let folder = entry.path();
        if !folder.join(STATUS).is_file() && !folder.join(INDEX).is_file() {
            continue;
        }
        let check = check(&folder)?;
        bundles.push(Listed {
            run_id: entry.file_name().to_string_lossy().into_owned(),
            state: check.state,
            status: check.index.map(|index| index.status),
            verified: check.problems.is_empty(),
            problems: check.problems,
        });
    }
    bundles.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    let text = |name: &str| fs::read_to_string(root.join(name)).ok();
    let pid = text(super::lock::LOCK).and_then(|text| text.trim().strip_prefix("pid=")?.parse().ok());
    Ok(Listing { latest: text(LATEST).map(|text| text.trim().to_owned()), locked_by: pid, bundles })
}
