//! `sbpl run` that is ended by a signal: with the status of that signal, and without leaving anything behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sbpl::probe::bundle;
use sbpl::probe::golden;
use serde_json::{Value, json};

use super::exec::left_out;

/// Longer than any of these tests may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A plan whose one probe sleeps.
struct Slow {
    folder: tempfile::TempDir,
    sleeper: String,
}

impl Slow {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let sleeper = format!("{}{:03}", 300_000 + std::process::id() % 100_000, NEXT.fetch_add(1, Ordering::Relaxed));
        let slow = Self { sleeper, folder };
        std::fs::create_dir(slow.at("tmp")).unwrap();
        std::fs::write(slow.at("p.sb"), "(version 1)\n(allow default)\n").unwrap();
        let program = slow.at("slow");
        // A child besides, which leaves its parent's session.
        let script = format!("#!/bin/sh\nsetsid sleep {0} &\nsleep {0}\n", slow.sleeper);
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = program.canonicalize().unwrap();
        let probe = json!({"name": "slow", "operation": "process-exec", "target": program, "expected": "allow"});
        let mut matrix = json!(golden::plan_set().unwrap().expected);
        matrix["profiles"] = json!({"p": {"blob": "p.sb", "probes": [probe]}});
        std::fs::write(slow.at("matrix.json"), matrix.to_string()).unwrap();
        slow
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The run, once its probe sleeps. `before` is done by the shell that becomes it.
    fn start(&self, before: &str) -> Child {
        let script = format!("{before}exec \"$0\" run -q --backend supervised --matrix matrix.json --time-limit 600");
        // Whoever runs the tests may ignore signals, and that is inherited.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=HUP,INT,TERM", "/bin/sh", "-c", &script, env!("CARGO_BIN_EXE_sbpl")])
            .current_dir(self.folder.path());
        command.env("TMPDIR", self.at("tmp")).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        until("the probe sleeps", || self.sleepers() == 2);
        child
    }

    fn sleepers(&self) -> usize {
        let wanted = format!("sleep\0{}\0", self.sleeper);
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let line = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            (line == wanted.as_bytes()).then_some(())
        });
        processes.count()
    }

    fn left(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.at("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

fn status_document(out: &Path) -> Value {
    let listing = bundle::list(out).unwrap();
    assert_eq!((listing.latest, listing.bundles.len()), (None, 1));
    let listed = &listing.bundles[0];
    assert!(!listed.verified, "an interrupted run is no complete bundle");
    let text = std::fs::read(out.join(&listed.run_id).join("run_status.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn each_signal_ends_the_run_and_everything_of_it() {
    if left_out() {
        return;
    }
    for (name, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let slow = Slow::new();
        let child = slow.start("");
        let begin = Instant::now();
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        assert!(begin.elapsed() < PATIENCE);
        assert_eq!(ended.status.code(), Some(status), "{name}");
        let words = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(words.contains("E0610") && words.contains("interrupted"), "{words}");
        assert_eq!((slow.sleepers(), slow.left()), (0, vec![]), "{name}");
        let document = status_document(&slow.at("out"));
        assert_eq!((&document["state"], &document["failure_stage"]), (&json!("failed"), &json!("interrupted")));
        let mut validate = Command::new(env!("CARGO_BIN_EXE_sbpl"));
        assert_ne!(validate.args(["bundle", "validate"]).arg(slow.at("out")).output().unwrap().status.code(), Some(0));
    }
}

/// What is ignored when the run starts (nohup) stays ignored.
#[test]
fn an_ignored_signal_does_not_end_the_run() {
    if left_out() {
        return;
    }
    let slow = Slow::new();
    let mut child = slow.start("trap '' HUP; ");
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none() && slow.sleepers() == 2);
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!((slow.sleepers(), slow.left()), (0, vec![]));
}

/// A killed run cannot tidy up: its processes end with it, its folder goes with the next run; that of a living one stays.
#[test]
fn the_next_run_removes_what_a_killed_one_left() {
    if left_out() {
        return;
    }
    let slow = Slow::new();
    let mut child = slow.start("");
    let next = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sbpl"));
        command.args(["run", "-q", "--backend", "simulated", "--out"]).arg(slow.at("other")).stdout(Stdio::null());
        assert!(command.env("TMPDIR", slow.at("tmp")).status().unwrap().success());
    };
    next();
    assert_eq!(slow.left().len(), 1, "a living run keeps its folder");
    child.kill().unwrap();
    child.wait().unwrap();
    until("the killed run's processes end", || slow.sleepers() == 0);
    assert_eq!(slow.left().len(), 1);
    next();
    assert_eq!(slow.left(), Vec::<PathBuf>::new());
}
