//! The story of the notes, with real processes: `sbpl exec`, and the built-in plan under the supervisor.
//!
//! In CI a system that cannot supervise processes is a failure; elsewhere these tests pass it over.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sbpl::diag::Source;
use sbpl::probe::artifact::RuntimeResults;
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sbpl::sandbox::class::Class;
use sbpl::sandbox::supervised::{Supervised, availability};
use sbpl::sandbox::{Action, Backend, Outcome, ProbeSetup, ProfileInput, Rules, Setup, Simulated};
use sbpl::shim;

const SBPL: &str = env!("CARGO_BIN_EXE_sbpl");

pub fn left_out() -> bool {
    match availability() {
        Ok(()) => false,
        Err(reason) => {
            assert!(std::env::var_os("CI").is_none(), "in CI processes must be supervised: {reason}");
            true
        }
    }
}

fn profile(name: &str) -> String {
    format!("{}/profiles/{name}.sb", env!("CARGO_MANIFEST_DIR"))
}

fn exec(arguments: &[&str]) -> Output {
    Command::new(SBPL).arg("exec").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn status(arguments: &[&str]) -> Option<i32> {
    exec(arguments).status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `v1_read` alone may not execute anything; with process-exec it runs, reads, and may not write.
#[test]
fn bucket_4_runs_with_process_exec() {
    if left_out() {
        return;
    }
    let v1 = profile("bucket4/v1_read");
    let refused = exec(&["-f", &v1, "--", "/bin/cat", "/etc/hosts"]);
    assert_eq!(refused.status.code(), Some(71));
    assert!(stderr(&refused).contains("Operation not permitted"), "{}", stderr(&refused));
    let runs = exec(&["-f", &v1, "--shim", "process-exec", "--", "/bin/cat", "/etc/hosts"]);
    assert_eq!(runs.status.code(), Some(0), "{}", stderr(&runs));
    assert_eq!(runs.stdout, std::fs::read("/etc/hosts").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let script = format!("echo x > {}", path.display());
    let writes = exec(&["-f", &v1, "--shim", "process-exec", "--", "/bin/sh", "-c", &script]);
    assert_ne!(writes.status.code(), Some(0));
    assert!(!path.exists());
}

/// `v11_read_subpath` alone: refused. With process-exec only, the loader is refused its files and ends with 127. With the system's
/// files it runs here; on macOS it was still aborted.
#[test]
fn bucket_5_needs_the_systems_files() {
    if left_out() {
        return;
    }
    let v11 = profile("bucket5/v11_read_subpath");
    assert_eq!(status(&["-f", &v11, "--", "/usr/bin/true"]), Some(71));
    let starved = exec(&["-f", &v11, "--shim", "process-exec", "--log-denials", "--", "/usr/bin/true"]);
    assert_eq!(starved.status.code(), Some(127));
    assert!(stderr(&starved).contains("error while loading shared libraries"), "{}", stderr(&starved));
    assert!(stderr(&starved).contains("file-read-data"), "{}", stderr(&starved));
    let both = ["-f", &v11, "--shim", "process-exec", "--shim", "system-reads", "--", "/usr/bin/true"];
    assert_eq!(status(&both), Some(0));
}

/// Status and signal are the command's; a name is found in `PATH`; what does not exist is not executed.
#[test]
fn the_commands_ends_are_its_own() {
    if left_out() {
        return;
    }
    let allow = ["-p", "(version 1)(allow default)"];
    let run = |words: &[&str]| status(&[&allow[..], words].concat());
    assert_eq!(run(&["--", "/bin/sh", "-c", "exit 7"]), Some(7));
    assert_eq!(run(&["--", "/bin/sh", "-c", "kill -TERM $$"]), Some(128 + 15));
    assert_eq!(run(&["sh", "-c", "exit 3"]), Some(3));
    assert_eq!(run(&["/no/such/program"]), Some(71));
}

/// A signal to the supervisor is the command's: it may catch it, and its own end is what is told.
#[test]
fn signals_are_the_commands() {
    if left_out() {
        return;
    }
    for (script, status) in
        [("trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done", 9), ("echo ready; exec sleep 20", 128 + 15)]
    {
        let mut child = Command::new(SBPL)
            .args(["exec", "-p", "(version 1)(allow default)", "--", "/bin/sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(child.wait().unwrap().code(), Some(status), "{script}");
    }
}

/// What programs build on: reading a link that is none is an invalid argument, so real paths can be found.
#[test]
fn real_paths_are_found() {
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    std::fs::write(real.join("file"), "").unwrap();
    std::os::unix::fs::symlink("file", real.join("link")).unwrap();
    let link = real.join("link");
    let found = exec(&["-p", "(version 1)(allow default)", "--", "realpath", link.to_str().unwrap()]);
    assert_eq!(
        String::from_utf8_lossy(&found.stdout).trim(),
        real.join("file").to_str().unwrap(),
        "{}",
        stderr(&found)
    );
}

/// JSON lines name the process, what was asked, and the rule with its place.
#[test]
fn denials_are_logged_with_their_rule() {
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (log, text) = (folder.path().join("denials"), folder.path().join("p.sb"));
    std::fs::write(&text, "(version 1)\n(allow default)\n(deny file-read-data (literal \"/private/etc/hosts\"))\n")
        .unwrap();
    let to = format!("--log-denials={}", log.display());
    let output = exec(&["-f", text.to_str().unwrap(), &to, "--", "/bin/cat", "/etc/hosts"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = std::fs::read_to_string(log).unwrap();
    let denial: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(denial["operation"], "file-read-data");
    assert_eq!(denial["argument"], "/private/etc/hosts");
    assert_eq!((&denial["errno"], &denial["rule"]["line"]), (&1.into(), &3.into()));
    assert!(denial["process"].as_str().unwrap().ends_with("/cat"), "{denial}");
}

fn verdicts(backend: &str) -> Vec<(String, String, Option<String>)> {
    let out = tempfile::tempdir().unwrap();
    let ran =
        Command::new(SBPL).args(["run", "--backend", backend, "--out", out.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&ran.stdout), stderr(&ran));
    let latest = std::fs::read_to_string(out.path().join("LATEST")).unwrap();
    let bundle: PathBuf = out.path().join(latest.trim());
    let results: RuntimeResults =
        serde_json::from_slice(&std::fs::read(bundle.join("runtime_results.json")).unwrap()).unwrap();
    let rows = results.iter().flat_map(|(id, profile)| {
        profile.probes.iter().map(move |probe| {
            let actual = probe.actual.map(|actual| actual.name().to_owned());
            (id.clone(), probe.name.clone().unwrap_or_default(), actual)
        })
    });
    rows.collect()
}

/// The golden profiles: the verdicts of the notes from real system calls, and the same from the engine alone.
#[test]
fn the_built_in_plan_gives_the_notes_verdicts_from_real_calls() {
    if left_out() {
        return;
    }
    let real = verdicts("supervised");
    assert!(real.iter().filter(|(_, _, actual)| actual.is_some()).count() >= 26);
    assert_eq!(real, verdicts("simulated"));
}

/// Bucket 5 in its older, wide form: everything but what is probed is allowed.
#[test]
fn bucket_5_in_its_wide_form() {
    if left_out() {
        return;
    }
    let id = "bucket5:v11_read_subpath";
    let base = std::fs::read(profile("bucket5/v11_read_subpath")).unwrap();
    let text = ["runtime-base", "bucket5-allow-default"]
        .iter()
        .fold(base, |text, name| shim::apply(shim::built_in(name).unwrap(), text.as_slice(), Some(id)).unwrap().text);
    let policy = evaluate(Source::new("wide.sb", text.as_slice()), &NoImports, &EvalOptions::default()).unwrap().policy;
    let input = ProfileInput { bytes: text.into(), rules: Rules::Policy(Arc::new(policy)) };
    let probes = [
        ("file-read*", "/tmp/foo", Outcome::Allow),
        ("file-read*", "/tmp/bar", Outcome::Deny),
        ("file-write*", "/tmp/foo", Outcome::Deny),
    ];
    let actions = probes.map(|(operation, target, _)| Action {
        operation: operation.to_owned(),
        target: target.to_owned(),
        ..Action::default()
    });
    let scratch = tempfile::tempdir().unwrap();
    let real = Supervised::open(&setup(scratch.path())).unwrap();
    for backend in [&real as &dyn Backend, &Simulated::macos_14()] {
        backend.prepare(&actions).unwrap();
        let mut session = backend.apply(&input).unwrap();
        for (action, (_, _, expected)) in actions.iter().zip(&probes) {
            let seen = session.try_action(action);
            assert_eq!(seen.outcome, *expected, "{:?} {seen:?}", backend.kind());
        }
    }
}

/// Each way that a probe can end has its class; only a refusal by the profile is a denial.
#[test]
fn ends_of_probes_have_their_classes() {
    if left_out() {
        return;
    }
    let denied = |rule: &'static str, operation, target| (rule, operation, target, Class::Denied);
    let cases = [
        ("", "signal", "same-sandbox", Class::Allowed),
        denied("(deny signal (target same-sandbox))", "signal", "same-sandbox"),
        denied("(deny process-fork)", "process-fork", "self"),
        ("", "process-exec", "/usr/bin/true", Class::Allowed),
        denied("(deny process-exec* (literal \"/usr/bin/true\"))", "process-exec", "/usr/bin/true"),
        ("(deny file-read-data (subpath \"/usr/lib\"))", "process-exec", "/usr/bin/true", Class::LoaderStarvation),
        ("", "sysctl-read", "kern.ostype", Class::Allowed),
        denied("(deny sysctl-read (sysctl-name \"kern.ostype\"))", "sysctl-read", "kern.ostype"),
        ("(deny default)", "mach-lookup", "com.example", Class::NotAvailable),
        ("(deny default)", "sysctl-read", "hw.no-such-value", Class::NotAvailable),
    ];
    let scratch = tempfile::tempdir().unwrap();
    let backend = Supervised::open(&setup(scratch.path())).unwrap();
    for (rule, operation, target, class) in cases {
        let text = format!("(version 1)\n(allow default)\n{rule}\n");
        let source = Source::new("case.sb", text.as_bytes());
        let policy = evaluate(source, &NoImports, &EvalOptions::default()).unwrap().policy;
        let input = ProfileInput { bytes: text.as_bytes().into(), rules: Rules::Policy(Arc::new(policy)) };
        let action = Action { operation: operation.to_owned(), target: target.to_owned(), ..Action::default() };
        let seen = backend.apply(&input).unwrap().try_action(&action);
        assert_eq!(seen.evidence.class, Some(class), "{rule} {operation} {target}: {seen:?}");
        assert_eq!((seen.outcome, seen.stage), (class.outcome(), class.stage()));
        let decided = matches!(class, Class::Allowed | Class::Denied);
        assert_eq!(seen.decided_by.is_some(), decided, "{rule} {operation}: {seen:?}");
    }
}

/// A probe that takes longer than it may is a timeout, whatever was refused before; without a profile too.
#[test]
fn slow_probes_are_timeouts() {
    use std::os::unix::fs::PermissionsExt;
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().canonicalize().unwrap().join("slow");
    std::fs::write(&program, "#!/bin/sh\ncat /etc/hosts\nsleep 60\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let limited = Setup { time_limit: Duration::from_millis(600), ..setup(scratch.path()) };
    let backend = Supervised::open(&limited).unwrap();
    let text = "(version 1)\n(allow default)\n(deny file-read* (literal \"/private/etc/hosts\"))\n";
    let policy = evaluate(Source::new("case.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy;
    let input = ProfileInput { bytes: text.as_bytes().into(), rules: Rules::Policy(Arc::new(policy)) };
    let target = program.to_str().unwrap().to_owned();
    let action = Action { operation: "process-exec".to_owned(), target, ..Action::default() };
    let started = Instant::now();
    let confined = backend.apply(&input).unwrap().try_action(&action);
    let unconfined = backend.try_unconfined(&action);
    assert!(started.elapsed() < Duration::from_secs(20));
    for seen in [confined, unconfined] {
        assert_eq!((seen.evidence.class, seen.outcome), (Some(Class::Timeout), Outcome::Undecided), "{seen:?}");
        assert_eq!(seen.exit_code, None);
    }
}

/// What a probe holds when the profile comes into force can be used, though it cannot be opened any more; what cannot be held is
/// not available.
#[test]
fn held_files_can_be_used() {
    if left_out() {
        return;
    }
    let text = "(version 1)\n(allow default)\n(deny file-read* file-write* (subpath \"/private/tmp/held\"))\n(deny mach-lookup)\n";
    let policy = evaluate(Source::new("case.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy;
    let input = ProfileInput { bytes: text.as_bytes().into(), rules: Rules::Policy(Arc::new(policy)) };
    let cases = [
        ("file-read*", "/tmp/held/a", true, Class::Allowed),
        ("file-read*", "/tmp/held/a", false, Class::Denied),
        ("file-write*", "/tmp/held/b", true, Class::Allowed),
        ("file-write*", "/tmp/held/b", false, Class::Denied),
        ("mach-lookup", "com.example", true, Class::NotAvailable),
        ("file-read-metadata", "/tmp/held/a", true, Class::NotAvailable),
        // It was never there, with or without a profile.
        ("file-read*", "/tmp/none/gone", true, Class::OtherError),
    ];
    let action = |(operation, target, early, _): &(&str, &str, bool, Class)| Action {
        operation: (*operation).to_owned(),
        target: (*target).to_owned(),
        early: *early,
        ..Action::default()
    };
    let scratch = tempfile::tempdir().unwrap();
    let backend = Supervised::open(&setup(scratch.path())).unwrap();
    backend.prepare(&cases[..4].iter().map(action).collect::<Vec<_>>()).unwrap();
    let mut confined = backend.apply(&input).unwrap();
    for case in &cases {
        let seen = confined.try_action(&action(case));
        assert_eq!((seen.evidence.class, seen.outcome), (Some(case.3), case.3.outcome()), "{case:?}: {seen:?}");
        // Where the fixtures really are is nobody's business.
        let root = scratch.path().canonicalize().unwrap().display().to_string();
        assert!(!format!("{seen:?}").contains(&root), "{seen:?}");
    }
    let simulated = Simulated::macos_14().apply(&input).unwrap().try_action(&action(&cases[0]));
    assert_eq!((simulated.evidence.class, simulated.outcome), (Some(Class::NotAvailable), Outcome::Undecided));
}

fn setup(scratch: &Path) -> Setup {
    let probes = ProbeSetup { driver: PathBuf::from(SBPL), scratch: scratch.canonicalize().unwrap() };
    Setup { probes: Some(probes), ..Setup::macos_14() }
}
