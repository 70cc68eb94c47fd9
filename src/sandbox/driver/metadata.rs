//! One call on a file's metadata, reported as one JSON object (`spec/probe-runner.md` section 2.4).

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, fchown, lchown};

use serde_json::json;

use super::{Report, Request, errno, exit, sys};

/// What is set where a call sets times: the same for every run.
const SECONDS: i64 = 1_000_000_000;
/// What is set where a call sets a mode and no payload says which.
const MODE: u32 = 0o640;

/// A call by its name. `None`: this system has none of that name.
fn call(name: &str, path: &str, mode: u32) -> Option<io::Result<()>> {
    Some(match name {
        "lstat" => fs::symlink_metadata(path).map(drop),
        "fstat" => File::open(path).and_then(|file| file.metadata()).map(drop),
        "chmod" => fs::set_permissions(path, Permissions::from_mode(mode)),
        "fchmod" => File::open(path).and_then(|file| file.set_permissions(Permissions::from_mode(mode))),
        "utimes" => sys::set_times(path, SECONDS, true),
        "lutimes" => sys::set_times(path, SECONDS, false),
        "futimes" => File::open(path).and_then(|file| sys::set_times_of(&file, SECONDS)),
        "lchown" => own().and_then(|(user, group)| lchown(path, Some(user), Some(group))),
        "fchown" => own().and_then(|(user, group)| fchown(File::open(path)?, Some(user), Some(group))),
        "fchownat" => own().and_then(|(user, group)| sys::change_owner_at(path, user, group)),
        _ => return sys::attribute_list(name, path),
    })
}

/// Changing the owner to oneself changes nothing and needs no privilege.
fn own() -> io::Result<(u32, u32)> {
    Ok(sys::own_ids())
}

/// The call that an operation is usually tried with.
fn usual(operation: Option<&str>) -> &'static str {
    match operation {
        Some("file-write-mode") => "chmod",
        Some("file-write-times") => "utimes",
        Some("file-write-owner") => "lchown",
        _ => "lstat",
    }
}

/// Its error number is the exit status.
pub(super) fn run(report: &mut Report<'_>, request: &Request) -> io::Result<u8> {
    let name = request.syscall.as_deref().unwrap_or_else(|| usual(request.operation.as_deref()));
    let mode = request.payload.first().and_then(|text| u32::from_str_radix(text, 8).ok()).unwrap_or(MODE);
    let outcome = call(name, &request.target, mode);
    let (word, number, status) = match &outcome {
        None => ("not_available", None, exit::NOT_AVAILABLE),
        Some(Ok(())) => ("ok", Some(0), exit::FINE),
        Some(Err(error)) => {
            let number = errno(error);
            ("error", number, number.and_then(|number| u8::try_from(number).ok()).unwrap_or(exit::FAILED))
        }
    };
    let details = json!({
        "status": word,
        "errno": number,
        "op": request.operation.as_deref().unwrap_or("file-read-metadata"),
        "path": request.target,
        "syscall": name,
    });
    writeln!(report.out, "{details}")?;
    Ok(status)
}
