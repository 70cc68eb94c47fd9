//! Writing a bundle: every file whole or not at all, the index last.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::index::index_with;
use super::json::{to_json, write_json};
use super::lock::Lock;
use super::{INDEX, LATEST, is_inside, not_written};
use crate::probe::artifact::{ArtifactEntry, ArtifactIndex};
use crate::probe::{ProbeError, hex};

/// Writes one bundle.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    folder: PathBuf,
    run_id: String,
    /// What was written, by name: the index is made of it.
    written: Mutex<BTreeMap<String, ArtifactEntry>>,
    /// Folders of the bundle that are there.
    folders: Mutex<BTreeSet<PathBuf>>,
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
        let (written, folders) = (Mutex::default(), Mutex::new(BTreeSet::from([folder.clone()])));
        Ok(Self { root: root.to_owned(), folder, run_id: run_id.to_owned(), written, folders, _lock: lock })
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
        let written = replace(&path, false, |file| digested(file, |out| out.write_all(bytes)))?;
        self.note(name, written, None);
        Ok(())
    }

    /// Writes one file that is not there yet. Cheaper than [`Writer::write`]: a process that dies meanwhile leaves a part of it,
    /// in a bundle that has no index.
    ///
    /// # Errors
    /// It is there, or cannot be written.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), ProbeError> {
        let path = self.place(name)?;
        let write = || {
            let mut file = File::options().write(true).create_new(true).open(&path)?;
            digested(&mut file, |out| out.write_all(bytes))
        };
        let written = write().map_err(|error| not_written(&path, &error))?;
        self.note(name, written, None);
        Ok(())
    }

    /// Writes one JSON document, indented by two, with a line end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), ProbeError> {
        let path = self.place(name)?;
        let written = replace(&path, false, |file| {
            digested(file, |out| {
                let mut pieces = BufWriter::with_capacity(PIECE, out);
                write_json(&mut pieces, value)?;
                pieces.flush()
            })
        })?;
        let tag = own_tag(&written.start);
        self.note(name, written, tag);
        Ok(())
    }

    /// The path of a file, with the folders on its way made.
    fn place(&self, name: &str) -> Result<PathBuf, ProbeError> {
        if !is_inside(name) {
            let reason = "not a path inside the bundle".to_owned();
            return Err(ProbeError::NotWritten { path: name.to_owned(), reason });
        }
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            let mut folders = locked(&self.folders);
            if !folders.contains(parent) {
                fs::create_dir_all(parent).map_err(|error| not_written(parent, &error))?;
                folders.insert(parent.to_owned());
            }
        }
        Ok(path)
    }

    fn note(&self, name: &str, written: Written, schema_version: Option<String>) {
        let entry = ArtifactEntry {
            path: name.to_owned(),
            file_size: written.length,
            sha256: hex(&written.digest.finalize()),
            schema_version,
            extra: Default::default(),
        };
        locked(&self.written).insert(name.to_owned(), entry);
    }

    /// Commits the bundle: the index with the digest of every file, then `LATEST`. Gives the lock back.
    ///
    /// # Errors
    /// Something cannot be written; the bundle is then not committed.
    pub fn commit(self, world_id: &str, status: &str) -> Result<ArtifactIndex, ProbeError> {
        let written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let index = index_with(written.into_values().collect(), &self.run_id, world_id, status);
        let path = self.folder.join(INDEX);
        let text = to_json(INDEX, &index)?;
        replace(&path, true, |file| file.write_all(&text))?;
        replace(&self.root.join(LATEST), true, |file| writeln!(file, "{}", self.run_id))?;
        Ok(index)
    }
}

/// A thread that panicked while it held one of the tables left it whole: insertion is the last thing that happens under the lock.
fn locked<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was written to a file.
struct Written {
    digest: Sha256,
    length: u64,
    /// What it begins with: a document's own tag is there.
    start: Vec<u8>,
}

/// A file that is being written, and what went into it.
struct Digesting<'f> {
    file: &'f mut File,
    written: Written,
}

/// Bytes of a file's start that are kept.
const START: usize = 128;
/// Bytes of a document that are written at a time.
const PIECE: usize = 64 << 10;

/// Lets `write` fill `file`.
fn digested(file: &mut File, write: impl FnOnce(&mut Digesting<'_>) -> io::Result<()>) -> io::Result<Written> {
    let mut out = Digesting { file, written: Written { digest: Sha256::new(), length: 0, start: Vec::new() } };
    write(&mut out)?;
    Ok(out.written)
}

impl Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        let (taken, written) = (bytes.get(..count).unwrap_or_default(), &mut self.written);
        written.digest.update(taken);
        written.length += taken.len() as u64;
        let missing = START.saturating_sub(written.start.len()).min(taken.len());
        written.start.extend_from_slice(taken.get(..missing).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The tag of a document that begins with `text`: the documents that have one start with it.
fn own_tag(text: &[u8]) -> Option<String> {
    let rest = text.strip_prefix(b"{\n  \"schema_version\": \"")?;
    let end = memchr::memchr(b'"', rest)?;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

/// Lets `write` fill a temporary file beside `path`, and renames it.
pub(super) fn replace<T>(
    path: &Path,
    durable: bool,
    write: impl FnOnce(&mut File) -> io::Result<T>,
) -> Result<T, ProbeError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".writing-").suffix(".tmp").tempfile_in(folder)?;
        let written = write(file.as_file_mut())?;
        if durable {
            file.as_file().sync_all()?;
        }
        readable_by_others(file.as_file())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(written)
    };
    write().map_err(|error| not_written(path, &error))
}

/// Temporary files are private; documents are not.
#[cfg(unix)]
fn readable_by_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_others(_file: &File) -> io::Result<()> {
    Ok(())
}
