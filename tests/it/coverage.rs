//! `sbpl coverage --run`: the rules that decided the probes of a run, by the profile that the run was made of.

use std::path::Path;
use std::process::{Command, Output};

const PROFILE: &str = r#"(version 1)
(deny default)
(allow file-read* (literal "/private/a/never"))
(allow file-read* (subpath "/private/a") (literal "/tmp/f"))
(deny file-read-data (literal "/private/a/secret"))
(allow mach-lookup (global-name "com.example"))
"#;

fn sbpl(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sbpl")).args(words).current_dir(folder).output().unwrap()
}

fn run(folder: &Path) {
    run_on(folder, PROFILE, "simulated", 0);
}

fn run_on(folder: &Path, profile: &str, backend: &str, status: i32) {
    std::fs::write(folder.join("p.sb"), profile).unwrap();
    for (words, status) in [
        (&["plan", "build", "--from", "p.sb", "--out", "plan"][..], 0),
        (&["run", "plan/plan.json", "--out", "out", "--backend", backend, "--quiet"], status),
    ] {
        let output = sbpl(folder, words);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// How often each rule decided, by line; with the lines of those that never can.
fn counts(folder: &Path, file: &str) -> (Vec<(u64, u64)>, Vec<u64>) {
    let output = sbpl(folder, &["coverage", file, "--run", "out", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = document["rules"].as_array().unwrap();
    let line = |row: &serde_json::Value| row["line"].as_u64().unwrap();
    let counted = rows.iter().map(|row| (line(row), row["decided"].as_u64().unwrap())).collect();
    (counted, rows.iter().filter(|row| !row["never"].is_null()).map(line).collect())
}

fn at(counts: &[(u64, u64)], line: u64) -> u64 {
    counts.iter().find(|(each, _)| *each == line).unwrap().1
}

/// Every rule that a probe of the plan reaches is counted, a dead one is not; the counts are those of the recorded verdicts.
#[test]
fn the_rules_that_decided_the_probes_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path());
    let (counted, never) = counts(folder.path(), "p.sb");
    for line in [2, 4, 5, 6] {
        assert!(at(&counted, line) > 0, "line {line}: {counted:?}");
    }
    assert_eq!(at(&counted, 3), 0);
    assert_eq!(never, [3]);
}

/// Real processes say which rule let them, as they say which one refused.
#[cfg(target_os = "linux")]
#[test]
fn rules_that_let_real_processes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let profile = PROFILE.replace("(allow mach-lookup (global-name \"com.example\"))\n", "");
    run_on(folder.path(), &profile, "supervised", 1);
    let (counted, never) = counts(folder.path(), "p.sb");
    for line in [2, 4, 5] {
        assert!(at(&counted, line) > 0, "line {line}: {counted:?}");
    }
    assert_eq!((at(&counted, 3), never), (0, vec![3]));
}

/// A shim that moves rules does not move their counts to others.
#[test]
fn rules_that_a_shim_moved_are_found() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path());
    let (before, _) = counts(folder.path(), "p.sb");
    // The same rules three lines further down: as if the text of the run had been made of this one by a shim.
    let moved = PROFILE.replacen("(deny default)\n", "(deny default)\n\n;\n\n", 1);
    std::fs::write(folder.path().join("p.sb"), moved).unwrap();
    let (after, never) = counts(folder.path(), "p.sb");
    for line in [3, 4, 5, 6] {
        assert_eq!(at(&after, line + 3), at(&before, line), "line {line}");
    }
    assert_eq!((at(&after, 2), never), (at(&before, 2), vec![6]));
}

#[test]
fn a_run_of_other_profiles_and_a_changed_bundle_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path());
    std::fs::write(folder.path().join("other.sb"), PROFILE).unwrap();
    let output = sbpl(folder.path(), &["coverage", "other.sb", "--run", "out"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(65), "{message}");
    assert!(message.contains("no profile of this run is other.sb"), "{message}");
    let bundle = std::fs::read_dir(folder.path().join("out")).unwrap().flatten().map(|entry| entry.path());
    let bundle = bundle.into_iter().find(|path| path.is_dir()).unwrap();
    let results = bundle.join("runtime_results.json");
    let text = std::fs::read_to_string(&results).unwrap();
    std::fs::write(&results, text.replace("\"deny\"", "\"allow\"")).unwrap();
    let output = sbpl(folder.path(), &["coverage", "p.sb", "--run", "out"]);
    assert_eq!(output.status.code(), Some(65), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
}
