//! Services that only macOS has, asked through the table of its functions. Without one these probes say so, with
//! [`exit::NOT_AVAILABLE`]: an answer that nobody gave is not a refusal.

use std::io;

use serde_json::{Value, json};

use super::super::seatbelt::{self, CallError, Held, System};
use super::{EARLY, Kind, Report, Request, exit};

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
    (Kind::SystemSocket, "system-socket", system_socket),
    (Kind::Confined, "sandbox-check", confined),
    (Kind::Calibrate, "sandbox-check", calibrate),
];

/// Tries what `request` says; kinds without a row here are not available anywhere. `port` was acquired before the profile.
pub(super) fn run(report: &mut Report<'_>, request: &Request, port: Option<Held>) -> io::Result<u8> {
    let Request { kind, target, .. } = request;
    let row = DRIVERS.iter().find(|row| row.0 == *kind);
    match (row, report.system) {
        (Some((Kind::Mach, ..)), Some(system)) if let Some(port) = port => held(report, &system, target, port),
        (Some((Kind::Iokit, ..)), Some(system)) if !request.payload.is_empty() => sweep(report, &system, request),
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

/// Uses a right to a service that was acquired before the profile was in force, and looks the service up once more for comparison.
/// `kr` is 0 while the right is there.
fn held(report: &mut Report<'_>, system: &System, name: &str, port: Held) -> io::Result<u8> {
    let (kr, again) = match (port.kern, system.still_holds(port), system.look_up(name)) {
        // It was refused without a profile: that is nobody's denial.
        (refused, ..) if refused != 0 => (refused, None),
        (_, Ok(kr), again) => (kr, again.ok()),
        (_, Err(error), _) => return missing(report, "mach-lookup", name, Some(&error)),
    };
    report.details(&json!({
        "operation": "mach-lookup",
        "kr": kr,
        "acquired": "before",
        "again_kr": again,
        (EARLY): port.kern != 0,
    }))?;
    writeln!(report.out, "{}", json!({ "kr": kr }))?;
    Ok(status(kr == 0))
}

/// Makes a socket to the kernel and closes it.
fn system_socket(report: &mut Report<'_>, system: &System, name: &str) -> io::Result<u8> {
    // Family, type and protocol of macOS: kernel control, and the routing socket.
    const SOCKETS: [(&str, [i32; 3]); 2] = [("AF_SYSTEM", [32, 2, 2]), ("AF_ROUTE", [17, 3, 0])];
    let Some((_, [family, kind, protocol])) = SOCKETS.iter().find(|row| row.0 == name) else {
        report.say(&format!("{name}: known are {}", SOCKETS.map(|row| row.0).join(", ")))?;
        return Ok(exit::USAGE);
    };
    match system.socket(*family, *kind, *protocol) {
        Ok(made) => {
            let number = made.err().unwrap_or(0);
            report.details(&json!({
                "operation": "system-socket", "family": family, "type": kind, "protocol": protocol, "errno": number,
            }))?;
            Ok(status(number == 0))
        }
        Err(error) => missing(report, "system-socket", name, Some(&error)),
    }
}

/// Opens the first instance of a driver class, and calls selector 0.
fn iokit(report: &mut Report<'_>, system: &System, class: &str) -> io::Result<u8> {
    call_selectors(report, system, class, &[0])
}

/// The same with the selectors that the request names.
fn sweep(report: &mut Report<'_>, system: &System, request: &Request) -> io::Result<u8> {
    match selectors(&request.payload) {
        Some(selectors) => call_selectors(report, system, &request.target, &selectors),
        None => {
            report
                .say(&format!("selectors: numbers below {SELECTOR_LIMIT} and ranges, at most {SWEEP_LIMIT} of them"))?;
            Ok(exit::USAGE)
        }
    }
}

/// Selectors that are called at most, and the first number that is none.
const SWEEP_LIMIT: usize = 64;
const SELECTOR_LIMIT: u32 = 1024;

/// `3`, `0-15`, or several of them with commas or as several words.
fn selectors(words: &[String]) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in words.iter().flat_map(|word| word.split(',')) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last >= SELECTOR_LIMIT || all.len() + (last - first) as usize >= SWEEP_LIMIT {
            return None;
        }
        all.extend(first..=last);
    }
    (!all.is_empty()).then_some(all)
}

fn call_selectors(report: &mut Report<'_>, system: &System, class: &str, selectors: &[u32]) -> io::Result<u8> {
    let opened = match system.open_service(class, selectors) {
        Ok(opened) => opened,
        Err(error) => return missing(report, "iokit-open-service", class, Some(&error)),
    };
    let text = |kr: i32| format!("{kr:#010x}");
    let first = opened.calls.first();
    let mut details = json!({
        "operation": "iokit-open-service",
        "class": class,
        "found": opened.found,
        "open_kr": opened.open,
        "call_kr": first.map(|call| call.1),
        "call_kr_string": first.map(|call| text(call.1)),
        "selector": selectors.first(),
    });
    if let (true, Some(map)) = (selectors.len() > 1, details.as_object_mut()) {
        let row =
            |(selector, kr): &(u32, i32)| json!({ "selector": selector, "call_kr": kr, "call_kr_string": text(*kr) });
        map.insert("sweep".to_owned(), opened.calls.iter().map(row).collect());
    }
    report.details(&details)?;
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
