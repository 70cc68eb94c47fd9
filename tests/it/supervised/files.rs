//! Files: what is refused, under whatever name.

use super::*;

const ALL_BUT: &str = "(allow default)";

#[test]
fn a_command_runs_and_its_output_comes_through() {
    let run = run(ALL_BUT, "/bin/sh", &["-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!((run.status(), run.stdout().as_str(), run.stderr().as_str()), (3, "out\n", "err\n"));
    assert!(run.denials.is_empty(), "{:?}", run.denials);
}

#[test]
fn an_unreadable_file_is_refused_with_the_rule() {
    let fixture = Fixture::new();
    fixture.file("secret", "secret\n");
    fixture.file("open", "open\n");
    let profile = format!("{ALL_BUT}(deny file-read-data (literal \"{}\"))", fixture.model("secret"));
    let run = run(&profile, "/bin/cat", &[&fixture.host("open"), &fixture.host("secret")]);
    assert_eq!(run.stdout(), "open\n");
    assert!(run.stderr().contains("Operation not permitted"), "{}", run.stderr());
    assert_eq!(run.denied(), [("file-read-data", fixture.model("secret").as_str())]);
    let denial = &run.denials[0];
    assert_eq!((denial.syscall, denial.errno, denial.reported), ("openat", 1, true));
    assert!(denial.rule.is_some() && denial.process.contains("/cat"), "{denial:?}");
}

#[test]
fn the_exec_itself_can_be_refused() {
    let run = run("(deny default)", "/bin/cat", &["/etc/hosts"]);
    assert_eq!(run.ended.how, How::ExecRefused);
    assert_eq!(run.denials[0].operation, "process-exec*");
}

#[test]
fn a_program_without_its_loader_starves() {
    let run = run("(deny default)(allow process-exec*)", "/bin/cat", &["/etc/hosts"]);
    assert_eq!(run.status(), 127, "{}", run.stderr());
    assert!(run.denials.iter().all(|denial| denial.operation.starts_with("file-")), "{:?}", run.denied());
}

#[test]
fn a_program_that_is_not_there_is_no_denial() {
    let mut denials = 0;
    let supervisor = Supervisor::new(judge(ALL_BUT), Mapping::host());
    let mut command = Command::new("/nonexistent/program");
    command.stdio = Stdio::Capture { limit: 100 };
    let ended = supervisor.run(&command, &mut |_| denials += 1);
    assert_eq!(ended, Err(sbpl::sandbox::supervised::SuperviseError::Exec { errno: libc::ENOENT }));
    assert_eq!(denials, 0);
}
