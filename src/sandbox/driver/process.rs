//! Execution, children and signals.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use serde_json::{Value, json};

use super::super::transcript::ApplyMarker;
use super::{Report, Request, errno, exit, sys, words};

/// Becomes another program, or says why not: `execvp: …`, a marker, status 127.
pub(super) fn exec(report: &mut Report<'_>, request: &Request) -> io::Result<u8> {
    report.out.flush()?;
    report.err.flush()?;
    // Comes back only when it failed.
    let error = Command::new(&request.target).args(&request.payload).exec();
    report.complain("execvp", &error)?;
    let marker = ApplyMarker::exec_failed(&request.target, errno(&error).unwrap_or(0), process::id());
    report.say(&marker.line())?;
    Ok(exit::EXEC_FAILED)
}

/// Makes a child that ends at once, and waits for it.
pub(super) fn fork(report: &mut Report<'_>) -> io::Result<u8> {
    let outcome = sys::fork_and_wait();
    if let Err(error) = &outcome {
        report.complain("fork", error)?;
    }
    let ended = outcome.as_ref().ok().copied();
    report.details(
        &json!({ "syscall": "fork", "child_status": ended, "errno": outcome.as_ref().err().and_then(errno) }),
    )?;
    Ok(if ended == Some(0) { exit::FINE } else { exit::FAILED })
}

/// That signals arrive here when nothing refuses them.
#[derive(Debug)]
pub(super) struct Control {
    received: bool,
}

/// Signals a child before anything is confined.
pub(super) fn signal_control() -> Control {
    let received = sys::signal_child().is_ok_and(|seen| seen.received);
    Control { received }
}

/// Makes a child, which is in the same sandbox, waits until it is ready, signals it, and sees whether it got the signal.
pub(super) fn signal(report: &mut Report<'_>, control: Option<Control>) -> io::Result<u8> {
    let outcome = sys::signal_child();
    let details: Value = match &outcome {
        Ok(seen) => json!({
            "probe_schema_version": 1,
            "child_pid": seen.child,
            "child_spawn_method": "fork",
            "handshake_ok": seen.ready,
            "signal_sent": seen.errno.is_none(),
            "signal_errno": seen.errno,
            "child_received_signal": seen.received,
            "child_exit_code": seen.exit_code,
            "child_status": if seen.received { "received" } else { "timeout" },
            "control_received_signal": control.as_ref().map(|control| control.received),
        }),
        Err(error) => json!({ "probe_schema_version": 1, "child_spawn_error": words(error), "errno": errno(error) }),
    };
    report.details(&details)?;
    match &outcome {
        Ok(seen) if seen.received => Ok(exit::FINE),
        Ok(seen) => {
            if let Some(number) = seen.errno {
                report.complain("kill", &io::Error::from_raw_os_error(number))?;
            }
            Ok(exit::FAILED)
        }
        Err(error) => {
            report.complain("fork", error)?;
            Ok(exit::FAILED)
        }
    }
}
