//! Where `import` finds files: the one place that opens files a profile names.
//!
//! **Invariants:** a name without leading `/` never leaves its directory, neither by `..` nor by a link; a file elsewhere is
//! only read when the profile names its absolute path and `--allow-absolute-imports` is set; only regular files are read, and
//! opening one never waits.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::files::describe;
use crate::diag::Source;
use crate::profile::{ImportError, ImportRequest, Loader};

/// Where the system keeps profiles (`spec/sbpl-language.md` section 5).
const SYSTEM_DIRECTORIES: [&str; 2] = ["/System/Library/Sandbox/Profiles", "/usr/share/sandbox"];

/// Imports from directories.
#[derive(Debug, Clone)]
pub(super) struct FileLoader {
    pub(super) directories: Vec<PathBuf>,
    pub(super) allow_absolute: bool,
}

impl FileLoader {
    /// The user's directories, then the parameter `IMPORT_DIR` alone if it is set, else the system's.
    fn search(&self, request: &ImportRequest) -> Vec<PathBuf> {
        let mut directories = self.directories.clone();
        match &request.import_dir {
            Some(directory) => directories.push(PathBuf::from(directory)),
            None => directories.extend(SYSTEM_DIRECTORIES.map(PathBuf::from)),
        }
        directories
    }
}

impl Loader for FileLoader {
    fn load(&self, request: &ImportRequest, limit: u64) -> Result<Source, ImportError> {
        let directories = self.search(request);
        let name = Path::new(&request.name);
        if name.is_absolute() {
            let inside = name.canonicalize().is_ok_and(|path| directories.iter().any(|dir| contains(dir, &path)));
            if !inside && !self.allow_absolute {
                return Err(ImportError::Refused {
                    reason: "it is outside of the import directories".to_owned(),
                    help: Some("Allow absolute paths with --allow-absolute-imports.".to_owned()),
                });
            }
            return read(name, limit);
        }
        if name.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(refused("the name leaves the import directory"));
        }
        for directory in &directories {
            let path = directory.join(name);
            // Absent, or not to be seen: the next directory may have it.
            let Ok(real) = path.canonicalize() else { continue };
            if !contains(directory, &real) {
                return Err(refused(&format!("{} is a link that leaves the import directory", path.display())));
            }
            return read(&path, limit);
        }
        let places: Vec<_> = directories.iter().map(|directory| directory.display().to_string()).collect();
        Err(ImportError::NotFound { reason: format!("not found in {}", places.join(", ")) })
    }
}

/// True when `path`, which is canonical, lies in `directory`.
fn contains(directory: &Path, path: &Path) -> bool {
    directory.canonicalize().is_ok_and(|directory| path.starts_with(directory))
}

fn refused(reason: &str) -> ImportError {
    ImportError::Refused { reason: reason.to_owned(), help: None }
}

fn read(path: &Path, limit: u64) -> Result<Source, ImportError> {
    let failed =
        |error: &io::Error| ImportError::NotFound { reason: format!("{}: {}", path.display(), describe(error)) };
    let file = open(path).map_err(|error| failed(&error))?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(refused(&format!("{} is not a regular file", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > limit {
        return Err(ImportError::TooLarge { limit });
    }
    Ok(Source::new(path.display().to_string(), bytes))
}

/// Opens without waiting for the other end of a FIFO and without taking a terminal.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(loader: &FileLoader, name: &str) -> Result<String, ImportError> {
        let request = ImportRequest { name: name.to_owned(), import_dir: None, as_is: false };
        loader.load(&request, 10).map(|source| String::from_utf8_lossy(source.text()).into_owned())
    }

    #[test]
    fn files_come_from_the_directories_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let (inside, outside) = (root.path().join("in"), root.path().join("out.sb"));
        std::fs::create_dir_all(inside.join("sub")).unwrap();
        std::fs::write(inside.join("a.sb"), "a").unwrap();
        std::fs::write(inside.join("sub/b.sb"), "b").unwrap();
        std::fs::write(inside.join("big.sb"), "0123456789abc").unwrap();
        std::fs::write(&outside, "no").unwrap();
        let loader = FileLoader { directories: vec![inside.clone()], allow_absolute: false };
        assert_eq!(load(&loader, "a.sb").as_deref(), Ok("a"));
        assert_eq!(load(&loader, "./sub/b.sb").as_deref(), Ok("b"));
        assert_eq!(load(&loader, inside.join("a.sb").to_str().unwrap()).as_deref(), Ok("a"));
        assert_eq!(load(&loader, "big.sb"), Err(ImportError::TooLarge { limit: 10 }));
        assert!(matches!(load(&loader, "none.sb"), Err(ImportError::NotFound { .. })));
        assert!(matches!(load(&loader, "../out.sb"), Err(ImportError::Refused { .. })));
        assert!(matches!(load(&loader, "sub/../../out.sb"), Err(ImportError::Refused { .. })));
        assert!(matches!(load(&loader, outside.to_str().unwrap()), Err(ImportError::Refused { .. })));
        assert!(matches!(load(&loader, "sub"), Err(ImportError::Refused { .. })));
        let allowed = FileLoader { allow_absolute: true, ..loader };
        assert_eq!(load(&allowed, outside.to_str().unwrap()).as_deref(), Ok("no"));
    }

    #[cfg(unix)]
    #[test]
    fn links_devices_and_pipes_are_refused_at_once() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("in");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(root.path().join("out.sb"), "no").unwrap();
        std::os::unix::fs::symlink("../out.sb", inside.join("link.sb")).unwrap();
        let status = std::process::Command::new("mkfifo").arg(inside.join("pipe.sb")).status().unwrap();
        assert!(status.success());
        let loader = FileLoader { directories: vec![inside], allow_absolute: true };
        for name in ["link.sb", "pipe.sb", "/dev/null", "/dev/zero"] {
            assert!(matches!(load(&loader, name), Err(ImportError::Refused { .. })), "{name}");
        }
    }
}
