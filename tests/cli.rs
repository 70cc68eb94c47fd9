//! Runs the command as the head of each file under `tests/cli` says.
//!
//! ```text
//! ;; RUN: parse --json %            exit status 0
//! ;; FAIL 65: compile % -o %t/out   exit status 65
//! ;; RUN[name]: …                   a second command; its files are NAME.name.stdout and NAME.name.stderr
//! ```
//!
//! `%` is the file's name (the command runs in its folder), `%t` an empty temporary folder. Standard output and standard
//! error must equal `NAME.stdout` and `NAME.stderr` beside the file; a missing file means that nothing may be printed there.
//! `BLESS=1` writes what was printed instead of comparing.

// A test harness may print, and panics are how it fails.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};

struct Step {
    label: String,
    status: i32,
    words: Vec<String>,
}

fn steps(text: &[u8]) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for line in String::from_utf8_lossy(text).lines() {
        let Some(rest) = line.strip_prefix(";; ") else { break };
        let Some((head, command)) = rest.split_once(':') else { continue };
        let (verb, label) = match head.split_once('[') {
            Some((verb, label)) => (verb, label.trim_end_matches(']').to_owned()),
            None => (head, String::new()),
        };
        let status = match verb.split_once(' ') {
            None if verb == "RUN" => 0,
            Some(("FAIL", status)) => status.parse().map_err(|_| format!("bad status in {line:?}"))?,
            _ => continue,
        };
        let words = split_words(command);
        steps.push(Step { label, status, words });
    }
    Ok(steps)
}

/// Splits at blanks; `'…'` keeps blanks.
fn split_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut open, mut quoted) = (false, false);
    for c in text.chars() {
        match c {
            '\'' => {
                if !open {
                    words.push(String::new());
                    open = true;
                }
                quoted = !quoted;
            }
            c if c.is_whitespace() && !quoted => open = false,
            c => {
                if !open {
                    words.push(String::new());
                    open = true;
                }
                words.last_mut().unwrap().push(c);
            }
        }
    }
    words
}

fn run(path: &Path, step: &Step) -> Result<(), Failed> {
    let folder = path.parent().unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let temporary = tempfile::tempdir()?;
    let inside = temporary.path().to_str().unwrap();
    let words = step.words.iter().map(|word| match word.strip_prefix("%t") {
        Some(rest) => format!("{inside}{rest}"),
        None if word == "%" => name.to_owned(),
        None => word.clone(),
    });
    let output = Command::new(env!("CARGO_BIN_EXE_sbpl"))
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()?;
    let mut problems = Vec::new();
    if output.status.code() != Some(step.status) {
        problems.push(format!("{} where exit status {} is expected", output.status, step.status));
    }
    for (kind, printed) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let printed = String::from_utf8_lossy(printed).replace(inside, "%t");
        let label = if step.label.is_empty() { String::new() } else { format!(".{}", step.label) };
        let expected_path = folder.join(format!("{name}{label}.{kind}"));
        if std::env::var_os("BLESS").is_some() {
            if printed.is_empty() {
                let _ = fs::remove_file(&expected_path);
            } else {
                fs::write(&expected_path, &printed)?;
            }
            continue;
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if printed != expected {
            let diff = similar::TextDiff::from_lines(&expected, &printed);
            let shown = expected_path.display();
            problems.push(format!(
                "{shown} differs (BLESS=1 rewrites it):\n{}",
                diff.unified_diff().header("expected", "printed")
            ));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    if problems.len() == 1 && output.status.code() != Some(step.status) {
        problems.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Err(problems.join("\n").into())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if !matches!(path.extension().and_then(|e| e.to_str()), Some("stdout" | "stderr")) {
            files.push(path);
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut trials = Vec::new();
    for path in files {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        match steps(&fs::read(&path).unwrap()) {
            Err(problem) => trials.push(Trial::test(name, move || Err(problem.into()))),
            Ok(steps) => {
                for step in steps {
                    let path = path.clone();
                    let label = if step.label.is_empty() { String::new() } else { format!(" {}", step.label) };
                    trials.push(Trial::test(format!("{name}{label}"), move || run(&path, &step)));
                }
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
