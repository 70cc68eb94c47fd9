//! Writing a bundle: every file whole or not at all, the index last.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::index::{entry_of, index_with};
use super::lock::Lock;
use super::{INDEX, LATEST, is_inside, not_written};
use crate::probe::ProbeError;
use crate::probe::artifact::{ArtifactEntry, ArtifactIndex};

/// Writes one bundle.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    folder: PathBuf,
    run_id: String,
    /// What was written, by name: the index is made of it.
    written: Mutex<BTreeMap<String, ArtifactEntry>>,
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
        Ok(Self { root: root.to_owned(), folder, run_id: run_id.to_owned(), written: Mutex::default(), _lock: lock })
    }

    /// The bundle's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one file, whole or not at all; one that is there is replaced. Folders on its way are made. `name` is a plain
    /// relative path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ProbeError> {
        let path = self.place(name)?;
        replace(&path, bytes, false)?;
        self.note(name, bytes, None);
        Ok(())
    }

    /// Writes one file that is not there yet. Cheaper than [`Writer::write`]: a process that dies meanwhile leaves a part of it,
    /// in a bundle that has no index.
    ///
    /// # Errors
    /// It is there, or cannot be written.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), ProbeError> {
        let path = self.place(name)?;
        let write = || File::options().write(true).create_new(true).open(&path)?.write_all(bytes);
        write().map_err(|error| not_written(&path, &error))?;
        self.note(name, bytes, None);
        Ok(())
    }

    /// Writes one JSON document, indented by two, with a line end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), ProbeError> {
        let text = to_json(name, value)?;
        let path = self.place(name)?;
        replace(&path, text.as_bytes(), false)?;
        self.note(name, text.as_bytes(), own_tag(&text));
        Ok(())
    }

    /// The path of a file, with the folders on its way made.
    fn place(&self, name: &str) -> Result<PathBuf, ProbeError> {
        if !is_inside(name) {
            let reason = "not a path inside the bundle".to_owned();
            return Err(ProbeError::NotWritten { path: name.to_owned(), reason });
        }
        let path = self.folder.join(name);
        if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
            fs::create_dir_all(parent).map_err(|error| not_written(parent, &error))?;
        }
        Ok(path)
    }

    fn note(&self, name: &str, bytes: &[u8], schema_version: Option<String>) {
        let entry = entry_of(name, bytes, schema_version);
        // A thread that panicked while it held the map left it whole: insertion is all that happens under the lock.
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), entry);
    }

    /// Commits the bundle: the index with the digest of every file, then `LATEST`. Gives the lock back.
    ///
    /// # Errors
    /// Something cannot be written; the bundle is then not committed.
    pub fn commit(self, world_id: &str, status: &str) -> Result<ArtifactIndex, ProbeError> {
        let written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let index = index_with(written.into_values().collect(), &self.run_id, world_id, status);
        let path = self.folder.join(INDEX);
        replace(&path, to_json(INDEX, &index)?.as_bytes(), true)?;
        replace(&self.root.join(LATEST), format!("{}\n", self.run_id).as_bytes(), true)?;
        Ok(index)
    }
}

/// The tag of a document as [`to_json`] writes it: the documents that have one start with it.
fn own_tag(text: &str) -> Option<String> {
    let tag = text.strip_prefix("{\n  \"schema_version\": \"")?.split('"').next()?;
    Some(tag.to_owned())
}

pub(super) fn to_json(name: &str, value: &impl Serialize) -> Result<String, ProbeError> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(ProbeError::NotWritten { path: name.to_owned(), reason: error.to_string() }),
    }
}

/// Writes a temporary file beside `path` and renames it.
pub(super) fn replace(path: &Path, bytes: &[u8], durable: bool) -> Result<(), ProbeError> {
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
