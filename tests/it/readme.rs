//! The README shows what the command prints: each `$ sbpl …` of it is run, in order, in one folder.
//!
//! A line `…` stands for any lines, one that ends in `…` for any line that begins so. `$ cat FILE` shows a file that the following
//! commands find. Runs of real processes hang on the system and have tests of their own.

use std::path::Path;
use std::process::Command;

/// A command of the README with the lines under it.
struct Shown<'r> {
    command: &'r str,
    lines: Vec<&'r str>,
}

fn shown(readme: &str) -> Vec<Shown<'_>> {
    let mut out: Vec<Shown<'_>> = Vec::new();
    let (mut inside, mut open) = (false, false);
    for line in readme.lines() {
        match line {
            _ if line.starts_with("```") => (inside, open) = (!inside && line == "```text", false),
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), out.last_mut()) {
                (Some(command), _) => {
                    out.push(Shown { command, lines: Vec::new() });
                    open = true;
                }
                (None, Some(last)) if open => last.lines.push(line),
                _ => {}
            },
        }
    }
    for shown in &mut out {
        while shown.lines.last() == Some(&"") {
            shown.lines.pop();
        }
    }
    out
}

fn is_like(pattern: &str, line: &str) -> bool {
    pattern.strip_suffix('…').map_or(pattern == line, |beginning| line.starts_with(beginning))
}

/// Whether `lines` are what `patterns` say.
fn matches(patterns: &[&str], lines: &[&str]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((&"…", rest)) => (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..])),
        Some((pattern, rest)) => {
            lines.split_first().is_some_and(|(line, others)| is_like(pattern, line) && matches(rest, others))
        }
    }
}

#[test]
fn commands_print_what_the_readme_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root.join("profiles"), folder.path().join("profiles")).unwrap();
    let mut run = 0;
    for Shown { command, lines } in shown(&readme) {
        if let Some(name) = command.strip_prefix("cat ") {
            std::fs::write(folder.path().join(name), lines.join("\n") + "\n").unwrap();
        }
        let Some(arguments) = command.strip_prefix("sbpl ") else { continue };
        if arguments.starts_with("exec ") {
            continue;
        }
        let mut process = Command::new(env!("CARGO_BIN_EXE_sbpl"));
        let output = process.args(arguments.split(' ')).current_dir(folder.path()).output().unwrap();
        let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        let printed: Vec<&str> = printed.lines().collect();
        assert!(matches(&lines, &printed), "$ {command}\n{}\n\nnot\n\n{}", printed.join("\n"), lines.join("\n"));
        run += 1;
    }
    assert!(run >= 10, "{run} commands");
}
