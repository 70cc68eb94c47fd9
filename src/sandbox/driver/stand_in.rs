//! Services that only macOS has. Elsewhere these probes say so, with [`exit::NOT_AVAILABLE`]: an answer that nobody gave is
//! not a refusal.

use std::io;

use serde_json::json;

use super::{Report, exit, sys};

/// The status of `bootstrap_look_up` for a name that nobody registered.
const UNKNOWN_SERVICE: i32 = 1102;

/// Reads a value by name.
pub(super) fn sysctl(report: &mut Report<'_>, name: &str) -> io::Result<u8> {
    let Some(number) = sys::sysctl(name) else { return missing(report, "sysctl-read", name) };
    report.details(&json!({ "operation": "sysctl-read", "name": name, "errno": number }))?;
    Ok(if number == 0 { exit::FINE } else { exit::FAILED })
}

/// Posts a notification.
pub(super) fn notify(report: &mut Report<'_>, name: &str) -> io::Result<u8> {
    let Some(code) = sys::notify_post(name) else { return missing(report, "darwin-notification-post", name) };
    report.details(&json!({ "operation": "darwin-notification-post", "name": name, "status": code }))?;
    Ok(if code == 0 { exit::FINE } else { exit::FAILED })
}

/// Looks up a service.
pub(super) fn mach(report: &mut Report<'_>, name: &str) -> io::Result<u8> {
    let Some(kr) = sys::look_up(name) else { return missing(report, "mach-lookup", name) };
    let present = match kr {
        0 => Some(true),
        UNKNOWN_SERVICE => Some(false),
        _ => None,
    };
    report.details(&json!({ "operation": "mach-lookup", "kr": kr, "service_present": present }))?;
    writeln!(report.out, "{}", json!({ "kr": kr }))?;
    Ok(if kr == 0 { exit::FINE } else { exit::FAILED })
}

/// Device services need a framework that this command does not load.
pub(super) fn iokit(report: &mut Report<'_>) -> io::Result<u8> {
    missing(report, "iokit-open-service", "")
}

fn missing(report: &mut Report<'_>, operation: &str, name: &str) -> io::Result<u8> {
    report.say(&format!("{operation}: not available on this system"))?;
    report.details(&json!({ "operation": operation, "name": name, "status": "not_available" }))?;
    Ok(exit::NOT_AVAILABLE)
}
