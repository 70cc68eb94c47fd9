//! `sbpl decompile`: a blob to text, and the word whether that text is the blob again.

use std::process::Command;

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
