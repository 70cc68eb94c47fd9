//! What probes are tried on, made where plans say: on a Mac there is no other tree to show them.
//!
//! **Invariant:** files are made only below the folders for temporary files, never over one that is there, and those that were
//! made are removed again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use crate::sandbox::driver::{Kind, mark_fixture};
use crate::sandbox::fixtures::set_mode;
use crate::sandbox::{Action, Fixture, SandboxError, Wanted, WantedKind};

/// Where files may be made, in every spelling that plans use.
const ROOTS: [&str; 4] = ["/tmp", "/private/tmp", "/var/tmp", "/private/var/tmp"];

/// What was made, so that it can be removed.
#[derive(Debug, Default)]
pub(super) struct Fixtures {
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    /// Files and folders, in the order in which they were made.
    paths: Vec<PathBuf>,
    /// Listeners, which answer as long as they live.
    listeners: Vec<TcpListener>,
}

fn may_be_made(path: &Path) -> bool {
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    plain && ROOTS.iter().any(|root| path.starts_with(root) && path != Path::new(root))
}

impl Fixtures {
    /// Makes what `actions` are tried on and is not there yet.
    pub(super) fn make(&self, actions: &[Action], wanted: &[Wanted]) -> Result<Vec<Fixture>, SandboxError> {
        let mut made = self.made.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut fixtures = Vec::new();
        for wanted in wanted {
            made.wanted(wanted)
                .map_err(|error| SandboxError::Fixture { name: wanted.path.clone(), reason: error.to_string() })?;
            fixtures.push(wanted.made());
        }
        // When all of them are in their places: a folder may refuse more.
        for wanted in wanted {
            set_mode(Path::new(&wanted.path), wanted)
                .map_err(|error| SandboxError::Fixture { name: wanted.path.clone(), reason: error.to_string() })?;
        }
        for action in actions {
            let path = Path::new(&action.target);
            let wrong =
                |error: io::Error| SandboxError::Fixture { name: action.target.clone(), reason: error.to_string() };
            if action.operation.starts_with("file-") && may_be_made(path) {
                let is_folder = Kind::of_action(action) == Some(Kind::Search);
                if made.file(path, is_folder).map_err(wrong)? {
                    let kind = if is_folder { "directory" } else { "file" };
                    fixtures.push(Fixture { name: action.target.clone(), kind, target: None, mode: None });
                }
                if action.operation.contains("xattr") {
                    // A file system without attributes makes the probe fail, and say so.
                    drop(mark_fixture(&action.target));
                }
            } else if action.operation == "network-outbound" && made.listener(&action.target) {
                fixtures.push(Fixture { name: action.target.clone(), kind: "listener", target: None, mode: None });
            }
        }
        Ok(fixtures)
    }
}

impl Made {
    fn file(&mut self, path: &Path, is_folder: bool) -> io::Result<bool> {
        if path.symlink_metadata().is_ok() {
            return Ok(false);
        }
        self.parents(path)?;
        if is_folder {
            fs::create_dir(path)?;
        } else {
            OpenOptions::new().write(true).create_new(true).open(path)?.write_all(b"fixture\n")?;
        }
        self.paths.push(path.to_owned());
        Ok(true)
    }

    fn parents(&mut self, path: &Path) -> io::Result<()> {
        let parents: Vec<&Path> = path.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev().filter(|parent| may_be_made(parent)) {
            match fs::create_dir(parent) {
                Ok(()) => self.paths.push(parent.to_owned()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes what a plan wants. Something else at its place would be another test.
    fn wanted(&mut self, wanted: &Wanted) -> io::Result<()> {
        let path = Path::new(&wanted.path);
        if !may_be_made(path) {
            return Err(io::Error::other("it is not below a folder for temporary files"));
        }
        match &wanted.kind {
            WantedKind::Symlink(target) => {
                self.parents(path)?;
                symlink(target, path)?;
                self.paths.push(path.to_owned());
            }
            kind => {
                if !self.file(path, *kind == WantedKind::Directory)? {
                    return Err(io::Error::from(io::ErrorKind::AlreadyExists));
                }
            }
        }
        Ok(())
    }

    /// Listens on an address of this machine that nobody listens on.
    fn listener(&mut self, target: &str) -> bool {
        let address = target.replacen("localhost", "127.0.0.1", 1);
        if !address.starts_with("127.") {
            return false;
        }
        let listener = TcpListener::bind(address);
        let made = listener.is_ok();
        self.listeners.extend(listener);
        made
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // The last first: folders are empty when their turn comes, unless somebody else put something in.
        for path in self.paths.iter().rev() {
            let removed = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
            drop(removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_made_below_temporary_folders_only() {
        for (path, wanted) in [
            ("/tmp/a", true),
            ("/private/var/tmp/a/b", true),
            ("/tmp", false),
            ("/tmp/../etc/x", false),
            ("/tmpx/a", false),
            ("/etc/hosts", false),
            ("tmp/a", false),
        ] {
            assert_eq!(may_be_made(Path::new(path)), wanted, "{path}");
        }
    }

    #[test]
    fn what_was_made_is_removed_and_what_was_there_stays() {
        let folder = tempfile::Builder::new().prefix("sbpl-fixtures-").tempdir_in("/tmp").unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("a/b/new"));
        fs::write(&old, "mine").unwrap();
        let action = |path: &Path| Action {
            operation: "file-read*".to_owned(),
            target: path.display().to_string(),
            ..Action::default()
        };
        let fixtures = Fixtures::default();
        let made = fixtures.make(&[action(&old), action(&new), action(Path::new("/etc/none"))], &[]).unwrap();
        assert_eq!(made.len(), 1);
        assert!(new.is_file());
        drop(fixtures);
        assert!(!folder.path().join("a").exists());
        assert_eq!(fs::read(&old).unwrap(), b"mine");
    }

    /// Links and permissions that a plan wants; nothing is made elsewhere, or over what is there.
    #[test]
    fn what_plans_want_is_made_and_removed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::Builder::new().prefix("sbpl-fixtures-").tempdir_in("/tmp").unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let wanted = [
            Wanted { path: at("a/f"), kind: WantedKind::File, mode: Some(0o640) },
            Wanted { path: at("a/l"), kind: WantedKind::Symlink(at("a/f")), mode: None },
        ];
        let fixtures = Fixtures::default();
        let made = fixtures.make(&[], &wanted).unwrap();
        assert_eq!((made[0].mode.as_deref(), made[1].kind), (Some("0640"), "link"));
        assert_eq!(fs::metadata(at("a/l")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(Fixtures::default().make(&[], &wanted[1..]).is_err());
        let outside = Wanted { path: "/opt/x".to_owned(), kind: WantedKind::Directory, mode: None };
        assert!(Fixtures::default().make(&[], &[outside]).is_err());
        drop(fixtures);
        assert!(!folder.path().join("a").exists());
    }
}
