//! Every family of calls: refused under its operation, and really done where it is allowed.

use super::child::act;
use super::*;

/// A shell line that succeeds, and the operation whose refusal (on the path in the third place) makes it fail.
const LINES: &[(&str, &str, &str)] = &[
    ("cat f", "file-read-data", "f"),
    ("echo x >> f", "file-write-data", "f"),
    ("echo x > new", "file-write-create", "new"),
    ("stat f", "file-read-metadata", "f"),
    ("stat -f f", "file-read-metadata", "f"),
    ("test -e f", "file-read-metadata", "f"),
    ("test -r f", "file-read-data", "f"),
    ("test -w f", "file-write-data", "f"),
    ("readlink l", "file-read-metadata", "l"),
    ("rm f", "file-write-unlink", "f"),
    ("rmdir d", "file-write-unlink", "d"),
    ("mv f new", "file-write-unlink", "f"),
    ("mv f new", "file-write-create", "new"),
    ("mv -T f g", "file-write-unlink", "g"),
    ("ln f new", "file-link", "f"),
    ("ln f new", "file-write-create", "new"),
    ("ln -s f new", "file-write-create", "new"),
    ("mkdir new", "file-write-create", "new"),
    ("mkfifo new", "file-write-create", "new"),
    ("chmod 600 f", "file-write-mode", "f"),
    ("chown $(id -u) f", "file-write-owner", "f"),
    ("touch f", "file-write-times", "f"),
    ("touch -h l", "file-write-times", "l"),
    ("ls d", "file-read-data", "d"),
    ("./script", "process-exec*", "script"),
    ("./script", "process-exec-interpreter", ""),
];

fn folder() -> Fixture {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    fixture.file("f", "text\n");
    fixture.file("g", "other\n");
    let script = fixture.file("script", "#!/bin/sh\nexit 0\n");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(fixture.host("d")).unwrap();
    std::os::unix::fs::symlink("f", fixture.host("l")).unwrap();
    fixture
}

fn shell(fixture: &Fixture, profile: &str, line: &str) -> Run {
    let mut command = Command::new("/bin/sh");
    command.args = vec!["-c".into(), format!("umask 027; {line}").into()];
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    command.cwd = Some(fixture.folder.path().into());
    run_command(profile, Mapping::host(), &command)
}

#[test]
fn each_operation_refuses_its_call_and_nothing_else_does() {
    for (line, operation, name) in LINES {
        let fixture = folder();
        let path = fixture.model(name);
        let filter = if name.is_empty() { String::new() } else { format!(" (literal \"{path}\")") };
        let refused = shell(&fixture, &format!("(allow default)(deny {operation}{filter})"), line);
        assert_ne!(refused.status(), 0, "{line}");
        assert!(
            refused.denials.iter().any(|denial| denial.operation == *operation && denial.argument.ends_with(name)),
            "{line} under {operation}: {:?}",
            refused.denied()
        );
        let allowed = shell(&folder(), "(allow default)", line);
        assert_eq!((allowed.status(), allowed.denied()), (0, vec![]), "{line}: {}", allowed.stderr());
    }
}

#[test]
fn what_is_allowed_is_really_done() {
    let fixture = folder();
    let script = "echo one > new; mkdir dir; chmod 604 g; ln f hard; ln -s f soft; mv g moved; mkfifo pipe; \
        touch -d 2001-02-03T04:05:06Z f; truncate -s 2 hard; rm l; stat -c %a new dir moved pipe; \
        (echo through > pipe &); cat pipe soft";
    let run = shell(&fixture, "(allow default)", script);
    assert_eq!(run.stderr(), "");
    assert_eq!(run.stdout(), "640\n750\n604\n640\nthrough\nte");
    assert!(!Path::new(&fixture.host("l")).exists());
    assert_eq!(std::fs::read_to_string(fixture.host("new")).unwrap(), "one\n");
}

#[test]
fn extended_attributes() {
    let fixture = folder();
    let path = fixture.model("f");
    act("(allow default)", "xattr", &fixture.host("f")).all(0);
    let read =
        format!("(allow default)(deny file-read-xattr (require-all (literal \"{path}\") (xattr \"user.sbpl\")))");
    let results = act(&read, "xattr", &fixture.host("f")).results();
    assert_eq!(results.iter().map(|(_, errno)| *errno).collect::<Vec<_>>(), [0, libc::EPERM, 0, 0]);
    let write = format!("(allow default)(deny file-write-xattr (literal \"{path}\"))");
    let results = act(&write, "xattr", &fixture.host("f")).results();
    let errors: Vec<_> = results.iter().map(|(_, errno)| *errno).collect();
    assert_eq!(errors, [libc::EPERM, libc::ENODATA, 0, libc::EPERM]);
}

#[test]
fn descriptors_are_judged_by_the_path_behind_them() {
    let fixture = folder();
    act("(allow default)", "descriptor", &fixture.host("f")).all(0);
    let rule = format!("(allow default)(deny file-write* (literal \"{}\"))", fixture.model("f"));
    let run = act(&rule, "descriptor", &fixture.host("f"));
    run.all(libc::EPERM);
    let operations: Vec<_> = run.denied().into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(operations, ["file-write-mode", "file-write-owner", "file-write-times", "file-write-xattr"]);
}

#[test]
fn sockets() {
    let denied = |rule: &str| {
        let fixture = Fixture::new();
        let run = act(&format!("(allow default){rule}"), "network", &fixture.host("s"));
        let failed = run.results().into_iter().filter(|(_, errno)| *errno == libc::EPERM).map(|(name, _)| name);
        (failed.collect::<Vec<_>>(), run.denials)
    };
    assert_eq!(denied(""), (vec![], vec![]));
    assert_eq!(denied("(deny network-outbound (remote ip \"localhost:*\"))").0, ["connect", "send to"]);
    assert_eq!(denied("(deny network-outbound (remote tcp))").0, ["connect"]);
    assert_eq!(denied("(deny network-outbound (remote udp))").0, ["send to"]);
    assert_eq!(denied("(deny network-outbound (subpath \"/private/tmp\"))").0, ["unix connect", "unix send to"]);
    assert_eq!(denied("(deny network-bind (local ip \"localhost:*\"))").0[0], "bind");
    assert_eq!(denied("(deny network-bind (subpath \"/private/tmp\"))").0, ["unix bind"]);
    assert_eq!(denied("(deny network-inbound (local tcp))").0[0], "bind");
    assert_eq!(denied("(deny system-socket)").0, ["netlink"]);
}

#[test]
fn signals_by_what_the_target_is() {
    // What fails, and how often the profile is the reason: without privileges nobody may signal the first process anyway.
    let tried = |rule: &str| {
        let run = act(&format!("(allow default){rule}"), "signals", "");
        let failed = run.results().into_iter().filter(|(_, errno)| *errno == libc::EPERM).map(|(name, _)| name);
        (failed.collect::<Vec<_>>(), run.denials.len())
    };
    // The keeper is nobody's to signal.
    let (anyway, none) = tried("");
    assert_eq!((anyway[0].as_str(), none), ("parent of the run", 0));
    let with = |name: &str| {
        let mut failed = anyway.clone();
        failed.extend((!anyway.iter().any(|known| known == name)).then(|| name.to_owned()));
        failed
    };
    assert_eq!(tried("(deny signal (target initproc))"), (with("init"), 1));
    assert_eq!(tried("(deny signal (target children))"), (with("child"), 1));
    assert_eq!(tried("(deny signal)(allow signal (target same-sandbox))"), (with("init"), 1));
}

#[test]
fn code_is_mapped_from_files_that_may_be_code() {
    let fixture = folder();
    let path = fixture.file("code", &"x".repeat(8192));
    act("(allow default)", "code", path.to_str().unwrap()).all(0);
    let rule = format!("(allow default)(deny file-map-executable (literal \"{}\"))", fixture.model("code"));
    let results = act(&rule, "code", path.to_str().unwrap()).results();
    assert_eq!(results.iter().map(|(_, errno)| *errno).collect::<Vec<_>>(), [0, libc::EPERM, libc::EPERM]);
}

#[test]
fn forks_processes_and_controls() {
    let fixture = folder();
    let fork = shell(&fixture, "(allow default)(deny process-fork)", "(exit 0) && /bin/true; true");
    assert_ne!(fork.status(), 0);
    assert_eq!(fork.denied(), [("process-fork", "")]);
    let info = "(allow default)(deny process-info-pidinfo (target self))";
    let run = shell(&fixture, info, "cat /proc/self/status");
    assert_ne!(run.status(), 0);
    assert_eq!(run.denials[0].operation, "process-info-pidinfo");
    let control = "(allow default)(deny sysctl-read (sysctl-name \"kern.ostype\"))";
    let run = shell(&fixture, control, "cat /proc/sys/kernel/osrelease && cat /proc/sys/kernel/ostype");
    assert_eq!(run.denied(), [("sysctl-read", "kern.ostype")]);
    let ioctl = "(allow default)(deny file-ioctl (literal \"/dev/null\"))";
    assert_eq!(shell(&fixture, ioctl, "test -t 3 3</dev/null").denied(), [("file-ioctl", "/dev/null")]);
}

#[test]
fn modifiers_of_the_refusing_rule_hold() {
    let fixture = folder();
    let path = fixture.model("f");
    let errno = format!("(allow default)(deny file-read-data (literal \"{path}\") (with errno 2) (with no-report))");
    let run = shell(&fixture, &errno, "cat f");
    assert!(run.stderr().contains("No such file"), "{}", run.stderr());
    assert_eq!((run.denials[0].errno, run.denials[0].reported), (2, false));
    let signal = format!("(allow default)(deny file-read-data (literal \"{path}\") (with send-signal SIGKILL))");
    assert_eq!(shell(&fixture, &signal, "cat f").status(), 137);
}
