//! Every rule of the linter on files of its own: `tests/lint/CODE-name/bad.sb` gives the findings in `bad.sb.findings` and,
//! when all fixes are applied, the text `bad.sb.fixed`; `good.sb` gives none. `BLESS=1` rewrites the expectations.
//!
//! A first line `;; target: NAME` chooses the system, lines `;; -D NAME=VALUE` give parameters. Only the rule itself is switched on; for the rules about comments all are.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sbpl::diag::{Source, SourceId};
use sbpl::lint::{Config, Finding, FixKind, Input, Parameters, RULES, Rule, apply, fix_text, lint};
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sbpl::syntax::{SyntaxLimits, parse};
use sbpl::vocab::{self, Target};

fn only(rule: &Rule) -> Config {
    let mut config = Config::default();
    if !rule.name.ends_with("suppression") {
        config.ignore(["all"]).unwrap();
        config.select([rule.code.0]).unwrap();
    }
    config
}

fn findings(text: &[u8], target: &'static Target, config: &Config) -> Vec<Finding> {
    let parsed = parse(text, &SyntaxLimits::default());
    let parameters = parameters_of(text);
    let options = EvalOptions { target, params: Some(parameters.clone()), ..EvalOptions::default() };
    let evaluation = evaluate(Source::new("t", text), &NoImports, &options).ok();
    let policy = evaluation.as_ref().map(|evaluation| &evaluation.policy);
    lint(Input { tree: &parsed.tree, source: SourceId(0), target, parameters: &parameters, policy }, config)
}

fn target_of(text: &[u8]) -> &'static Target {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(";; target: ")) {
        Some(name) => vocab::target(name.trim()).unwrap(),
        None => vocab::default_target(),
    }
}

/// The parameters of lines `;; -D NAME=VALUE`.
fn parameters_of(text: &[u8]) -> Parameters {
    let text = String::from_utf8_lossy(text);
    let given = text.lines().filter_map(|line| line.strip_prefix(";; -D ")?.split_once('='));
    given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn listing(text: &[u8], findings: &[Finding]) -> String {
    let source = Source::new("t", text);
    let mut out = String::new();
    for finding in findings {
        let at = source.line_column(finding.span().start);
        let diagnostic = &finding.diagnostic;
        let fix = finding.fix.as_ref().map(|fix| format!(" [{:?}]", fix.applicability)).unwrap_or_default();
        let _ = writeln!(out, "{}:{} {} {}{fix}", at.line, at.column, diagnostic.code, diagnostic.message);
        for note in &diagnostic.notes {
            let _ = writeln!(out, "    note: {note}");
        }
        for help in &diagnostic.help {
            let _ = writeln!(out, "    help: {help}");
        }
    }
    out
}

fn compare(path: &Path, actual: &[u8]) -> Option<String> {
    if std::env::var_os("BLESS").is_some() {
        if actual.is_empty() {
            let _ = fs::remove_file(path);
        } else {
            fs::write(path, actual).unwrap();
        }
        return None;
    }
    let expected = fs::read(path).unwrap_or_default();
    (expected != actual).then(|| {
        let (expected, actual) = (String::from_utf8_lossy(&expected), String::from_utf8_lossy(actual));
        let diff = similar::TextDiff::from_lines(&*expected, &*actual);
        format!("{}:\n{}", path.display(), diff.unified_diff().header("expected", "now"))
    })
}

fn folder(rule: &Rule) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint").join(format!("{}-{}", rule.code, rule.name))
}

#[test]
fn every_rule_finds_what_its_files_say() {
    let mut problems = Vec::new();
    for rule in RULES {
        let (folder, config) = (folder(rule), only(rule));
        let bad = fs::read(folder.join("bad.sb")).unwrap_or_else(|_| panic!("{} has no bad.sb", rule.code));
        let target = target_of(&bad);
        let found = findings(&bad, target, &config);
        if !found.iter().any(|finding| finding.rule.code == rule.code) {
            problems.push(format!("{}: nothing found in bad.sb", rule.code));
        }
        problems.extend(compare(&folder.join("bad.sb.findings"), listing(&bad, &found).as_bytes()));
        let outcome = fix_text(&bad, target, &parameters_of(&bad), &config, true);
        let fixed = if outcome.fixed > 0 { outcome.text } else { Vec::new() };
        if (rule.fix == FixKind::No) != fixed.is_empty() {
            problems.push(format!("{}: says fix {:?}", rule.code, rule.fix));
        }
        problems.extend(compare(&folder.join("bad.sb.fixed"), &fixed));
        let good = fs::read(folder.join("good.sb")).unwrap_or_else(|_| panic!("{} has no good.sb", rule.code));
        let found = findings(&good, target_of(&good), &config);
        if !found.is_empty() {
            problems.push(format!("{}: good.sb\n{}", rule.code, listing(&good, &found)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The `scheme` block under `heading`, if there is one.
fn block<'p>(page: &'p str, heading: &str) -> Option<String> {
    let section: &'p str = page.split_once(heading)?.1.split("\n ## ").next()?;
    let code = section.split_once("```scheme\n")?.1.split_once("```")?.0;
    Some(code.to_owned())
}

#[test]
fn the_examples_of_the_pages_are_true() {
    for rule in RULES {
        if let Some(example) = block(rule.page, "## Example") {
            let found = findings(example.as_bytes(), vocab::default_target(), &only(rule));
            assert!(found.iter().any(|finding| finding.rule.code == rule.code), "{}: {example}", rule.code);
        }
        if let Some(better) = block(rule.page, "## Use instead") {
            let found = findings(better.as_bytes(), vocab::default_target(), &only(rule));
            let found: Vec<_> = found.iter().filter(|finding| finding.rule.code == rule.code).collect();
            assert!(found.is_empty(), "{}: {better}{found:?}", rule.code);
        }
    }
}

#[test]
fn there_are_no_files_of_rules_that_do_not_exist() {
    let known: Vec<_> = RULES.iter().map(|rule| folder(rule)).collect();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint")).unwrap() {
        let path = entry.unwrap().path();
        assert!(known.contains(&path), "{}", path.display());
    }
}

#[test]
fn every_fix_alone_leaves_a_text_that_reads_as_well() {
    let mut all = Config::default();
    all.select(["all"]).unwrap();
    for rule in RULES {
        let bad = fs::read(folder(rule).join("bad.sb")).unwrap();
        let before = parse(&bad[..], &SyntaxLimits::default()).errors.len();
        for fix in findings(&bad, target_of(&bad), &all).iter().filter_map(|finding| finding.fix.as_ref()) {
            let (fixed, count) = apply(&bad, [fix]);
            assert_eq!(count, 1);
            let after = parse(&fixed[..], &SyntaxLimits::default()).errors.len();
            assert!(after <= before, "{}: {}", rule.code, String::from_utf8_lossy(&fixed));
        }
    }
}

/// Runs the command in `folder` and gives its exit status and output.
fn sbpl(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let command = std::process::Command::new(env!("CARGO_BIN_EXE_sbpl")).args(arguments).current_dir(folder).output();
    let output = command.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn fixes_are_written_to_the_file_and_what_is_left_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.sb");
    fs::write(&path, "(allow file-read* (subpath \"/tmp/x\") (literal \"/a\") (literal \"/a\"))\n").unwrap();
    let (status, out, err) = sbpl(folder.path(), &["lint", "--fix", "p.sb"]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.contains("SBPL003") && !err.contains("SBPL029") && err.contains("1 finding fixed"), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "(allow file-read* (subpath \"/tmp/x\") (literal \"/a\"))\n");
    let (status, ..) = sbpl(folder.path(), &["lint", "--unsafe-fixes", "p.sb"]);
    assert_eq!(status, Some(0));
    assert!(fs::read_to_string(&path).unwrap().contains("\"/private/tmp/x\""));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn the_nearest_configuration_counts() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    fs::write(folder.path().join("below/p.sb"), "(allow file-read* (subpath \"/tmp/x\"))").unwrap();
    assert_eq!(sbpl(folder.path(), &["lint", "below/p.sb"]).0, Some(1));
    fs::write(folder.path().join(".sbpl-lint.json"), r#"{"ignore": ["dead-path"]}"#).unwrap();
    assert_eq!(sbpl(folder.path(), &["lint", "below/p.sb"]).0, Some(0));
    fs::write(folder.path().join("below/.sbpl-lint.json"), "{}").unwrap();
    assert_eq!(sbpl(folder.path(), &["lint", "below/p.sb"]).0, Some(1));
    fs::write(folder.path().join("below/.sbpl-lint.json"), r#"{"ignore": ["no-rule"]}"#).unwrap();
    assert_eq!(sbpl(folder.path(), &["lint", "below/p.sb"]).0, Some(2));
}

/// Texts that look like profiles: rules out of a few operations, filters and paths, in any order, some of them broken.
fn profile() -> impl Strategy<Value = String> {
    const OPERATIONS: [&str; 12] = [
        "file*",
        "file-read*",
        "file-write*",
        "file-write-unlink",
        "file-write-create",
        "file-read-data",
        "process-exec",
        "network-outbound",
        "process-info*",
        "default",
        "sysctl-write",
        "iokit-open",
    ];
    const PATHS: [&str; 12] = [
        "\"/tmp/x\"",
        "\"/private/work\"",
        "\"/private/work/.git/hooks\"",
        "\"/Private/Work/.env\"",
        "\"/opt//a/\"",
        "(param \"HOME\")",
        "(string-append (param \"HOME\") \"/a\\.b\")",
        "\"/var/run/docker.sock\"",
        "\"/private/var/run/docker.sock\"",
        "#\"^/opt/a$\"",
        "#\"/usr/\\\\.x.*\"",
        "\"a*\"",
    ];
    const FORMS: [&str; 6] = ["literal", "subpath", "prefix", "regex", "vnode-type", "require-not"];
    const ENDS: [&str; 7] = [")", ")", ")", ") ; a comment", " ; a comment\n)", "", "\")"];
    let filter = (prop::sample::select(&FORMS[..]), prop::sample::select(&PATHS[..]))
        .prop_map(|(form, path)| format!("({form} {path})"));
    let rule = (
        prop::sample::select(&["allow", "deny"][..]),
        prop::collection::vec(prop::sample::select(&OPERATIONS[..]), 1..3),
        prop::collection::vec(filter, 0..3),
        prop::sample::select(&ENDS[..]),
    )
        .prop_map(|(action, operations, filters, end)| {
            format!("({action} {} {}{end}", operations.join(" "), filters.join(" "))
        });
    prop::collection::vec(rule, 0..8).prop_map(|rules| format!("(version 1)\n{}\n", rules.join("\n")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Fixes come to an end, leave a text that reads no worse, and what was fixed once stays fixed.
    #[test]
    fn fixing_ends_and_never_breaks_a_text(text in profile()) {
        let mut all = Config::default();
        all.select(["all"]).unwrap();
        let (target, parameters) = (vocab::default_target(), Parameters::new());
        let errors = |text: &[u8]| parse(text, &SyntaxLimits::default()).errors.len();
        for unsafe_too in [false, true] {
            let once = fix_text(text.as_bytes(), target, &parameters, &all, unsafe_too);
            prop_assert!(errors(&once.text) <= errors(text.as_bytes()));
            let twice = fix_text(&once.text, target, &parameters, &all, unsafe_too);
            prop_assert_eq!(String::from_utf8_lossy(&twice.text), String::from_utf8_lossy(&once.text));
        }
    }
}
