//! Ways around a rule. None leads anywhere.

use super::child::act;
use super::*;

fn secret() -> (Fixture, String) {
    let fixture = Fixture::new();
    fixture.file("secret", "secret\n");
    fixture.file("open", "open\n");
    std::os::unix::fs::symlink("secret", fixture.host("link")).unwrap();
    std::os::unix::fs::symlink(".", fixture.host("folder-link")).unwrap();
    let rule =
        format!("(allow default)(deny file-read-data file-write* file-link (literal \"{}\"))", fixture.model("secret"));
    (fixture, rule)
}

#[test]
fn a_refused_file_is_refused_under_every_name() {
    let (fixture, rule) = secret();
    let run = act(&rule, "read by all names", &fixture.host("secret"));
    run.all(libc::EPERM);
    assert_eq!(run.results().len(), 22, "{:?} {} {}", run.results(), run.stdout(), run.stderr());
}

#[test]
fn a_name_that_changes_between_question_and_deed_cheats_nobody() {
    let (fixture, rule) = secret();
    act(&rule, "race", &fixture.host("")).all(0);
}

#[test]
fn a_folder_that_changes_between_question_and_deed_cheats_nobody() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::new();
    fixture.file("hidden/f", "");
    let secret = std::fs::metadata(fixture.host("hidden/f")).unwrap().ino();
    fixture.file("number", &secret.to_string());
    let rule = format!("(allow default)(deny file-read* (subpath \"{}\"))", fixture.model("hidden"));
    act(&rule, "race folder", &fixture.host("")).all(0);
}

#[test]
fn what_is_seen_in_a_folder_is_what_its_path_leads_to_now() {
    let fixture = Fixture::new();
    let run = act("(allow default)", "look again", &fixture.host(""));
    run.all(0);
    assert_eq!(run.results().len(), 9);
}

#[test]
fn a_program_that_changes_between_question_and_deed_is_found_out() {
    let fixture = Fixture::new();
    let forbidden = fixture.host("forbidden");
    std::fs::copy("/bin/echo", &forbidden).unwrap();
    let rule = format!("(allow default)(deny process-exec* (literal \"{}\"))", fixture.model("forbidden"));
    act(&rule, "race exec", &fixture.host("")).all(0);
}

#[test]
fn some_calls_are_nobodys() {
    let run = act("(allow default)", "outright", &std::process::id().to_string());
    for (name, errno) in run.results() {
        let wanted = match name.as_str() {
            "openat2" | "io_uring_setup" | "clone3" => libc::ENOSYS,
            "second listener" => libc::EBUSY,
            "the supervisor's memory" => libc::EACCES,
            _ => libc::EPERM,
        };
        assert_eq!(errno, wanted, "{name}");
    }
    assert_eq!(run.results().len(), 12);
}

/// What the supervisor does itself it does for names of the model too; what the kernel does fails for them, and never on another file.
#[test]
fn names_that_only_the_model_has() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    fixture.file("open", "open\n");
    let program = fixture.file("program", "#!/bin/sh\n");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = act("(allow default)", "model names", &fixture.host(""));
    let failed: Vec<_> = run.results().into_iter().filter(|(_, errno)| *errno != 0).collect();
    let wanted = ["chdir", "handle", "execve", "execveat"].map(|name| (name.to_owned(), libc::ENOENT));
    assert_eq!((failed, run.results().len()), (wanted.to_vec(), 10), "{}", run.stderr());
    assert!(Path::new(&fixture.host("new")).is_dir());
}

/// The kernel's own answers, for every row.
#[test]
fn every_call_that_is_nobodys_fails_as_the_table_says() {
    use sbpl::sandbox::supervised::table::{CALLS, Treatment};
    let run = act("(allow default)", "table", "");
    for (name, errno) in run.results() {
        let call = CALLS.iter().find(|call| call.name == name);
        let absent = call.is_none_or(|call| call.treatment == Treatment::Absent);
        assert_eq!(errno, if absent { libc::ENOSYS } else { libc::EPERM }, "{name}");
    }
    assert!(run.results().len() > 60, "{} {}", run.stdout(), run.stderr());
}

#[test]
fn processes_of_others_run_as_before() {
    let mut outside = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let run = act("(allow default)", "neighbours", &outside.id().to_string());
    outside.kill().unwrap();
    outside.wait().unwrap();
    for (name, errno) in run.results() {
        assert_eq!(errno, if name.starts_with("outside") { libc::EPERM } else { 0 }, "{name}");
    }
    assert_eq!(run.results().len(), 18, "{} {}", run.stdout(), run.stderr());
}

#[test]
fn a_program_without_a_name_is_not_one_that_may_be_executed() {
    let rule = "(allow default)(deny process-exec*)(allow process-exec* (subpath \"/\"))";
    let run = act(rule, "unnamed program", "");
    run.all(libc::EPERM);
    assert_eq!(run.results().len(), 4);
}

#[test]
fn what_another_process_holds_is_asked_for() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut outside = std::process::Command::new("/bin/sleep").arg("60").stdin(reader).spawn().unwrap();
    let run =
        act("(allow default)(deny process-info-pidinfo (target others))", "others", &format!("{} 0", outside.id()));
    outside.kill().unwrap();
    outside.wait().unwrap();
    run.all(libc::EPERM);
    assert!(run.denials.iter().all(|denial| denial.operation == "process-info-pidinfo"), "{:?}", run.denied());
}

#[test]
fn descriptors_and_flags_are_no_way_around() {
    let (fixture, _) = secret();
    let rule = format!(
        "(allow default)(deny file-read-data file-read-xattr file-write* file-link (literal \"{}\"))",
        fixture.model("secret")
    );
    let run = act(&rule, "descriptor tricks", &fixture.host("secret"));
    run.all(libc::EPERM);
    assert_eq!(run.results().len(), 15, "{:?} {}", run.results(), run.stderr());
    assert_eq!(std::fs::read_to_string(fixture.host("secret")).unwrap(), "secret\n");
}

/// `open(path, O_RDONLY)` and its error number as status, without any library.
#[cfg(target_arch = "x86_64")]
fn static_program(path: &str) -> Vec<u8> {
    let mut code = vec![0xb8, 2, 0, 0, 0, 0x48, 0x8d, 0x3d];
    let rest: [u8; 21] = [
        0x31, 0xf6, 0x0f, 0x05, 0x31, 0xff, 0x85, 0xc0, 0x79, 0x04, 0x89, 0xc7, 0xf7, 0xdf, 0xb8, 60, 0, 0, 0, 0x0f,
        0x05,
    ];
    code.extend((rest.len() as u32).to_le_bytes());
    code.extend(rest);
    code.extend(path.bytes().chain([0]));
    let (base, header) = (0x40_0000u64, 120u64);
    let size = header + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    for word in [base + header, 64, 0] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, base, base, size, size, 4096] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend(code);
    elf
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_static_program_is_refused_too() {
    use std::os::unix::fs::PermissionsExt;
    let (fixture, rule) = secret();
    for (name, status) in [("secret", libc::EPERM), ("open", 0), ("nothing", libc::ENOENT)] {
        let program = fixture.file(&format!("program-{name}"), "");
        std::fs::write(&program, static_program(&fixture.host(name))).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(run(&rule, &program, &[]).status(), status, "{name}");
    }
}

#[test]
fn every_link_on_the_way_needs_its_metadata() {
    let (fixture, _) = secret();
    let target = format!("(allow default)(deny file-read-metadata (literal \"{}\"))", fixture.model("link"));
    let refused = run(&target, "/bin/cat", &[&fixture.host("link")]);
    assert_eq!(refused.denied(), [("file-read-metadata", fixture.model("link").as_str())]);
    let tmp = "(allow default)(deny file-read-metadata (literal \"/tmp\"))";
    assert_eq!(run(tmp, "/bin/cat", &[&fixture.host("open")]).denied(), [("file-read-metadata", "/tmp")]);
    // The same file without the link.
    assert_eq!(run(tmp, "/bin/cat", &[&fixture.model("open")]).stdout(), "open\n");
    // Relative to a folder that is beyond the link already.
    let mut command = Command::new("/bin/cat");
    command.args = vec!["open".into()];
    command.cwd = Some(fixture.folder.path().into());
    assert_eq!(run_command(tmp, Mapping::host(), &command).stdout(), "open\n");
}

#[test]
fn a_relocated_tree_has_the_names_of_the_plan() {
    let fixture = Fixture::new();
    fixture.file("tree/foo", "moved\n");
    let mapping = Mapping::host().relocate(Path::new("/private/tmp"), &fixture.folder.path().join("tree"));
    let profile = "(allow default)(deny file-read-data (literal \"/private/tmp/bar\"))";
    let read = run_mapped(profile, mapping.clone(), "/bin/cat", &["/tmp/foo"]);
    assert_eq!(read.stdout(), "moved\n");
    let mut command = Command::new("/bin/sh");
    let script = "echo text > /tmp/bar; cat bar; pwd -P; readlink /proc/self/cwd; cat ../tmp/foo; cd /tmp";
    command.args = vec!["-c".into(), script.into()];
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    command.cwd = Some(fixture.folder.path().join("tree"));
    let run = run_command(profile, mapping, &command);
    assert_eq!(run.stdout(), "/private/tmp\n/private/tmp\nmoved\n");
    assert_eq!(run.denied(), [("file-read-data", "/private/tmp/bar")]);
    // The kernel itself changes folders, and does not know the names: better nowhere than elsewhere.
    assert_ne!(run.status(), 0);
    assert_eq!(std::fs::read_to_string(fixture.host("tree/bar")).unwrap(), "text\n");
}
