//! Services that only macOS has, asked through the table of its functions. Without one these probes say so, with
//! [`exit::NOT_AVAILABLE`]: an answer that nobody gave is not a refusal.

use std::io;

use serde_json::{Value, json};

use super::super::seatbelt::{self, CallError, System};
use super::{Kind, Report, exit};

/// The status of `bootstrap_look_up` for a name that nobody registered.
const UNKNOWN_SERVICE: i32 = 1102;

type Driver = fn(&mut Report<'_>, &System, &str) -> io::Result<u8>;

/// The driver of each kind, and the operation that it is known by where it is not available.
const DRIVERS: &[(Kind, &str, Driver)] = &[
    (Kind::Sysctl, "sysctl-read", sysctl),
    (Kind::Notify, "darwin-notification-post", notify),
    (Kind::NotifyDistributed, "distributed-notification-post", notify_distributed),
    (Kind::Mach, "mach-lookup", mach),
    (Kind::Iokit, "iokit-open-service", iokit),
    (Kind::PidInfo, "process-info-pidinfo", pid_info),
    (Kind::Confined, "sandbox-check", confined),
    (Kind::Calibrate, "sandbox-check", calibrate),
];

/// Tries `kind` on `target`; kinds without a row here are not available anywhere.
pub(super) fn run(report: &mut Report<'_>, kind: Kind, target: &str) -> io::Result<u8> {
    let row = DRIVERS.iter().find(|row| row.0 == kind);
    match (row, report.system) {
        (Some((_, _, driver)), Some(system)) => driver(report, &system, target),
        (Some((Kind::Sysctl, ..)), None) if cfg!(target_os = "linux") => control_file(report, target),
        (row, _) => missing(report, row.map_or("", |row| row.1), target, None),
    }
}

/// Reads a value by name.
fn sysctl(report: &mut Report<'_>, system: &System, name: &str) -> io::Result<u8> {
    match system.sysctl(name) {
        Ok(read) => {
            let (length, number) = (read.ok(), read.err().unwrap_or(0));
            report.details(&json!({ "operation": "sysctl-read", "name": name, "errno": number, "length": length }))?;
            Ok(status(number == 0))
        }
        Err(error) => missing(report, "sysctl-read", name, Some(&error)),
    }
}

/// Linux keeps such values in files: `kern.ostype` is `/proc/sys/kernel/ostype`.
fn control_file(report: &mut Report<'_>, name: &str) -> io::Result<u8> {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let first = if first == "kern" { "kernel" } else { first };
    let number = match std::fs::read(format!("/proc/sys/{first}/{}", rest.replace('.', "/"))) {
        Ok(_) => 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return missing(report, "sysctl-read", name, None),
        Err(error) => {
            report.complain("sysctl", &error)?;
            super::errno(&error).unwrap_or(-1)
        }
    };
    report.details(&json!({ "operation": "sysctl-read", "name": name, "errno": number }))?;
    Ok(status(number == 0))
}

/// Posts a notification.
fn notify(report: &mut Report<'_>, system: &System, name: &str) -> io::Result<u8> {
    match system.notify(name) {
        Ok(code) => {
            report.details(&json!({ "operation": "darwin-notification-post", "name": name, "status": code }))?;
            Ok(status(code == 0))
        }
        Err(error) => missing(report, "darwin-notification-post", name, Some(&error)),
    }
}

/// Posts a distributed notification. Nobody says whether it arrived: the details do not claim it.
fn notify_distributed(report: &mut Report<'_>, system: &System, name: &str) -> io::Result<u8> {
    match system.notify_distributed(name) {
        Ok(()) => {
            report.details(
                &json!({ "operation": "distributed-notification-post", "name": name, "status": "not_witnessed" }),
            )?;
            Ok(exit::FINE)
        }
        Err(error) => missing(report, "distributed-notification-post", name, Some(&error)),
    }
}

/// Looks up a service.
fn mach(report: &mut Report<'_>, system: &System, name: &str) -> io::Result<u8> {
    let kr = match system.look_up(name) {
        Ok(kr) => kr,
        Err(error) => return missing(report, "mach-lookup", name, Some(&error)),
    };
    let present = match kr {
        0 => Some(true),
        UNKNOWN_SERVICE => Some(false),
        _ => None,
    };
    report.details(&json!({ "operation": "mach-lookup", "kr": kr, "service_present": present }))?;
    writeln!(report.out, "{}", json!({ "kr": kr }))?;
    Ok(status(kr == 0))
}

/// Opens the first instance of a driver class.
fn iokit(report: &mut Report<'_>, system: &System, class: &str) -> io::Result<u8> {
    let opened = match system.open_service(class) {
        Ok(opened) => opened,
        Err(error) => return missing(report, "iokit-open-service", class, Some(&error)),
    };
    report.details(&json!({
        "operation": "iokit-open-service",
        "class": class,
        "found": opened.found,
        "open_kr": opened.open,
        "call_kr": opened.call,
        "call_kr_string": opened.call.map(|kr| format!("{kr:#010x}")),
        "selector": 0,
    }))?;
    Ok(status(opened.open == Some(0)))
}

/// Asks about a process: `self` or its id.
fn pid_info(report: &mut Report<'_>, system: &System, target: &str) -> io::Result<u8> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pid = if target == "self" { Some(own) } else { target.parse().ok() };
    let Some(pid) = pid else {
        report.say(&format!("{target}: neither a process id nor self"))?;
        return Ok(exit::USAGE);
    };
    match system.pid_info(pid) {
        Ok(answer) => {
            let (length, number) = (answer.ok(), answer.err().unwrap_or(0));
            report.details(
                &json!({ "operation": "process-info-pidinfo", "pid": pid, "rc": length.unwrap_or(0), "errno": number }),
            )?;
            Ok(status(length.is_some()))
        }
        Err(error) => missing(report, "process-info-pidinfo", target, Some(&error)),
    }
}

/// Tells whether this process has a profile: what an apply-only check ends with.
fn confined(report: &mut Report<'_>, system: &System, _target: &str) -> io::Result<u8> {
    let details = match system.is_sandboxed(std::process::id()) {
        Ok(checked) => json!({ "source": "sandbox_check", "rc": checked.rc, "sandboxed": checked.rc == 1 }),
        Err(error) => json!({ "source": "sandbox_check", "error": error.to_string() }),
    };
    report.details(&details)?;
    Ok(exit::FINE)
}

/// Calibrates the oracle; meant to run under [`seatbelt::calibration_profile`].
fn calibrate(report: &mut Report<'_>, system: &System, _target: &str) -> io::Result<u8> {
    let rows = seatbelt::calibrate(system, std::process::id());
    match rows {
        Ok(rows) => {
            report.details(&json!({ "calibration": rows }))?;
            Ok(exit::FINE)
        }
        Err(error) => missing(report, "sandbox-check", "", Some(&error)),
    }
}

fn status(fine: bool) -> u8 {
    if fine { exit::FINE } else { exit::FAILED }
}

fn missing(report: &mut Report<'_>, operation: &str, name: &str, error: Option<&CallError>) -> io::Result<u8> {
    let reason = error.map_or(Value::Null, |error| json!(error.to_string()));
    report.say(&format!("{operation}: not available on this system"))?;
    report.details(&json!({ "operation": operation, "name": name, "status": "not_available", "reason": reason }))?;
    Ok(exit::NOT_AVAILABLE)
}
