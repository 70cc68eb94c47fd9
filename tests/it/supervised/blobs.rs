//! A compiled profile does what its text does: the same ends, the same refusals, error numbers, signals and silence.

use std::sync::Arc;

use sbpl::blob::{Blob, Options};
use sbpl::compile::{Limits, compile};

use super::*;

/// The text's judge and that of what it compiles to.
fn both(text: &str) -> [Judge; 2] {
    let text = format!("(version 1)\n{text}");
    let policy = evaluate(Source::new("t.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy;
    let bytes = compile(&policy, &Limits::default()).unwrap().bytes;
    let program = Blob::parse(&bytes, &Options::default()).unwrap().program().unwrap();
    let blob = ProfileInput { bytes: bytes.into(), rules: Rules::Blob(Arc::new(program)) };
    let text = ProfileInput { bytes: text.into_bytes().into(), rules: Rules::Policy(Arc::new(policy)) };
    [&text, &blob].map(|input| Judge::of(input).unwrap())
}

/// What is said of a denial, but for its rule and its process number.
fn told(denial: &Denial) -> (String, String, String, i32, bool) {
    let (operation, argument) = (denial.operation.clone(), denial.argument.clone());
    (denial.syscall.to_owned(), operation, argument, denial.errno, denial.reported)
}

#[test]
fn text_and_blob_rule_alike() {
    let fixture = Fixture::new();
    fixture.file("f", "text\n");
    let path = fixture.model("f");
    let literal = format!("(literal \"{path}\")");
    let cases = [
        (String::new(), "cat f", 0),
        (format!("(deny file-read-data {literal})"), "cat f", 1),
        (format!("(deny file-read-data {literal} (with errno 2))"), "cat f", 1),
        (format!("(deny file-read-data {literal} (with no-report) (with errno 13))"), "cat f", 1),
        (format!("(deny file-read-data {literal} (with send-signal SIGKILL))"), "cat f", 137),
        (format!("(deny file-read-data {literal} (with send-signal SIGTERM) (with errno 2))"), "cat f", 143),
        (format!("(deny file-write-create (subpath \"{}\") (with errno 66))", fixture.model("")), "echo x > new", 2),
        (format!("(deny file-write* (regex #\"^{path}$\"))"), "chmod 600 f", 1),
        ("(deny process-exec* (literal \"/usr/bin/cat\") (with errno 2))".to_owned(), "cat f", 127),
        ("(deny process-fork (with no-report))".to_owned(), "(cat f); true", 2),
        ("(deny network* (remote ip \"localhost:*\"))".to_owned(), "cat f", 0),
        ("(deny signal (target initproc))".to_owned(), "kill -0 1", 1),
        ("(deny sysctl-read (sysctl-name \"kern.ostype\"))".to_owned(), "cat /proc/sys/kernel/ostype", 1),
    ];
    for (rule, script, status) in cases {
        let mut command = Command::new("/bin/sh");
        command.args = vec!["-c".into(), script.into()];
        command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        command.cwd = Some(fixture.folder.path().into());
        let [text, blob] =
            both(&format!("(allow default){rule}")).map(|judge| run_judged(judge, Mapping::host(), &command));
        assert_eq!((text.status(), blob.status()), (status, status), "{rule} {script}: {}", blob.stderr());
        assert_eq!((text.stdout(), text.stderr()), (blob.stdout(), blob.stderr()), "{rule}");
        let denials = [&text, &blob].map(|run| run.denials.iter().map(told).collect::<Vec<_>>());
        assert_eq!(denials[0], denials[1], "{rule}");
        // A shell looks for a program that is not there in every folder.
        assert_eq!(
            denials[0].iter().filter(|told| told.0 != "execve").count(),
            usize::from(status != 0 && status != 127)
        );
    }
}

fn sbpl(words: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_sbpl")).args(words).output().unwrap()
}

/// The same by the command: `exec --blob`.
#[test]
fn a_command_under_a_compiled_profile() {
    let fixture = Fixture::new();
    let rule = "(version 1)\n(allow default)\n(deny file-read-data (literal \"/private/etc/hosts\") (with errno 2))\n";
    let text = fixture.file("p.sb", rule);
    let (text, blob, log) = (text.to_str().unwrap(), fixture.host("p.bin"), fixture.host("log"));
    assert!(sbpl(&["compile", text, "-o", &blob]).status.success());
    let to = format!("--log-denials={log}");
    let shown = [["-f", text], ["--blob", &blob], ["-f", &blob]].map(|profile| {
        let ended = sbpl(&[&["exec"], &profile[..], &[&to, "--", "/bin/cat", "/etc/hosts"]].concat());
        let denial: serde_json::Value = serde_json::from_str(std::fs::read_to_string(&log).unwrap().trim()).unwrap();
        assert_eq!(denial["rule"].is_null(), profile[1] != text);
        (ended.status.code(), ended.stderr, denial["operation"].clone(), denial["errno"].clone())
    });
    assert_eq!(shown[0].0, Some(1));
    assert!(String::from_utf8_lossy(&shown[0].1).contains("No such file"));
    assert!(shown[0] == shown[1] && shown[0] == shown[2], "{shown:?}");
}

/// The built-in plan from compiled profiles: every probe ends as with the text. Shims are for texts only, so both are without.
#[test]
fn probes_under_compiled_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let mut matrix = serde_json::json!(sbpl::probe::golden::plan_set().unwrap().expected);
    let profiles = matrix["profiles"].as_object_mut().unwrap();
    profiles.retain(|_, profile| profile["expected_block"].is_null());
    assert!(profiles.len() >= 6, "{}", profiles.len());
    for profile in profiles.values_mut() {
        let name = profile["blob"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let text = format!("{}/{}", env!("CARGO_MANIFEST_DIR"), profile["blob"].as_str().unwrap());
        std::fs::copy(text, folder.path().join(&name)).unwrap();
        profile["blob"] = name.into();
    }
    let mut compiled = matrix.clone();
    for profile in compiled["profiles"].as_object_mut().unwrap().values_mut() {
        let name = profile["blob"].as_str().unwrap().to_owned();
        let (text, blob) = (folder.path().join(&name), folder.path().join(format!("{name}.bin")));
        assert!(sbpl(&["compile", text.to_str().unwrap(), "-o", blob.to_str().unwrap()]).status.success());
        profile["blob"] = format!("{name}.bin").into();
        profile["mode"] = "blob".into();
    }
    let verdicts = [matrix, compiled].map(|matrix| {
        let (file, out) = (folder.path().join("matrix.json"), folder.path().join("out"));
        std::fs::write(&file, matrix.to_string()).unwrap();
        let words = ["run", "-q", "--backend", "supervised", "--no-shims", "--matrix"];
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_sbpl"))
            .args(words)
            .arg(&file)
            .arg("--out")
            .arg(&out)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(matches!(ran.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&ran.stderr));
        let latest = std::fs::read_to_string(out.join("LATEST")).unwrap();
        let results = std::fs::read(out.join(latest.trim()).join("runtime_results.json")).unwrap();
        let results: sbpl::probe::artifact::RuntimeResults = serde_json::from_slice(&results).unwrap();
        let rows = results.iter().flat_map(|(id, profile)| {
            profile.probes.iter().map(move |probe| {
                let actual = probe.actual.map(|actual| actual.name());
                (id.clone(), probe.name.clone(), actual, probe.runtime_result.errno)
            })
        });
        rows.collect::<Vec<_>>()
    });
    assert!(verdicts[0].iter().filter(|row| row.2 == Some("deny")).count() >= 8, "{verdicts:?}");
    assert_eq!(verdicts[0], verdicts[1]);
}
