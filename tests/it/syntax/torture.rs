//! Inputs that readers get wrong (`spec/sbpl-language.md` §16, same numbers; from 41 on our own). Each
//! `tests/syntax/torture/*.sb` has its tree and errors beside it; `BLESS=1` rewrites them.

use std::path::Path;

use super::{dump, read};

#[test]
fn every_torture_file_reads_as_expected_and_prints_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syntax/torture");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sb"));
    files.sort();
    assert!(files.len() >= 50, "torture files are missing: {}", files.len());
    let mut wrong = String::new();
    for path in files {
        let text = std::fs::read(&path).unwrap();
        assert!(read(&text).tree.print() == text, "{}: prints differently", path.display());
        let expected = path.with_extension("tree");
        let actual = dump(&text);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &actual).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_ref() != Some(&actual) {
            wrong += &format!("--- {}\n{actual}", path.display());
        }
    }
    assert!(wrong.is_empty(), "these read otherwise than expected (BLESS=1 accepts):\n{wrong}");
}

/// Cases 34 and 37: the syntax of a template is fine, so evaluation is where it is found out; the error says what it is.
#[test]
fn an_unbound_placeholder_is_called_one() {
    use sbpl::diag::Source;
    use sbpl::profile::{EvalOptions, NoImports, evaluate};

    for (text, word) in [
        ("(version 1)\n(allow default @RULES@)", "placeholder"),
        ("(version 1)\n__PLACEHOLDER__", "placeholder"),
        ("R\"\"(\n(version 1))\"\"", "C++ raw string"),
        ("\u{feff}(version 1)", "byte order mark"),
    ] {
        let failure = evaluate(Source::new("t", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap_err();
        let [diagnostic] = &failure.diagnostics[..] else { panic!("{text}: {failure}") };
        assert!(diagnostic.message.contains("unbound variable"), "{text}: {}", diagnostic.message);
        assert!(diagnostic.help.iter().any(|help| help.contains(word)), "{text}: {:?}", diagnostic.help);
    }
}
