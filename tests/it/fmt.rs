//! What `sbpl fmt` does to files.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn fmt(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sbpl")).arg("fmt").args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn a_formatted_file_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sb");
    std::fs::write(&path, "(version 1)\n").unwrap();
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(past).unwrap();
    assert!(fmt(folder.path(), &["a.sb"]).status.success());
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), past);
}

#[test]
fn links_and_permissions_stay_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("a.sb"), folder.path().join("link.sb"));
    std::fs::write(&path, "( version 1 )").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    symlink("a.sb", &link).unwrap();
    assert!(fmt(folder.path(), &["link.sb"]).status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "(version 1)\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "a temporary file is left over");
}

/// One bad file neither stops the others nor is written.
#[test]
fn bad_files_are_left_alone_and_good_ones_formatted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.sb"), "( a\n)) #x #|").unwrap();
    std::fs::write(folder.path().join("good.sb"), "( a\n)").unwrap();
    let output = fmt(folder.path(), &["bad.sb", "good.sb", "missing.sb"]);
    assert_eq!(output.status.code(), Some(66));
    assert_eq!(fmt(folder.path(), &["bad.sb", "good.sb"]).status.code(), Some(65));
    assert_eq!(std::fs::read(folder.path().join("bad.sb")).unwrap(), b"( a\n)) #x #|");
    assert_eq!(std::fs::read(folder.path().join("good.sb")).unwrap(), b"(a)\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("E0102") && said.contains("E0106") && said.contains("missing.sb"), "{said}");
}

#[test]
fn standard_input_goes_to_standard_output() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sbpl"))
        .args(["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"( literal \"\xff\" )").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"(literal \"\xff\")\n");
}

/// More files than are held at a time, so that batches and threads both take part.
#[test]
fn many_files_are_all_formatted() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..150).map(|number| format!("{number}.sb")).collect();
    for name in &names {
        std::fs::write(folder.path().join(name), format!("( name   \"{name}\" )")).unwrap();
    }
    let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(fmt(folder.path(), &arguments).status.success());
    for name in &names {
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), format!("(name \"{name}\")\n"));
    }
}
