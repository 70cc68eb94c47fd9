//! This process becomes a program under a profile, as `sandbox-exec` does it: put the profile in force, then execute.
//!
//! **Invariants:** who comes back from here has a profile in force at most, and no other program was started.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use thiserror::Error;

use super::system::{Applied, CallError, System};

/// A profile as macOS takes it.
#[derive(Debug, Clone, Copy)]
pub enum Profile<'a> {
    /// A text with its parameters.
    Text(&'a str, &'a [(String, String)]),
    /// A compiled one.
    Blob(&'a [u8]),
}

/// Why this process is still what it was.
#[derive(Debug, Error)]
pub enum NotReplaced {
    /// There is no such function, or an argument cannot be given to it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The profile was refused.
    #[error("{}: {}", .0.api, words(.0))]
    Apply(Applied),
    /// The profile is in force, and the program was not executed: the profile refuses it, or the system does.
    #[error("exec failed: {0}")]
    Exec(io::Error),
}

fn words(applied: &Applied) -> String {
    let error = || io::Error::from_raw_os_error(applied.errno).to_string();
    applied.errbuf.as_ref().map_or_else(error, |words| words.trim_end().to_owned())
}

/// Puts `profile` in force and becomes `command`. Comes back only when that failed.
pub fn replace(system: &System, profile: Profile<'_>, command: &mut Command) -> NotReplaced {
    let applied = match profile {
        Profile::Text(text, parameters) => system.init(text, parameters),
        Profile::Blob(blob) => system.apply(blob),
    };
    match applied {
        Err(error) => error.into(),
        Ok(applied) if applied.rc != 0 => NotReplaced::Apply(applied),
        Ok(_) => NotReplaced::Exec(command.exec()),
    }
}
