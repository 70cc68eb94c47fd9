//! The backend that loads a libsandbox, against a stand-in library that records its calls and can misbehave.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sbpl::blob::{Blob, Options};
use sbpl::compile::libsandbox::{Agreement, Input, Library, LibraryError};

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

/// A library of another pointer size lays the profile out otherwise: what lies there is believed in no field.
#[test]
fn a_library_of_another_pointer_size_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let library = build(folder.path(), "narrow.so", &["-DNARROW"]);
    // What is not understood is not handed to `free`.
    let outcome = compile_with(&library, "bytes", &[], 1);
    assert_eq!(outcome, Err(LibraryError::Unreadable("a built-in profile's name")));
}

#[test]
fn named_profiles_come_by_their_name_or_are_the_kernels_own() {
    let library = Library::open(Some(standin())).unwrap();
    let named = |name| library.compile(Input::Named(name), None::<[(&str, &str); 0]>);
    assert_eq!(named("bsd"), Ok(b"the text of bsd".to_vec()));
    assert_eq!(named("sample"), Err(LibraryError::BuiltIn("sample".to_owned())));
    assert_eq!(named("other"), Err(LibraryError::Refused("nothing: profile not found".to_owned())));
    assert_eq!(named("../bsd"), Err(LibraryError::Name("../bsd".to_owned())));
}

fn native(text: &str) -> Vec<u8> {
    let source = sbpl::diag::Source::new("a.sb", text.as_bytes().to_vec());
    let options = sbpl::profile::EvalOptions::default();
    let policy = sbpl::profile::evaluate(source, &sbpl::profile::NoImports, &options).unwrap().policy;
    sbpl::compile::compile(&policy, &sbpl::compile::Limits::default()).unwrap().bytes
}

/// The same blob with the two nodes of each pair of table entries swapped in number: other bytes, the same programs.
fn renumbered(bytes: &[u8]) -> Vec<u8> {
    let mut program = Blob::parse(bytes, &Options::default()).unwrap().program().unwrap();
    // A second copy of a terminal is another node with the same meaning.
    let sbpl::blob::Roots::Single(roots) = &mut program.roots else { panic!("a collection") };
    let last = *roots.last().unwrap();
    let sbpl::blob::ProgramNode::Terminal(id) = program.nodes[last.index()] else { panic!("not a terminal") };
    let copy = sbpl::blob::NodeId(u32::try_from(program.nodes.len()).unwrap());
    program.nodes.push(sbpl::blob::ProgramNode::Terminal(id));
    *roots.last_mut().unwrap() = copy;
    program.encode().unwrap()
}

/// Where a library is not deterministic its results are compared by what they mean.
#[test]
fn results_that_differ_are_compared_by_structure() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::open(Some(standin())).unwrap();
    let first = native("(version 1)(deny default)(allow file-read* (subpath \"/usr\"))");
    let relations = [
        (first.clone(), Agreement::Identical, 1),
        (renumbered(&first), Agreement::SameStructure, 2),
        (native("(version 1)(deny default)(allow file-read* (subpath \"/bin\"))"), Agreement::Different(Vec::new()), 2),
        (b"no blob".to_vec(), Agreement::Unreadable, 2),
    ];
    for (second, agreement, distinct) in relations {
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, &first).unwrap();
        std::fs::write(&b, &second).unwrap();
        let (a, b) = (a.display().to_string(), b.display().to_string());
        let params = Some([("FIRST", a.as_str()), ("SECOND", b.as_str())]);
        let made = library.compile_repeatedly(Input::Text(b"files in turn"), params, 4).unwrap();
        assert_eq!((made.agreement.name(), made.distinct), (agreement.name(), distinct));
        assert_eq!((made.attempts, made.failures), (4, 0));
        if let Agreement::Different(operations) = made.agreement {
            assert!(!operations.is_empty());
        }
    }
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

/// What is attached to an issue is written whatever the outcome, says where it was made, and has a row for each given file.
#[test]
fn selfcheck_writes_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (good, bad, report) = (path("good.sb"), path("bad.sb"), path("report.json"));
    std::fs::write(&good, "(version 1)\n(deny default)\n").unwrap();
    std::fs::write(&bad, "(version 1)\n(deny nothing)\n").unwrap();
    let output = sbpl(&["selfcheck", &good, &bad, "-o", &report, "--libsandbox", "/nowhere/libsandbox.dylib"]);
    assert_eq!(output.status.code(), Some(69));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("not compared: {good}: ")) && text.contains("bytes, sha256 "), "{text}");
    assert!(text.contains(&format!("not compared: {bad}: not compiled: unbound variable: nothing")), "{text}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["sbpl"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["host"]["os"], std::env::consts::OS);
    assert_eq!(report["library"]["path"], "/nowhere/libsandbox.dylib");
    assert_eq!(report["recorded"]["right"], report["recorded"]["total"]);
    assert_eq!(report["cases"].as_array().unwrap().len(), sbpl::compile::golden::facts().len() + 2);
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
