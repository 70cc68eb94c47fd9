//! The private folder of a run, and what killed runs have left of theirs.
//!
//! **Invariants:** a folder is locked as long as its run lives, and the system gives the lock back however the run ends. Only what
//! can be locked is removed, so no run loses its folder to another one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "sbpl-run-";
/// Folders that are made before one is held; each lost one was removed by another run in the moment before it was locked.
const TRIES: usize = 16;

/// A private folder, removed when this goes.
#[derive(Debug)]
pub(super) struct Scratch {
    // Removed before the lock is given back.
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one in `parent`, and removes those there whose runs were killed.
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let lock = match File::open(folder.path()) {
                Ok(lock) => lock,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                // Where nothing can be locked nothing is swept.
                Err(TryLockError::Error(_)) => return Ok(Self { folder, _lock: lock }),
            }
            let made = lock.metadata()?;
            if fs::symlink_metadata(folder.path()).is_ok_and(|found| same(&found, &made)) {
                sweep(parent, &made);
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::from(io::ErrorKind::ResourceBusy))
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Removes folders of killed runs of the owner of `mine`. What cannot be removed stays.
fn sweep(parent: &Path, mine: &fs::Metadata) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let Ok(found) = entry.metadata() else { continue };
        if !found.is_dir() || found.uid() != mine.uid() || same(&found, mine) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else { continue };
        if folder.try_lock().is_ok() && folder.metadata().is_ok_and(|opened| same(&opened, &found)) {
            // Another run may do the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder without a run goes, that of a living run stays, and so does what is none of ours.
    #[test]
    fn only_what_killed_runs_left_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        fs::create_dir_all(at("sbpl-run-left/private/tmp")).unwrap();
        fs::create_dir(at("other")).unwrap();
        fs::write(at("sbpl-run-file"), "").unwrap();
        std::os::unix::fs::symlink("other", at("sbpl-run-link")).unwrap();
        let living = Scratch::make(parent.path()).unwrap();
        let second = Scratch::make(parent.path()).unwrap();
        assert!(living.path().exists() && second.path().exists());
        assert!(!at("sbpl-run-left").exists());
        assert!(at("other").exists() && at("sbpl-run-file").exists() && at("sbpl-run-link").exists());
        let gone = living.path().to_owned();
        drop(living);
        assert!(!gone.exists());
    }
}
