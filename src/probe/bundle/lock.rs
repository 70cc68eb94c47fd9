//! One writer at a time below an output root.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::not_written;
use crate::probe::ProbeError;

/// Name of the lock file in the root.
pub(super) const LOCK: &str = ".runtime.lock";

/// The lock of an output root; given back when dropped, and by the system when the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    pub(super) fn take(root: &Path, pid: u32) -> Result<Self, ProbeError> {
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
