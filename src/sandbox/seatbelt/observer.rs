//! The observer: what the log of macOS says about a time in which probes ran. It has words of its own for not knowing.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::spawn;
use crate::sandbox::log::{self, PREDICATE};
use crate::sandbox::{Cancel, Observed, ObserverStatus};

/// How long `log show` may take; it reads a compressed store.
const LIMIT: Duration = Duration::from_secs(120);
/// Most bytes of it that are read.
const ROOM: usize = 64 << 20;
/// What `log` exits with inside a sandbox.
const REFUSED: i32 = 64;
/// Seconds that the window is opened wider than the run at its beginning.
const SLACK: u64 = 5;

/// The command that shows what was logged since `since` (seconds of 1970).
pub(super) fn command(tool: &Path, since: f64) -> Vec<String> {
    // Not before 1970, and a whole number is enough.
    let start = (since.max(0.0) as u64).saturating_sub(SLACK);
    let words = ["show", "--style", "ndjson", "--info", "--debug", "--predicate", PREDICATE];
    let mut command = vec![tool.display().to_string()];
    command.extend(words.map(str::to_owned));
    // `@` and seconds of 1970 need no time zone.
    command.extend(["--start".to_owned(), format!("@{start}")]);
    command
}

/// Asks the log.
pub(super) fn observe(tool: &Path, since: f64) -> Observed {
    let command = command(tool, since);
    let mut process = Command::new(tool);
    process.args(command.get(1..).unwrap_or_default());
    let without = |status, reason: String| Observed { status, reason: Some(reason), ..Observed::of(command.clone()) };
    let ended = match spawn::run(&mut process, LIMIT, &Cancel::never(), ROOM) {
        Ok(ended) => ended,
        Err(error) => return without(ObserverStatus::Unavailable, error.to_string()),
    };
    match ended.code {
        None => return without(ObserverStatus::Unavailable, "it took too long".to_owned()),
        Some(REFUSED) => {
            return without(ObserverStatus::Unavailable, "log refuses to run inside a sandbox".to_owned());
        }
        Some(0) => {}
        Some(code) => {
            let words = ended.stderr.lines().next().unwrap_or_default();
            return without(ObserverStatus::Unavailable, format!("exit status {code}: {words}"));
        }
    }
    let log = log::read(&ended.stdout);
    if log.entries.is_empty() {
        // The filter's header alone, or nothing: repeated denials are merged and some are never written.
        let reason = "nothing was logged; that says nothing about what was denied".to_owned();
        return Observed { notices: log.notices, ..without(ObserverStatus::NoWitness, reason) };
    }
    Observed { status: ObserverStatus::Witness, entries: log.entries, notices: log.notices, ..Observed::of(command) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(script: &str) -> Observed {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("log");
        std::fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        observe(&tool, 1_700_000_000.5)
    }

    #[test]
    fn a_witness_no_witness_and_no_observer_are_three_things() {
        let seen = with("echo 'Sandbox: cat(7) deny(1) file-read-data /private/etc/hosts'");
        assert_eq!((seen.status, seen.entries.len()), (ObserverStatus::Witness, 1));
        assert!(seen.command.contains(&"@1699999995".to_owned()), "{:?}", seen.command);
        let header = with("echo 'Filtering the log data using \"x\"'");
        assert_eq!((header.status, header.entries.len()), (ObserverStatus::NoWitness, 0));
        assert_eq!(with("").status, ObserverStatus::NoWitness);
        let refused = with("echo 'log: Cannot run while sandboxed' >&2; exit 64");
        assert_eq!(refused.status, ObserverStatus::Unavailable);
        assert_eq!(with("exit 3").status, ObserverStatus::Unavailable);
        assert_eq!(observe(Path::new("/nowhere/log"), 0.0).status, ObserverStatus::Unavailable);
    }
}
