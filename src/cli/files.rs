//! Reading what the user names, and writing so that nothing is ever half there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::diag::{Code, Source};

pub(super) const CODE_READ: Code = Code("E0710");
pub(super) const CODE_TOO_BIG: Code = Code("E0711");
pub(super) const CODE_WRITE: Code = Code("E0712");
pub(super) const CODE_OVERWRITE: Code = Code("E0713");

/// The system's words for an error, without the Rust part `(os error N)`.
pub(super) fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Reads the file at `path`, or standard input for `-`, within the limit `input-bytes`.
///
/// # Errors
/// Exit 66 when it cannot be read or is a directory, 65 when it is too big.
pub(super) fn read(context: &Context, path: &Path) -> Result<Source, Box<Failure>> {
    let limit = context.limit("input-bytes");
    let name = if path == Path::new("-") { "<stdin>".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let outcome = if path == Path::new("-") {
        io::stdin().lock().take(limit.saturating_add(1)).read_to_end(&mut bytes)
    } else {
        open(path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
    };
    match outcome {
        Err(error) => Err(Failure::new(Exit::NoInput, CODE_READ, format!("{name}: {}", describe(&error)))),
        Ok(_) if bytes.len() as u64 > limit => {
            let message = format!("{name}: larger than the limit of {limit} bytes");
            Err(Failure::new(Exit::BadInput, CODE_TOO_BIG, message)
                .with_help("raise it with --limit input-bytes=NUMBER"))
        }
        Ok(_) => Ok(Source::new(name, bytes)),
    }
}

/// Reads a file of at most `limit` bytes that something the user named names in turn.
pub(super) fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than the limit of {limit} bytes")));
    }
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    // Opening a directory works; reading it gives a less clear error.
    if file.metadata()?.is_dir() { Err(io::Error::from(io::ErrorKind::IsADirectory)) } else { Ok(file) }
}

/// Writes `bytes` to a temporary file beside `path` and renames it, so that `path` holds all of them or is untouched.
/// `-` is standard output.
///
/// # Errors
/// Exit 73 when the file cannot be made, 74 when it cannot be written, 2 when it is one of `inputs`.
pub(super) fn write_atomically(
    context: &mut Context,
    path: &Path,
    bytes: &[u8],
    inputs: &[&Path],
) -> Result<(), Box<Failure>> {
    if path == Path::new("-") {
        context.print_raw(bytes);
        return Ok(());
    }
    let same = |input: &&&Path| matches!((input.canonicalize(), path.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if let Some(input) = inputs.iter().find(same) {
        let message = format!("{}: is also an input ({})", path.display(), input.display());
        return Err(Failure::new(Exit::Usage, CODE_OVERWRITE, message));
    }
    if path.is_dir() {
        return Err(Failure::new(Exit::CannotCreate, CODE_WRITE, format!("{}: is a directory", path.display())));
    }
    // A device or pipe (`/dev/stdout`, `/dev/null`) cannot be replaced by a rename; it is written in place.
    let special = std::fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let outcome = if special { write_in_place(path, bytes) } else { replace(path, bytes) };
    outcome.map_err(|(exit, error)| Failure::new(exit, CODE_WRITE, format!("{}: {}", path.display(), describe(&error))))
}

fn write_in_place(path: &Path, bytes: &[u8]) -> Result<(), (Exit, io::Error)> {
    let mut file = File::options().write(true).open(path).map_err(|error| (Exit::CannotCreate, error))?;
    file.write_all(bytes).map_err(|error| (Exit::CannotWrite, error))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), (Exit, io::Error)> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let permissions = std::fs::metadata(path).map(|meta| meta.permissions()).ok();
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sbpl-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(permissions.clone().unwrap_or_else(|| std::fs::Permissions::from_mode(0o666)));
    }
    let mut file = builder.tempfile_in(folder).map_err(|error| (Exit::CannotCreate, error))?;
    // Those of a new file are cut by the umask; those of a file that was there stay as they were.
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions).map_err(|error| (Exit::CannotCreate, error))?;
    }
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|error| (Exit::CannotWrite, error))?;
    file.persist(path).map(drop).map_err(|error| (Exit::CannotCreate, error.error))
}
