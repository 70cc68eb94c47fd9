//! Bundles on disk: one folder a run, written so that it is complete or recognisably not (`spec/probe-runner.md` 1.1, 1.12).
//!
//! **Invariants:** one writer at a time holds `.runtime.lock` of the root. Every file appears under its name with all its bytes
//! or not at all. `artifact_index.json` is written after every file it names, `LATEST` after the index. No path of a document
//! leads out of the bundle.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::artifact::{ArtifactEntry, ArtifactIndex, RunState, RunStatus};
use super::error::ProbeError;
use super::{sha256_hex, tag};

/// Name of the index, the commit of a bundle.
pub const INDEX: &str = "artifact_index.json";
/// Name of the pointer to the newest committed bundle.
pub const LATEST: &str = "LATEST";
/// Name of the status.
pub const STATUS: &str = "run_status.json";
const LOCK: &str = ".runtime.lock";

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

/// The lock of an output root; given back when dropped, and by the system when the process dies.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(root: &Path, pid: u32) -> Result<Self, ProbeError> {
        let path = root.join(LOCK);
        loop {
            let mut options = File::options();
            let mut file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(|error| not_written(&path, &error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    // Who holds it is a courtesy; the lock is what counts.
                    let _ = (&file).take(64).read_to_string(&mut text);
                    let pid = text.trim().strip_prefix("pid=").and_then(|pid| pid.parse().ok());
                    return Err(ProbeError::Locked { path: path.display().to_string(), pid });
                }
                Err(TryLockError::Error(error)) => return Err(not_written(&path, &error)),
            }
            // The last holder removes the file: what is locked now may be a file without a name.
            if !is_same_file(&file, &path) {
                continue;
            }
            let text = format!("pid={pid}\n");
            file.set_len(0)
                .and_then(|()| file.write_all(text.as_bytes()))
                .map_err(|error| not_written(&path, &error))?;
            return Ok(Self { path, _file: file });
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock file that stays is harmless: nobody holds it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |meta: &fs::Metadata| (meta.dev(), meta.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if id(&a) == id(&b))
}

#[cfg(not(unix))]
fn is_same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Writes one bundle.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    folder: PathBuf,
    run_id: String,
    _lock: Lock,
}

impl Writer {
    /// Takes the lock of `root` (made if need be) and makes the folder of the run.
    ///
    /// # Errors
    /// The lock is held, the folder exists already, something cannot be written.
    pub fn create(root: &Path, run_id: &str, pid: u32) -> Result<Self, ProbeError> {
        fs::create_dir_all(root).map_err(|error| not_written(root, &error))?;
        let lock = Lock::take(root, pid)?;
        let folder = root.join(run_id);
        fs::create_dir(&folder).map_err(|error| not_written(&folder, &error))?;
        Ok(Self { root: root.to_owned(), folder, run_id: run_id.to_owned(), _lock: lock })
    }

    /// The bundle's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one file; folders on its way are made. `name` is a plain relative path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ProbeError> {
        let path = self.folder.join(name);
        if !is_inside(name) {
            let reason = "not a path inside the bundle".to_owned();
            return Err(ProbeError::NotWritten { path: name.to_owned(), reason });
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| not_written(parent, &error))?;
        }
        replace(&path, bytes, false)
    }

    /// Writes one JSON document, indented by two, with a line end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), ProbeError> {
        self.write(name, to_json(name, value)?.as_bytes())
    }

    /// Commits the bundle: the index with the digest of every file, then `LATEST`. Gives the lock back.
    ///
    /// # Errors
    /// Something cannot be read or written; the bundle is then not committed.
    pub fn commit(self, world_id: &str, status: &str) -> Result<ArtifactIndex, ProbeError> {
        let index = index_of(&self.folder, &self.run_id, world_id, status)?;
        let path = self.folder.join(INDEX);
        replace(&path, to_json(INDEX, &index)?.as_bytes(), true)?;
        replace(&self.root.join(LATEST), format!("{}\n", self.run_id).as_bytes(), true)?;
        Ok(index)
    }
}

fn to_json(name: &str, value: &impl Serialize) -> Result<String, ProbeError> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(ProbeError::NotWritten { path: name.to_owned(), reason: error.to_string() }),
    }
}

/// Writes a temporary file beside `path` and renames it.
fn replace(path: &Path, bytes: &[u8], durable: bool) -> Result<(), ProbeError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".writing-").suffix(".tmp").tempfile_in(folder)?;
        file.write_all(bytes)?;
        if durable {
            file.as_file().sync_all()?;
        }
        readable_by_others(file.as_file())?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error| not_written(path, &error))
}

/// Temporary files are private; documents are not.
#[cfg(unix)]
fn readable_by_others(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_others(_file: &File) -> std::io::Result<()> {
    Ok(())
}

/// True for a relative path that stays inside: only normal components.
fn is_inside(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|component| matches!(component, Component::Normal(_)))
}

/// Lists every file of a bundle: the documents in their order, then the rest by name.
fn index_of(folder: &Path, run_id: &str, world_id: &str, status: &str) -> Result<ArtifactIndex, ProbeError> {
    let found = files_below(folder)?;
    let rank = |name: &String| DOCUMENTS.iter().position(|known| known == name).unwrap_or(DOCUMENTS.len());
    let mut names: Vec<String> = found.into_iter().filter(|name| name != INDEX).collect();
    names.sort_by(|a, b| (rank(a), a).cmp(&(rank(b), b)));
    let artifacts = names.iter().map(|name| entry(folder, name)).collect::<Result<_, _>>()?;
    let missing = DOCUMENTS.iter().filter(|known| !names.iter().any(|name| name == *known));
    Ok(ArtifactIndex {
        schema_version: tag::ARTIFACT_INDEX.to_owned(),
        run_id: run_id.to_owned(),
        world_id: world_id.to_owned(),
        artifacts,
        missing: missing.map(|name| (*name).to_owned()).collect(),
        status: status.to_owned(),
        extra: Default::default(),
    })
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
    Ok(ArtifactEntry {
        path: name.to_owned(),
        file_size: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
        schema_version,
        extra: Default::default(),
    })
}

fn files_below(folder: &Path) -> Result<Vec<String>, ProbeError> {
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
            if !folder.ends_with(&status.run_id) {
                check.problems.push(format!("{STATUS} is of another run: {}", status.run_id));
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
        } else if !found.contains(&entry.path) {
            check.missing.push(entry.path.clone());
        } else {
            let path = folder.join(&entry.path);
            let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            if sha256_hex(&bytes) != entry.sha256 {
                check.digest_mismatches.push(entry.path.clone());
            }
        }
    }
    let listed = |name: &String| index.artifacts.iter().any(|entry| entry.path == *name) || name == INDEX;
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

/// Reads a JSON document of at most 256 MiB.
pub(super) fn read_json<T: for<'de> serde::Deserialize<'de>>(path: &Path) -> Result<T, ProbeError> {
    const LIMIT: u64 = 256 << 20;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(LIMIT).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ProbeError::Shape { document: path.display().to_string(), reason: error.to_string() })
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
