//! Drivers without a profile: what they say, and that nothing is said that the system did not.

use std::path::Path;

use serde_json::Value;

use super::super::transcript::{FdPath, take_details};
use super::{Kind, Probe, Request, exit};

/// Status, standard output, standard error.
fn try_out(request: &Request) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = Probe::prepare(request).run(&mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn on(kind: Kind, path: &Path) -> (u8, String, String) {
    try_out(&Request::new(kind, path.to_str().unwrap()))
}

fn details(stdout: &str) -> Value {
    take_details(stdout).1.unwrap()
}

/// Names of kinds come back, and every operation of the table has a kind of the table.
#[test]
fn kinds_have_names() {
    for name in Kind::names() {
        assert_eq!(Kind::named(name).unwrap().name(), name);
    }
    assert_eq!(Kind::of_operation("file-read*"), Some(Kind::Read));
    assert_eq!(Kind::of_operation("system-reboot"), None);
}

#[test]
fn the_writer_appends_and_the_reader_copies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("f");
    assert_eq!(on(Kind::Write, &path).0, exit::FINE);
    assert_eq!(on(Kind::WriteAt, &path).0, exit::FINE);
    for kind in [Kind::Read, Kind::ReadAt] {
        let (status, out, err) = on(kind, &path);
        assert_eq!((status, out.as_str()), (exit::FINE, "runtime-check\nruntime-check\n"));
        assert_eq!(FdPath::find(&err, "F_GETPATH"), Some(FdPath::Known(path.to_str().unwrap().to_owned())));
        assert!(FdPath::find(&err, "F_GETPATH_NOFIRMLINK").is_some());
    }
}

/// The forms of `spec/probe-runner.md` section 2.2 and the statuses of 2.3.
#[test]
fn failures_have_their_form_and_status() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none/f");
    assert_eq!(
        on(Kind::Read, &missing),
        (
            exit::OPEN_FAILED,
            // The status says only that it failed; the number stands in the details.
            "SBL_PROBE_DETAILS {\"syscall\":\"open target\",\"errno\":2}\n".to_owned(),
            "open target: No such file or directory\n".to_owned()
        )
    );
    assert_eq!(on(Kind::ReadAt, &missing).2, "open dir: No such file or directory\n");
    assert_eq!(on(Kind::ReadAt, &folder.path().join("f")).2, "openat target: No such file or directory\n");
    assert_eq!(on(Kind::Read, folder.path()).0, exit::READ_FAILED);
    let (status, _, err) = on(Kind::Exec, &missing);
    assert_eq!(status, exit::EXEC_FAILED);
    assert!(err.starts_with("execvp: No such file or directory\n{\"tool\":\"sbpl-apply\""), "{err}");
    assert_eq!(super::super::transcript::apply_markers(&err)[0].errno, Some(2));
}

#[test]
fn metadata_calls_report_their_errno() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, "x").unwrap();
    let request =
        |call: &str| Request { syscall: Some(call.to_owned()), ..Request::new(Kind::Metadata, path.to_str().unwrap()) };
    for call in ["lstat", "fstat", "chmod", "fchmod", "utimes", "futimes", "lutimes", "lchown", "fchown", "fchownat"] {
        let (status, out, _) = try_out(&request(call));
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((status, &report["status"], &report["syscall"]), (0, &"ok".into(), &call.into()));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(try_out(&request("lstat")).0, 2);
    assert_eq!(try_out(&request("no-such-call")).0, exit::NOT_AVAILABLE);
}

#[test]
fn processes_and_signals_work_without_a_profile() {
    let (status, out, _) = try_out(&Request::new(Kind::Fork, ""));
    assert_eq!((status, &details(&out)["child_status"]), (exit::FINE, &0.into()));
    let (status, out, _) = try_out(&Request::new(Kind::Signal, "same-sandbox"));
    let seen = details(&out);
    assert_eq!(status, exit::FINE, "{seen}");
    for key in ["handshake_ok", "signal_sent", "child_received_signal", "control_received_signal"] {
        assert_eq!(seen[key], true, "{key}");
    }
}

#[test]
fn sockets_are_connected_and_bound() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(on(Kind::Bind, &folder.path().join("s")).0, exit::FINE);
    assert_eq!(on(Kind::Connect, &folder.path().join("s")).0, exit::FAILED);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_eq!(try_out(&Request::new(Kind::Connect, address)).0, exit::FINE);
    assert_eq!(try_out(&Request::new(Kind::Connect, "example.com:80")).0, exit::USAGE);
}

/// What Linux has no call for is not available, never refused.
#[cfg(not(target_os = "macos"))]
#[test]
fn stand_ins_say_that_they_are_not_available() {
    for kind in [Kind::Sysctl, Kind::Notify, Kind::Mach, Kind::Iokit] {
        let (status, out, _) = try_out(&Request::new(kind, "com.example"));
        assert_eq!((status, &details(&out)["status"]), (exit::NOT_AVAILABLE, &"not_available".into()), "{kind:?}");
    }
}
