//! The backend that loads a libsandbox, against a stand-in library that records its calls and can misbehave.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sbpl::compile::libsandbox::{Input, Library, LibraryError};

/// Builds the stand-in once per variant and test run.
fn build(folder: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let library = folder.join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/standin_sandbox.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .args(flags)
        .arg(source)
        .status()
        .expect("a C compiler, `cc`");
    assert!(status.success());
    library
}

fn standin() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = build(folder.path(), "standin.so", &[]);
        (folder, library)
    });
    library
}

type Outcome = Result<Vec<u8>, LibraryError>;

/// Compiles `text` with a log; checks that everything made was given back, except `kept` objects.
fn compile_with(library: &Path, text: &str, parameters: &[(&str, &str)], kept: usize) -> Outcome {
    // The library's log path is one for the process.
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let log = tempfile::NamedTempFile::new().unwrap();
    let log_path = log.path().display().to_string();
    let all = [("STANDIN_LOG", log_path.as_str())].into_iter().chain(parameters.iter().copied());
    let outcome = Library::open(Some(library)).unwrap().compile(Input::Text(text.as_bytes()), Some(all));
    let calls = std::fs::read_to_string(log.path()).unwrap();
    let count = |prefix: &str| calls.lines().filter(|call| call.starts_with(prefix)).count();
    let made = count("create_") + count("make_");
    assert_eq!(made - count("free_"), kept, "{text}: {calls}");
    outcome
}

fn compile(text: &str) -> Outcome {
    compile_with(standin(), text, &[], 0)
}

#[test]
fn the_blob_is_copied_and_the_profile_freed() {
    assert_eq!(compile("bytes"), Ok(b"bytes".to_vec()));
    let long = "x".repeat(70_000);
    assert_eq!(compile(&long), Ok(long.clone().into_bytes()));
    assert_eq!(compile("empty"), Ok(Vec::new()));
}

#[test]
fn parameters_arrive_and_no_table_is_not_an_empty_one() {
    let given = compile_with(standin(), "parameters", &[("A", "1"), ("B", "two")], 0);
    assert_eq!(given, Ok(b"A=1;B=two;".to_vec()));
    let library = Library::open(Some(standin())).unwrap();
    let none = library.compile(Input::Text(b"parameters"), None::<[(&str, &str); 0]>);
    assert_eq!(none, Ok(b"none".to_vec()));
}

#[test]
fn the_error_text_is_whole_and_freed() {
    assert_eq!(compile("error"), Err(LibraryError::Refused("first line\nBacktrace:\n  (bad form)".to_owned())));
    assert_eq!(compile("long error"), Err(LibraryError::Refused("x".repeat(20_000))));
    // A text beside a profile is no failure, but must be freed.
    assert_eq!(compile("both"), Ok(b"both".to_vec()));
}

#[test]
fn a_library_without_sandbox_free_error_works() {
    let folder = tempfile::tempdir().unwrap();
    let library = build(folder.path(), "old.so", &["-DWITHOUT_FREE_ERROR"]);
    // The text is freed by `free`, which the log cannot see.
    let outcome = compile_with(&library, "error", &[], 1);
    assert!(matches!(outcome, Err(LibraryError::Refused(_))));
}

#[test]
fn misbehaviour_is_an_error_and_no_crash() {
    assert_eq!(compile("null"), Err(LibraryError::Nothing));
    assert_eq!(compile("huge"), Err(LibraryError::TooLarge { size: usize::MAX }));
    assert_eq!(compile("unreadable error"), Err(LibraryError::Unreadable("an error text")));
    assert_eq!(compile("unreadable profile"), Err(LibraryError::Unreadable("a profile")));
    // What cannot be read is not handed to `free`.
    let outcome = compile_with(standin(), "unreadable data", &[], 1);
    assert_eq!(outcome, Err(LibraryError::Unreadable("a profile's data")));
}

#[test]
fn what_cannot_be_handed_over_is_refused_and_the_table_freed() {
    assert_eq!(
        compile_with(standin(), "bytes", &[("REFUSED", "1")], 0),
        Err(LibraryError::Parameter { key: "REFUSED".to_owned() })
    );
    assert_eq!(compile_with(standin(), "bytes", &[("A", "a\0b")], 0), Err(LibraryError::Nul("a parameter's value")));
    assert_eq!(compile("a\0b"), Err(LibraryError::Nul("the profile")));
}

#[test]
fn files_are_named_by_absolute_paths() {
    let library = Library::open(Some(standin())).unwrap();
    // Tests run in the package's folder.
    let relative = Path::new("rustfmt.toml");
    let outcome = library.compile(Input::File(relative), None::<[(&str, &str); 0]>);
    assert_eq!(outcome, Ok(std::fs::read(relative).unwrap()));
}

#[test]
fn a_library_that_is_none_is_unavailable() {
    let missing = Library::open(Some(Path::new("/nowhere/libsandbox.dylib"))).unwrap_err();
    assert!(missing.is_unavailable());
    assert!(missing.to_string().contains("/nowhere/libsandbox.dylib"), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("empty.c");
    std::fs::write(&source, "int unrelated;\n").unwrap();
    let library = folder.path().join("empty.so");
    assert!(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap().success());
    let wrong = Library::open(Some(&library)).unwrap_err();
    assert!(matches!(&wrong, LibraryError::MissingFunction { name: "sandbox_create_params", .. }), "{wrong}");
    assert!(wrong.is_unavailable());
}

fn sbpl(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_sbpl")).args(arguments).output().unwrap()
}

/// Without a library the recorded digests still count, and the exit status says that the rest could not be done.
#[test]
fn selfcheck_without_a_library_checks_the_recorded_digests() {
    let output = sbpl(&["selfcheck", "--libsandbox", "/nowhere/libsandbox.dylib"]);
    assert_eq!(output.status.code(), Some(69));
    let text = String::from_utf8(output.stdout).unwrap();
    let facts = sbpl::compile::golden::facts().len();
    assert_eq!(text, format!("native compiler against recorded blobs: {facts} of {facts} right\n"));
}

/// A library that gives other bytes is found out, case by case.
#[test]
fn selfcheck_names_what_differs() {
    let library = standin().display().to_string();
    let output = sbpl(&["selfcheck", "--json", "--libsandbox", &library]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["library"]["available"], true);
    let cases = report["cases"].as_array().unwrap();
    assert!(cases.iter().all(|case| case["library"] == false && case["recorded"] == true));
    assert_eq!(cases[0]["first_difference"], 0);
}

/// The library's blob is what the command writes, its message what it prints.
#[test]
fn compile_asks_the_library() {
    let library = standin().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.sb"), folder.path().join("bad.sb"));
    std::fs::write(&good, "text").unwrap();
    std::fs::write(&bad, "an error").unwrap();
    let out = folder.path().join("out");
    let run = |file: &Path| {
        let (file, out) = (file.display().to_string(), out.display().to_string());
        sbpl(&["compile", &file, "-o", &out, "--backend", "libsandbox", "--libsandbox", &library])
    };
    assert_eq!(run(&bad).status.code(), Some(65));
    assert!(!out.exists());
    let message = String::from_utf8_lossy(&run(&bad).stderr).into_owned();
    assert!(["first line", "Backtrace:", "(bad form)"].iter().all(|part| message.contains(part)), "{message}");
    assert_eq!(run(&good).status.code(), Some(0));
    assert_eq!(std::fs::read(&out).unwrap(), b"text");
}
