//! `sbpl decompile`: a blob to text, and the word whether that text is the blob again.

use std::process::Command;

use sbpl::blob::{Blob, Options};
use sbpl::compile::decompile::verify;
use sbpl::compile::{Limits, compile};
use sbpl::decide::Budget;
use sbpl::diag::Source;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::policy::{Policy, Rule, RuleSource};
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sbpl::vocab::{Action, default_target};

fn sbpl(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_sbpl")).args(arguments).output().unwrap()
}

#[test]
fn the_text_compiles_to_the_blob_and_the_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (blob, text, again) = (path("a.blob"), path("a.sb"), path("b.blob"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/cheap-tests-first.sb");
    assert!(sbpl(&["compile", source, "-o", &blob]).status.success());
    let output = sbpl(&["decompile", &blob, "-o", &text]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "identical: the text compiles to the same bytes\n");
    assert!(sbpl(&["compile", &text, "-o", &again]).status.success());
    assert_eq!(std::fs::read(&blob).unwrap(), std::fs::read(&again).unwrap());
    let written = std::fs::read_to_string(&text).unwrap();
    for part in ["(allow process*)", "(vnode-type SYMLINK)", "(literal \"/etc/hosts\")"] {
        assert!(written.contains(part), "{part} is missing in\n{written}");
    }
}

/// What makes `${HOME}` a variable is a parameter, so a text that says one names it, and the command compiles as its reader will.
#[test]
fn the_text_names_the_parameters_that_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (source, blob, text, again) = (path("a.sb"), path("a.blob"), path("b.sb"), path("b.blob"));
    std::fs::write(&source, "(version 1)\n(deny default)\n(allow file-read* (subpath \"${HOME}/a\"))\n").unwrap();
    assert!(sbpl(&["compile", &source, "-D", "ENABLE_PATTERN_VARIABLES=1", "-o", &blob]).status.success());
    assert_eq!(sbpl(&["decompile", &blob, "-o", &text]).status.code(), Some(0));
    let written = std::fs::read_to_string(&text).unwrap();
    let (_, rest) = written.split_once(";; Compile it with ").unwrap();
    let mut arguments = vec!["compile", &text, "-o", &again];
    arguments.extend(rest.lines().next().unwrap().trim_end_matches('.').split(' '));
    assert!(sbpl(&arguments).status.success(), "{arguments:?}");
    assert_eq!(std::fs::read(&blob).unwrap(), std::fs::read(&again).unwrap());
}

/// Where programs differ, `--check` asks whether what they decide differs too. Rules of `sysctl-write` alone cannot be said in SBPL: the
/// text says them of `sysctl*`, and that is found out.
#[test]
fn what_programs_that_differ_decide_is_compared_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let blob = folder.path().join("a.blob").display().to_string();
    let mut policy = Policy::new(default_target(), 1);
    policy.push(Rule {
        action: Action::Allow,
        operations: vec![default_target().operation_named("sysctl-write").unwrap()],
        filter: None,
        modifiers: Vec::new(),
        source: RuleSource::Profile,
        origin: None,
    });
    std::fs::write(&blob, compile(&policy, &Limits::default()).unwrap().bytes).unwrap();
    let unasked = sbpl(&["decompile", "--json", &blob]);
    let document: serde_json::Value = serde_json::from_slice(&unasked.stdout).unwrap();
    assert_eq!((unasked.status.code(), &document["decisions"]), (Some(1), &serde_json::Value::Null));
    let asked = sbpl(&["decompile", "--json", "--check", &blob]);
    let document: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(asked.status.code(), Some(1));
    let different = document["decisions"]["different"].as_array().unwrap();
    assert!(different.contains(&"sysctl*".into()), "{document}");
    let operations = default_target().op_table_len();
    assert_eq!(document["decisions"]["equal"], operations - different.len());
}

#[test]
fn json_holds_the_text_and_the_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let blob = folder.path().join("a.blob").display().to_string();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/literal-read.sb");
    assert!(sbpl(&["compile", source, "-o", &blob]).status.success());
    let output = sbpl(&["decompile", "--json", &blob]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["outcome"], "identical");
    assert_eq!(document["lost"], serde_json::json!([]));
    assert!(document["text"].as_str().unwrap().contains("(allow file-read* (literal \"/etc/hosts\"))"));
}

#[test]
fn what_is_no_blob_is_refused() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/literal-read.sb");
    assert_eq!(sbpl(&["decompile", source]).status.code(), Some(65));
}

/// Edges that were moved past decided tests, into the middle of later rules, are moved back: every program can be said, and
/// what is said decides as the blob does.
#[test]
fn entangled_programs_are_said() {
    let mut text = "(version 1)\n(allow default)\n".to_owned();
    for n in 0..12 {
        text += &format!(
            "(deny file-read* (require-all (storage-class \"C{n}\") (process-attribute {}) (require-not (require-any \
             (process-attribute {}) (extension \"e{n}\")))) (with message \"m{}\"))\n",
            n % 3 + 1,
            n % 4 + 4,
            n % 5
        );
    }
    let source = Source::new("test", text.as_bytes());
    let policy = evaluate(source, &NoImports, &EvalOptions::default()).unwrap().policy;
    let bytes = compile(&policy, &Limits::default()).unwrap().bytes;
    let program = Blob::parse(&bytes, &Options::default()).unwrap().program().unwrap();
    let found = verify(&program, 0, Some(&bytes), default_target()).unwrap();
    assert_eq!(found.draft.lost, Vec::<String>::new());
    let said = found.policy.unwrap();
    let mut comparison =
        Comparison::new(Side::Program(&program, None), Side::Policy(&said), Budget::default()).unwrap();
    assert!(comparison.changes().iter().all(|(_, change)| *change == Change::Equal));
}

/// What is said of these profiles decides as they do. Each holds something that was once said wrongly or not at all.
#[test]
fn what_is_said_decides_as_the_profile() {
    const CASES: &[(&str, &str)] = &[
        ("a class of its own for (extension) without one", "(version 1)(deny default)(allow file-read* (extension))"),
        (
            "user-intent-extension takes a string",
            "(version 1)(deny default)(allow mach-priv* (user-intent-extension \"a\" \"b\"))",
        ),
        (
            "filters without a name for subpaths",
            "(version 1)(deny default)(allow file-read-xattr (xattr-regex #\"^/a(/|$)\" #\"b$\"))\
             (deny mach-lookup (require-entitlement \"e\" (entitlement-value-regex #\"^/private/(tmp|var)(/|$)\")))",
        ),
        (
            "a value that is not there, apart from its load",
            "(version 3)(deny default)(allow process-info-setcontrol (require-target-with-entitlement \"t\")\
             (require-not (require-entitlement \"e\" (entitlement-value #f))))",
        ),
        (
            "the load in one rule, the value in the next",
            "(version 2)(deny default)(deny nvram* (require-not (require-entitlement \"e\" (entitlement-value \"v\")))\
             (nvram-variable \"a\") (rootless-boot-device-filter))(allow nvram* (rootless-boot-device-filter))\
             (allow nvram-delete)",
        ),
        (
            "a value to which several ways lead",
            "(version 1)(deny default)(allow process-fork (require-entitlement \"e\" (entitlement-value #f)))\
             (allow process-fork (require-entitlement \"e\" (entitlement-value-regex #\"^a+b*c?$\")))\
             (allow process-fork (require-not (require-any (require-entitlement \"e\") (signing-identifier \"s\")\
             (require-entitlement \"e\" (entitlement-value \"v\")))))(deny process-fork (uid 2))",
        ),
        (
            "a value in a program whose alternatives are turned round",
            r##"(version 2)
             (allow default)
             (allow system-sched (target-signing-identifier-prefix "kern.ostype") (target-signing-identifier "hw."))
             (deny system-sched system* (require-all (%entitlement-is-present "com.apple.e1") (require-entitlement "com.apple.e1" (entitlement-value-regex #"^com\.apple\.")) (require-entitlement "com.apple.e1")) (require-entitlement "com.apple.e1" (entitlement-value #f)))
             (deny system-info (require-not (require-entitlement "com.apple.e2" (entitlement-value "v2"))))
             (allow system-info (info-type-prefix "a") (user-intent-extension "com.apple.app-sandbox.read" "com.apple.app-sandbox.read"))"##,
        ),
        (
            "flow-divert because of a condition that never holds",
            "(version 1)(allow default)(deny network*)\
             (allow network* (require-all (socket-option-name 256) (socket-option-name 5)))",
        ),
        (
            "a number that is allowed before a rule that denies it",
            "(version 1)(allow default)(deny syscall-unix (process-attribute is-restricted))\
             (allow syscall-unix (syscall-number 1 3))",
        ),
        (
            "a trap that is allowed, and nothing that makes the compiler allow it",
            "(version 2)(deny default)(allow syscall-mach (machtrap-number 100))",
        ),
    ];
    for (what, text) in CASES {
        let policy =
            evaluate(Source::new("test", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy;
        let bytes = compile(&policy, &Limits::default()).unwrap().bytes;
        let program = Blob::parse(&bytes, &Options::default()).unwrap().program().unwrap();
        assert_eq!(program.encode().unwrap(), bytes, "{what}");
        let found = verify(&program, 0, Some(&bytes), default_target()).unwrap();
        let again = String::from_utf8_lossy(&found.draft.text).into_owned();
        assert_eq!(found.draft.lost, Vec::<String>::new(), "{what}:\n{again}");
        let said = found.policy.unwrap_or_else(|| panic!("{what}: {:?}\n{again}", found.outcome));
        for (name, side) in [("blob", Side::Program(&program, None)), ("text", Side::Policy(&said))] {
            let mut comparison = Comparison::new(Side::Policy(&policy), side, Budget::default()).unwrap();
            let changes = comparison.changes();
            assert!(changes.iter().all(|(_, change)| *change == Change::Equal), "{what}, {name}: {changes:?}\n{again}");
        }
    }
}
