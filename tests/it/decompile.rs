//! `sbpl decompile`: a blob to text, and the word whether that text is the blob again.

use std::process::Command;

use sbpl::blob::{Blob, Options};
use sbpl::compile::decompile::verify;
use sbpl::compile::{Limits, compile};
use sbpl::decide::Budget;
use sbpl::diag::Source;
use sbpl::diff::semantic::{Change, Comparison, Side};
use sbpl::profile::{EvalOptions, NoImports, evaluate};
use sbpl::vocab::default_target;

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
