//! Reader, writer, existence, listing, extended attributes (`spec/probe-runner.md` sections 2.1 and 2.2).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::json;

use super::super::seatbelt::Spelling;
use super::{Report, errno, exit, status, sys};

/// In details: what failed did so before any profile was in force.
pub(in crate::sandbox) const EARLY: &str = "before_profile";
/// What the writer appends.
const LINE: &[u8] = b"runtime-check\n";
/// The extended attribute of the probes, under the name that recorded runs gave it, and what is written to it.
const ATTRIBUTE: (&str, &[u8]) = ("user.sandbox_lore", b"probe");

/// A file, or the call that failed.
pub(super) type Opened = Result<File, (&'static str, io::Error)>;

pub(super) fn open_to_read(target: &str) -> Opened {
    File::open(target).map_err(|error| ("open target", error))
}

pub(super) fn open_to_append(target: &str) -> Opened {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = OpenOptions::new().append(true).create(true).mode(0o644).open(target);
    opened.map_err(|error| ("open target", error))
}

/// Opens for reading, unless it is held already, and copies to standard output. `from_folder` opens the parent first and the
/// file from there.
pub(super) fn read(report: &mut Report<'_>, target: &str, from_folder: bool, held: Option<Opened>) -> io::Result<u8> {
    let early = held.is_some();
    let opened = match held {
        Some(held) => held,
        None if from_folder => open_from_folder(report, target, libc::O_RDONLY)?,
        None => open_to_read(target),
    };
    let Some(mut file) = usable(report, opened, early)? else { return Ok(exit::OPEN_FAILED) };
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(exit::FINE),
            Ok(length) => report.out.write_all(buffer.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                report.complain("read target", &error)?;
                return Ok(exit::READ_FAILED);
            }
        }
    }
}

/// Opens for appending, unless it is held already, makes the file if it is not there, and appends one line.
pub(super) fn write(report: &mut Report<'_>, target: &str, from_folder: bool, held: Option<Opened>) -> io::Result<u8> {
    let early = held.is_some();
    let opened = match held {
        Some(held) => held,
        None if from_folder => open_from_folder(report, target, libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND)?,
        None => open_to_append(target),
    };
    let Some(mut file) = usable(report, opened, early)? else { return Ok(exit::OPEN_FAILED) };
    match file.write_all(LINE) {
        Ok(()) => Ok(exit::FINE),
        Err(error) => {
            report.complain("write target", &error)?;
            Ok(exit::WRITE_FAILED)
        }
    }
}

/// Opens the folder that `target` is in, and `target` from there.
fn open_from_folder(report: &mut Report<'_>, target: &str, flags: i32) -> io::Result<Opened> {
    let path = Path::new(target);
    let (Some(folder), Some(leaf)) = (path.parent(), path.file_name()) else {
        report.say("usage: a path with a folder and a name")?;
        return Ok(Err(("open dir", io::Error::from_raw_os_error(libc::EINVAL))));
    };
    let folder = match sys::open_folder(folder) {
        Ok(folder) => folder,
        Err(error) => return Ok(Err(("open dir", error))),
    };
    Ok(sys::open_at(&folder, leaf, flags).map_err(|error| ("openat target", error)))
}

/// Tells which path was really opened, or why none was.
fn usable(report: &mut Report<'_>, opened: Opened, early: bool) -> io::Result<Option<File>> {
    match opened {
        Ok(file) => {
            for (name, spelling) in [("F_GETPATH", Spelling::Plain), ("F_GETPATH_NOFIRMLINK", Spelling::NoFirmlink)] {
                report.say(&sys::fd_path(report.system.as_ref(), &file, spelling).line(name))?;
            }
            Ok(Some(file))
        }
        Err((what, error)) => {
            report.complain(what, &error)?;
            // The exit status says that it failed, and only that.
            let mut details = json!({ "syscall": what, "errno": errno(&error) });
            if early {
                details[EARLY] = true.into();
            }
            report.details(&details)?;
            Ok(None)
        }
    }
}

/// `access(F_OK)`.
pub(super) fn test(report: &mut Report<'_>, target: &str) -> io::Result<u8> {
    done(report, "access", target, sys::exists(target))
}

/// Lists a folder.
pub(super) fn search(report: &mut Report<'_>, target: &str) -> io::Result<u8> {
    let listed = std::fs::read_dir(target).and_then(|mut entries| entries.try_for_each(|entry| entry.map(drop)));
    done(report, "readdir", target, listed)
}

/// Reads [`ATTRIBUTE`].
pub(super) fn read_attribute(report: &mut Report<'_>, target: &str) -> io::Result<u8> {
    done(report, "getxattr", target, sys::get_attribute(target, ATTRIBUTE.0).map(drop))
}

/// Writes [`ATTRIBUTE`].
pub(super) fn write_attribute(report: &mut Report<'_>, target: &str) -> io::Result<u8> {
    done(report, "setxattr", target, sys::set_attribute(target, ATTRIBUTE.0, ATTRIBUTE.1))
}

/// Sets `ATTRIBUTE` on a fixture, so that reading it can only fail for another reason.
///
/// # Errors
/// The file system has no extended attributes, or the file is not there.
pub fn mark_fixture(path: &str) -> io::Result<()> {
    sys::set_attribute(path, ATTRIBUTE.0, b"1")
}

fn done(report: &mut Report<'_>, call: &str, target: &str, outcome: io::Result<()>) -> io::Result<u8> {
    let number = outcome.as_ref().err().and_then(errno);
    if let Err(error) = &outcome {
        report.complain(call, error)?;
    }
    report.details(&json!({ "syscall": call, "path": target, "errno": number }))?;
    let unsupported = matches!(number, Some(libc::ENOTSUP | libc::ENOSYS));
    Ok(if unsupported { exit::NOT_AVAILABLE } else { status(&outcome) })
}
