//! From what a probe program left behind to a class: exit status, markers, details, time.

use serde_json::Value;

use super::spawn::Ended;
use crate::sandbox::class::Class;
use crate::sandbox::driver::{EARLY, Kind, exit};
use crate::sandbox::transcript::{ApplyMarker, apply_markers, take_details};

/// What is known of one try.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub(super) class: Class,
    /// The error number of the probed call; never an exit status.
    pub(super) errno: Option<i32>,
    /// What the probe told about itself.
    pub(super) details: Option<Value>,
    /// How applying went.
    pub(super) apply: Option<ApplyMarker>,
    /// Why nothing was decided, in words.
    pub(super) note: Option<String>,
}

/// Abnormal end that a loader chooses when it cannot read what a program needs.
const SIGABRT: i32 = 6;

/// Statuses of `notify_post`.
fn of_notify(status: i64) -> Class {
    match status {
        0 => Class::Allowed,
        1 => Class::BadArgument,
        7 => Class::Denied,
        9 => Class::MissingService,
        _ => Class::OtherError,
    }
}

/// Reads the end of a probe of `operation`. `confined`: it had to put itself under a profile first.
pub(super) fn read(kind: Kind, operation: &str, ended: &Ended, confined: bool) -> Verdict {
    let markers = apply_markers(&ended.stderr);
    let apply = markers.iter().find(|marker| marker.stage == "apply").cloned();
    let applied = !confined || markers.iter().any(|marker| marker.stage == "applied");
    let (rest, details) = take_details(&ended.stdout);
    let details = details.or_else(|| rest.lines().find_map(|line| serde_json::from_str(line).ok()));
    let number = |key: &str| details.as_ref().and_then(|details| details.get(key)?.as_i64());
    let too_early = details.as_ref().is_some_and(|details| details.get(EARLY) == Some(&Value::Bool(true)));
    let errno_of = |key: &str| number(key).and_then(|number| i32::try_from(number).ok());
    let verdict = |class: Class, errno: Option<i32>, note: &str| Verdict {
        class,
        errno: errno.filter(|errno| *errno != 0),
        details: details.clone(),
        apply: apply.clone(),
        note: (!note.is_empty()).then(|| note.to_owned()),
    };
    let Some(code) = ended.code else { return verdict(Class::Timeout, None, "it took too long") };
    if let Some(marker) = apply.as_ref().filter(|marker| marker.rc != 0) {
        let words = marker.errbuf.clone().unwrap_or_else(|| "the system refused the profile".to_owned());
        return verdict(Class::ApplyRefused, marker.errno, &words);
    }
    if !applied {
        return match code {
            code if code < 0 => verdict(Class::Crash, None, "killed before the profile was in force"),
            code if code == i32::from(exit::NOT_AVAILABLE) => verdict(Class::NotAvailable, None, ended.stderr.trim()),
            _ => verdict(Class::ApplyRefused, None, ended.stderr.trim()),
        };
    }
    if code < 0 {
        // Only a program that was just started still has a loader at work.
        return match kind {
            Kind::Exec if code == -SIGABRT => {
                verdict(Class::LoaderStarvation, None, "the program aborted in its loader")
            }
            _ => verdict(Class::Crash, None, &format!("killed by signal {}", -code)),
        };
    }
    match kind {
        _ if code == i32::from(exit::NOT_AVAILABLE) => {
            verdict(Class::NotAvailable, None, "this system has no such call")
        }
        _ if code == i32::from(exit::USAGE) => verdict(Class::BadArgument, None, ended.stderr.trim()),
        Kind::Mach if too_early && errno_of("kr").map(Class::of_bootstrap) == Some(Class::Denied) => {
            verdict(Class::OtherError, None, "refused before the profile was in force")
        }
        Kind::Mach => match errno_of("kr") {
            Some(kr) => verdict(Class::of_bootstrap(kr), None, ""),
            None => verdict(Class::OtherError, None, "the probe said nothing"),
        },
        Kind::Iokit if details.as_ref().is_some_and(|details| details.get("found") == Some(&Value::Bool(false))) => {
            verdict(Class::MissingService, None, "the class has no instance; nothing was asked")
        }
        Kind::Iokit => match errno_of("open_kr") {
            Some(kr) => verdict(Class::of_iokit(kr), None, ""),
            None => verdict(Class::OtherError, None, "the probe said nothing"),
        },
        Kind::Notify => match number("status") {
            Some(status) => verdict(of_notify(status), None, ""),
            None => verdict(Class::OtherError, None, "the probe said nothing"),
        },
        Kind::NotifyDistributed => {
            verdict(Class::NotWitnessed, None, "the call does not tell whether it was let through")
        }
        Kind::Signal => {
            let flag = |key: &str| details.as_ref().and_then(|details| details.get(key)?.as_bool());
            match (flag("child_received_signal"), errno_of("signal_errno")) {
                _ if flag("control_received_signal") == Some(false) => {
                    verdict(Class::NotWitnessed, None, "signals do not arrive without a profile either")
                }
                (Some(true), _) => verdict(Class::Allowed, None, ""),
                (_, Some(errno)) => verdict(Class::of_errno(errno), Some(errno), ""),
                _ => verdict(Class::OtherError, errno_of("errno"), "no child could be signalled"),
            }
        }
        Kind::Exec => match markers.iter().find(|marker| marker.stage == "exec") {
            None => verdict(Class::Allowed, None, ""),
            Some(marker) if operation.starts_with("process-exec") => {
                verdict(marker.errno.map_or(Class::OtherError, Class::of_errno), marker.errno, "")
            }
            Some(marker) => verdict(Class::ExecRefused, marker.errno, "the program could not be started"),
        },
        _ if code == 0 => verdict(Class::Allowed, None, ""),
        _ => match errno_of("errno").filter(|errno| *errno != 0) {
            Some(errno) => match Class::of_errno(errno) {
                Class::Denied if too_early => {
                    verdict(Class::OtherError, Some(errno), "refused before the profile was in force")
                }
                class => verdict(class, Some(errno), ""),
            },
            None => verdict(Class::OtherError, None, "the probe gave no error number"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPLIED: &str = "{\"tool\":\"sbpl-apply\",\"marker_schema_version\":1,\"stage\":\"apply\",\"pid\":1,\"rc\":0}\n\
                           {\"tool\":\"sbpl-apply\",\"marker_schema_version\":1,\"stage\":\"applied\",\"pid\":1,\"rc\":0}\n";

    fn class(kind: Kind, code: Option<i32>, stdout: &str) -> Class {
        let ended = Ended { pid: 1, code, stdout: stdout.to_owned(), stderr: APPLIED.to_owned() };
        read(kind, "process-exec", &ended, true).class
    }

    fn details(json: &str) -> String {
        format!("SBL_PROBE_DETAILS {json}\n")
    }

    /// Every way in which a probe can end without a decision has a class of its own.
    #[test]
    fn ends_and_their_classes() {
        for (kind, code, stdout, wanted) in [
            (Kind::Read, Some(0), "x".to_owned(), Class::Allowed),
            (Kind::Read, Some(2), details(r#"{"errno":1}"#), Class::Denied),
            (Kind::Read, Some(2), details(r#"{"errno":1,"before_profile":true}"#), Class::OtherError),
            (Kind::Read, Some(2), details(r#"{"errno":13}"#), Class::UnixPermission),
            (Kind::Read, Some(2), details(r#"{"errno":2}"#), Class::OtherError),
            (Kind::Read, Some(2), String::new(), Class::OtherError),
            (Kind::Read, None, String::new(), Class::Timeout),
            (Kind::Read, Some(-6), String::new(), Class::Crash),
            (Kind::Exec, Some(-6), String::new(), Class::LoaderStarvation),
            (Kind::Exec, Some(-5), String::new(), Class::Crash),
            (Kind::Exec, Some(3), String::new(), Class::Allowed),
            (Kind::Metadata, Some(1), "{\"status\":\"error\",\"errno\":1}\n".to_owned(), Class::Denied),
            (Kind::Mach, Some(1), details(r#"{"kr":1100}"#), Class::Denied),
            (Kind::Mach, Some(1), details(r#"{"kr":1102}"#), Class::MissingService),
            (Kind::Iokit, Some(1), details(r#"{"found":false,"open_kr":null}"#), Class::MissingService),
            (Kind::Iokit, Some(1), details(r#"{"found":true,"open_kr":-536870206}"#), Class::BadArgument),
            (Kind::Iokit, Some(1), details(r#"{"found":true,"open_kr":-536870174}"#), Class::Denied),
            (Kind::Notify, Some(1), details(r#"{"status":7}"#), Class::Denied),
            (Kind::NotifyDistributed, Some(0), details("{}"), Class::NotWitnessed),
            (Kind::Sysctl, Some(69), String::new(), Class::NotAvailable),
            (Kind::Connect, Some(64), String::new(), Class::BadArgument),
            (Kind::Signal, Some(0), details(r#"{"child_received_signal":true}"#), Class::Allowed),
            (Kind::Signal, Some(1), details(r#"{"child_received_signal":false,"signal_errno":1}"#), Class::Denied),
            (Kind::Signal, Some(1), details(r#"{"child_spawn_error":"x","errno":1}"#), Class::OtherError),
        ] {
            assert_eq!(class(kind, code, &stdout), wanted, "{kind:?} {code:?} {stdout}");
        }
    }

    #[test]
    fn what_happens_before_the_profile_is_in_force_is_no_decision() {
        let read_with = |code, stderr: &str| {
            let ended = Ended { pid: 1, code: Some(code), stdout: String::new(), stderr: stderr.to_owned() };
            read(Kind::Read, "file-read*", &ended, true)
        };
        let refused = "{\"tool\":\"sbpl-apply\",\"marker_schema_version\":1,\"stage\":\"apply\",\"pid\":1,\"rc\":-1,\
                       \"errno\":1,\"errbuf\":\"Operation not permitted\"}\n";
        let verdict = read_with(1, refused);
        assert_eq!((verdict.class, verdict.errno), (Class::ApplyRefused, Some(1)));
        assert_eq!(read_with(-11, "").class, Class::Crash);
        assert_eq!(read_with(1, "nothing").class, Class::ApplyRefused);
        assert_eq!(read_with(69, "there is no function sandbox_apply here").class, Class::NotAvailable);
    }

    /// An error number is the call's; an exit status is never taken for one.
    #[test]
    fn an_exit_status_is_no_error_number() {
        let ended = Ended { pid: 1, code: Some(2), stdout: String::new(), stderr: APPLIED.to_owned() };
        assert_eq!(read(Kind::Read, "file-read*", &ended, true).errno, None);
    }
}
