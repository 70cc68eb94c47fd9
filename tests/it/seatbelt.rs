//! The backend of macOS against a library that stands in for macOS, with real processes: every end of a probe that
//! `docs/seatbelt.md` names, from the command's own point of view.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use sbpl::probe::artifact::{ApplyPreflight, ObserverResults};
use serde_json::{Value, json};

use crate::schemas::{check, round_trip};

/// The stand-in, built once.
fn standin() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("macos.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/standin_macos.c");
        let status = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(status.expect("a C compiler, `cc`").success());
        (folder, library)
    });
    library
}

/// The command with the stand-in preloaded, so that the probes' own calls on files meet it too.
fn sbpl(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbpl"));
    command.env("LD_PRELOAD", standin()).envs(variables.iter().copied());
    command
}

/// Exit status, details, standard error of one probe program.
fn driver(profile: Option<&str>, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = sbpl(variables);
    command.arg("probe-driver").arg(arguments[0]).arg("--system").arg(standin());
    if let Some(text) = profile {
        let file = folder.path().join("profile.sb");
        fs::write(&file, text).unwrap();
        command.arg("--profile").arg(file);
    }
    let output = command.args(&arguments[1..]).output().unwrap();
    let (text, complaints) = texts(&output);
    let details = text.lines().find_map(|line| line.strip_prefix("SBL_PROBE_DETAILS "));
    let details = details.map_or(Value::Null, |json| serde_json::from_str(json).unwrap());
    (output.status.code().unwrap_or(-1), details, complaints)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn markers(stderr: &str) -> Vec<Value> {
    stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

const DENY: &str = "(version 1)\n(allow default)\n(deny mach-lookup (global-name \"a.b\"))\n(deny sysctl-read (sysctl-name \
                    \"kern.x\"))\n(deny darwin-notification-post (notification-name \"n\"))\n(deny iokit-open-service \
                    (iokit-registry-entry-class \"C\"))\n(deny process-info-pidinfo (target \"self\"))\n(deny signal (target \
                    \"others\"))\n(deny system-socket (socket-domain \"AF_SYSTEM\"))\n";

/// Each service answers yes, no, and "there is no such thing", and the three are told apart.
#[test]
fn in_process_drivers_report_what_the_system_said() {
    let run = |arguments: &[&str]| {
        let (status, details, _) = driver(Some(DENY), &[], arguments);
        (status, details)
    };
    for (arguments, status, key, value) in [
        (&["mach", "c.d"][..], 0, "kr", json!(0)),
        (&["mach", "a.b"], 1, "kr", json!(1100)),
        (&["mach", "missing"], 1, "service_present", json!(false)),
        (&["sysctl", "kern.y"], 0, "errno", json!(0)),
        (&["sysctl", "kern.x"], 1, "errno", json!(1)),
        (&["sysctl", "missing"], 1, "errno", json!(2)),
        (&["notify", "m"], 0, "status", json!(0)),
        (&["notify", "n"], 1, "status", json!(7)),
        (&["notify-distributed", "n"], 0, "status", json!("not_witnessed")),
        (&["iokit", "D"], 0, "open_kr", json!(0)),
        (&["iokit", "D"], 0, "call_kr", json!(-536_870_206)),
        (&["iokit", "C"], 1, "open_kr", json!(-536_870_174)),
        (&["iokit", "Odd"], 1, "open_kr", json!(-536_870_206)),
        (&["iokit", "Missing"], 1, "found", json!(false)),
        (&["pidinfo", "self"], 1, "errno", json!(1)),
        (&["signal"], 1, "signal_errno", json!(1)),
        (&["system-socket", "AF_SYSTEM"], 1, "errno", json!(1)),
        (&["confined"], 0, "sandboxed", json!(true)),
    ] {
        let (code, details) = run(arguments);
        assert_eq!((code, &details[key]), (status, &value), "{arguments:?}: {details}");
    }
    let (code, details, _) = driver(None, &[], &["pidinfo", "999999"]);
    assert_eq!((code, &details["errno"]), (1, &json!(3)));
    assert_eq!(driver(None, &[], &["pidinfo", "nobody"]).0, 64);
    assert_eq!(driver(None, &[], &["confined"]).1["sandboxed"], false);
    assert_eq!(driver(None, &[], &["signal"]).0, 0);
    assert_eq!(driver(None, &[], &["system-socket", "AF_SYSTEM"]).0, 0);
    assert_eq!(driver(None, &[], &["system-socket", "AF_INET"]).0, 64);
}

/// A client that was opened is called with every selector that is named, and not with more than a bounded number of them.
#[test]
fn selectors_are_swept() {
    let sweep = |selectors: &str| driver(None, &[], &["iokit", "--", "D", selectors]);
    let (status, details, _) = sweep("0-2,7");
    assert_eq!((status, &details["call_kr"], &details["selector"]), (0, &json!(-536_870_206), &json!(0)));
    let rows = details["sweep"].as_array().unwrap();
    let called: Vec<_> =
        rows.iter().map(|row| (row["selector"].as_u64().unwrap(), row["call_kr"].as_i64().unwrap())).collect();
    assert_eq!(called, [(0, -536_870_206), (1, 1), (2, 1), (7, 1)]);
    for wrong in ["0-64", "5-1", "1024", "x", ""] {
        assert_eq!(sweep(wrong).0, 64, "{wrong}");
    }
    // What was not opened is not called.
    let (status, details, _) = driver(Some(DENY), &[], &["iokit", "--", "C", "0-3"]);
    assert_eq!((status, &details["sweep"]), (1, &json!([])));
}

/// A right to a service that was acquired before stays a right under a profile that refuses to look it up; one that is gone is
/// no denial, nor is one that was refused without the profile.
#[test]
fn a_right_acquired_before_is_used_under_the_profile() {
    let early = |variables: &[(&str, &str)], name: &str| driver(Some(DENY), variables, &["mach", "--early", name]);
    let (status, details, _) = early(&[], "a.b");
    assert_eq!((status, &details["kr"], &details["again_kr"]), (0, &json!(0), &json!(1100)), "{details}");
    let (status, details, _) = early(&[("STANDIN_LOST", "1")], "a.b");
    assert_eq!((status, &details["kr"]), (1, &json!(15)), "{details}");
    let (status, details, _) = early(&[], "missing");
    assert_eq!((status, &details["kr"], &details["before_profile"]), (1, &json!(1102), &json!(true)), "{details}");
}

/// Both spellings of a descriptor's path come from the system.
#[test]
fn the_reader_says_both_spellings_and_the_error_number() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().canonicalize().unwrap().join("f");
    fs::write(&file, "content").unwrap();
    let name = file.to_str().unwrap();
    let (status, _, stderr) = driver(Some("(version 1)\n(allow default)\n"), &[], &["read", name]);
    assert_eq!(status, 0);
    assert!(stderr.contains(&format!("F_GETPATH:{name}\n")), "{stderr}");
    assert!(stderr.contains(&format!("F_GETPATH_NOFIRMLINK:/System/Volumes/Data{name}\n")), "{stderr}");
    let profile = format!("(version 1)\n(allow default)\n(deny file-read* (literal \"{name}\"))\n");
    let (status, details, stderr) = driver(Some(&profile), &[], &["read", name]);
    assert_eq!((status, &details["errno"]), (2, &json!(1)));
    assert!(stderr.ends_with("open target: Operation not permitted\n"), "{stderr}");
    // What was opened before can be read; what could not be opened then was not refused by the profile.
    assert_eq!(driver(Some(&profile), &[], &["read", "--early", name]).0, 0);
    let (status, details, stderr) = driver(Some(&profile), &[], &["read", "--early", "/tmp/unix-permission"]);
    assert_eq!((status, &details["errno"], &details["before_profile"]), (2, &json!(13), &json!(true)), "{stderr}");
    assert!(markers(&stderr).iter().any(|marker| marker["stage"] == "applied"), "{stderr}");
    let (status, details, _) = driver(None, &[], &["read", "/tmp/unix-permission"]);
    assert_eq!((status, &details["errno"]), (2, &json!(13)));
}

/// The markers of `spec/probe-runner.md` section 2.4, in their order, none without its predecessor.
#[test]
fn applying_leaves_markers() {
    let (_, _, stderr) = driver(Some(DENY), &[], &["mach", "--op", "mach-lookup", "--oracle", "--", "a.b"]);
    let seen = markers(&stderr);
    let stages: Vec<_> = seen.iter().map(|marker| (marker["tool"].as_str(), marker["stage"].as_str())).collect();
    assert_eq!(
        stages,
        [
            (Some("sbpl-apply"), Some("apply")),
            (Some("sbpl-apply"), Some("applied")),
            (Some("seatbelt-callout"), Some("pre_syscall"))
        ]
    );
    assert_eq!(
        (&seen[0]["api"], &seen[0]["rc"], &seen[0]["err_class"]),
        (&json!("sandbox_init"), &json!(0), &json!("ok"))
    );
    let callout = &seen[2];
    assert_eq!((&callout["filter_type"], &callout["check_type"]), (&json!(2), &json!(0x4000_0002)));
    assert_eq!((&callout["rc"], &callout["decision"]), (&json!(1), &json!("deny")));
    // A path is asked twice; the second way refuses what is not canonical and does not make it so.
    let (_, _, stderr) = driver(Some(DENY), &[], &["read", "--op", "file-read*", "--oracle", "--", "/tmp/a/../etc"]);
    let callouts: Vec<Value> = markers(&stderr).split_off(2);
    let said: Vec<_> = callouts.iter().map(|marker| (&marker["canonicalization"], &marker["decision"])).collect();
    assert_eq!(said, [(&json!("raw"), &json!("allow")), (&json!("canonical"), &json!("error"))]);
    assert_eq!((&callouts[1]["check_type"], &callouts[1]["errno"]), (&json!(0x6000_0001), &json!(22)));
}

/// Every way in which a profile can be refused has a class, and the probe is not tried.
#[test]
fn a_refused_profile_is_told_apart() {
    let refuse = |variables: &[(&str, &str)]| {
        let (status, details, stderr) = driver(Some(DENY), variables, &["mach", "c.d"]);
        assert_eq!((status, details), (1, Value::Null));
        let marker = markers(&stderr).remove(0);
        (marker["errno"].clone(), marker["err_class"].as_str().unwrap().to_owned(), marker["errbuf"].clone())
    };
    assert_eq!(
        refuse(&[("STANDIN_INIT", "1")]),
        (json!(1), "errno_eperm".to_owned(), json!("Operation not permitted"))
    );
    assert_eq!(refuse(&[("STANDIN_INIT", "13")]).1, "errno_eacces");
    assert_eq!(refuse(&[("STANDIN_INIT", "12")]).1, "errno_other");
    let words = "iokit-external-method operation not applicable in this context\n<input string>:11:4:\n\tform";
    assert_eq!(refuse(&[("STANDIN_INIT", "22"), ("STANDIN_WORDS", words)]).2, json!(words));
    assert_eq!(refuse(&[("STANDIN_INIT", "1"), ("STANDIN_WORDS", "already in a sandbox")]).1, "already_sandboxed");
}

#[test]
fn parameters_go_with_the_text_and_blobs_to_their_own_call() {
    let (_, _, stderr) = driver(Some(DENY), &[], &["confined", "-D", "A=1", "-D", "B=two"]);
    assert!(stderr.contains("parameter A=1\nparameter B=two\n"), "{stderr}");
    assert_eq!(markers(&stderr)[0]["api"], "sandbox_init_with_parameters");
    let folder = tempfile::tempdir().unwrap();
    let blob = folder.path().join("a.sb.bin");
    fs::write(&blob, b"bytes").unwrap();
    let run = |variables: &[(&str, &str)]| {
        let mut command = sbpl(variables);
        let output = command.args(["probe-driver", "confined", "--system"]).arg(standin()).arg("--blob").arg(&blob);
        texts(&output.output().unwrap())
    };
    assert_eq!(markers(&run(&[]).1)[0]["api"], "sandbox_apply");
    let refused = run(&[("STANDIN_APPLY", "1")]).1;
    assert_eq!(markers(&refused)[0]["err_class"], "errno_eperm");
    assert!(refused.contains("sandbox_apply: Operation not permitted"), "{refused}");
}

/// `sbpl exec` under the sandbox of macOS: the profile is put in force in this very process, which then becomes the command.
#[test]
fn a_command_is_what_the_process_becomes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let text = at("p.sb", b"(version 1)\n(allow default)\n(deny process-exec* (literal \"/bin/cat\"))\n");
    let allow = at("a.sb", b"(version 1)\n(allow default)\n");
    let blob = folder.path().join("p.bin").to_str().unwrap().to_owned();
    assert!(sbpl(&[]).args(["compile", &allow, "-o", &blob]).status().unwrap().success());
    let exec = |variables: &[(&str, &str)], options: &[&str], command: &[&str]| {
        let mut run = sbpl(variables);
        run.arg("exec").arg("--system").arg(standin()).args(options).arg("--").args(command);
        let child = run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = texts(&output);
        (output.status.code(), stdout, stderr, pid)
    };
    let shell = ["/bin/sh", "-c", "echo $$; exit 5"];
    let (status, stdout, stderr, pid) = exec(&[], &["-f", &text, "-D", "A=1", "--backend", "seatbelt"], &shell);
    assert_eq!((status, stdout, stderr.as_str()), (Some(5), format!("{pid}\n"), "parameter A=1\n"));
    // A library in the place of macOS is reason enough for `auto`.
    assert_eq!(exec(&[], &["--blob", &blob], &shell).0, Some(5));
    assert_eq!(exec(&[("STANDIN_APPLY", "1")], &["-f", &blob], &shell).0, Some(71));
    let refused = exec(&[], &["-f", &text], &["/bin/cat", "/etc/hosts"]);
    assert_eq!(refused.0, Some(71));
    assert!(refused.2.contains("exec of '/bin/cat' failed: Operation not permitted"), "{}", refused.2);
    assert_eq!(exec(&[], &["-f", &allow], &["/no/such/program"]).0, Some(71));
    let bad = exec(&[("STANDIN_INIT", "22"), ("STANDIN_WORDS", "no such operation")], &["-f", &text], &shell);
    assert_eq!(bad.0, Some(71));
    assert!(bad.2.contains("E0784") && bad.2.contains("sandbox_init: no such operation"), "{}", bad.2);
    let nested = exec(&[("STANDIN_SANDBOXED", "1")], &["-f", &allow], &shell);
    assert!(nested.0 == Some(71) && nested.2.contains("sandboxed already"), "{}", nested.2);
    let logged = exec(&[], &["-f", &allow, "--log-denials"], &shell);
    assert!(logged.0 == Some(69) && logged.2.contains("log stream"), "{}", logged.2);
    // What macOS would understand is macOS's to say.
    let unknown = at("u.sb", b"(version 1)\n(allow default)\n(allow an-operation-of-tomorrow)\n");
    assert_eq!(exec(&[], &["-f", &unknown], &shell).0, Some(5));
    assert_eq!(exec(&[], &["-f", &at("bytes.sb", b"(version 1) ; \xff\n")], &shell).0, Some(65));
}

/// The numbers are believed only when known answers come back.
#[test]
fn an_oracle_with_other_numbers_is_not_calibrated() {
    let profile = sbpl::sandbox::seatbelt::calibration_profile();
    let calibrated = |variables: &[(&str, &str)]| {
        let (_, details, _) = driver(Some(&profile), variables, &["calibrate"]);
        let rows = details["calibration"].as_array().unwrap().clone();
        assert!(rows.len() > 10);
        rows.iter().filter(|row| row["calibrated"] == true).count()
    };
    assert!(calibrated(&[]) > 10);
    assert_eq!(calibrated(&[("STANDIN_SHIFT", "1")]), 0);
}

/// A plan with one profile and its probes.
struct Plan {
    folder: tempfile::TempDir,
}

impl Plan {
    fn new(profile: &str, probes: &[(&str, &str, &str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lanes = json!({"baseline": true, "scenario": true, "oracle": true});
        let probe = |(name, operation, target, expected): &(&str, &str, &str, &str)| {
            let value = json!({
                "probe_id": name, "name": name, "operation": operation, "target": target, "expected": expected,
                "supports_lanes": lanes, "expected_primary_ops": [operation], "expected_predicates": [],
                "capabilities_required": [], "controls_supported": ["baseline"],
            });
            ((*name).to_owned(), value)
        };
        let names: Vec<&str> = probes.iter().map(|probe| probe.0).collect();
        let documents = [
            (
                "plan.json",
                json!({
                    "schema_version": "runtime-tools.plan.v0.1", "plan_id": "mac", "registry_id": "mac", "profiles": ["p"],
                    "apply_preflight_profile": "allow.sb",
                }),
            ),
            (
                "registry/probes.json",
                json!({
                    "schema_version": "runtime-tools.probe_registry.v0.2", "registry_id": "mac",
                    "world_id": "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5",
                    "probes": Value::Object(probes.iter().map(probe).collect()),
                }),
            ),
            (
                "registry/profiles.json",
                json!({
                    "schema_version": "runtime-tools.profile_registry.v0.2", "registry_id": "mac",
                    "world_id": "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5",
                    "profiles": {"p": {
                        "profile_id": "p", "profile_path": "p.sb", "mode": "sbpl", "family": null, "semantic_group": null,
                        "probe_refs": names, "key_specific_rules": [], "notes": null,
                    }},
                }),
            ),
        ];
        fs::create_dir(folder.path().join("registry")).unwrap();
        for (name, document) in documents {
            fs::write(folder.path().join(name), document.to_string()).unwrap();
        }
        fs::write(folder.path().join("p.sb"), profile).unwrap();
        fs::write(folder.path().join("allow.sb"), "(version 1)\n(allow default)\n").unwrap();
        Self { folder }
    }

    /// Runs it; exit status, standard error, the bundle's folder.
    fn run(&self, variables: &[(&str, &str)], more: &[&str]) -> (i32, String, PathBuf) {
        let out = self.folder.path().join("out");
        let log = self.folder.path().join("no-log");
        let mut command = sbpl(variables);
        command.arg("run").arg(self.folder.path().join("plan.json")).arg("--no-shims");
        if !more.contains(&"--backend") {
            command.args(["--backend", "seatbelt"]);
        }
        command.arg("--out").arg(&out).arg("--system").arg(standin()).arg("--log-tool").arg(log).args(more);
        let output = command.output().unwrap();
        let latest = fs::read_to_string(out.join("LATEST")).unwrap_or_default();
        (output.status.code().unwrap_or(-1), texts(&output).1, out.join(latest.trim()))
    }
}

fn document(bundle: &Path, name: &str) -> Value {
    let path = bundle.join(name);
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

const PROFILE: &str = "(version 1)\n(allow default)\n(deny mach-lookup (global-name \"a.b\"))\n(deny sysctl-read (sysctl-name \
                       \"kern.x\"))\n";

const PROBES: &[(&str, &str, &str, &str)] = &[
    ("denied", "mach-lookup", "a.b", "deny"),
    ("allowed", "mach-lookup", "c.d", "allow"),
    ("absent", "mach-lookup", "missing", "allow"),
    ("sysctl", "sysctl-read", "kern.x", "deny"),
    ("permission", "file-read*", "/opt/unix-permission-of-a-file", "allow"),
];

/// A run leaves one class a probe; only denials are decisions, and the lanes stay apart.
#[test]
fn a_run_tells_denials_from_everything_else() {
    let plan = Plan::new(PROFILE, PROBES);
    let (status, stderr, bundle) = plan.run(&[], &[]);
    // Two probes came to no decision.
    assert_eq!(status, 1, "{stderr}");
    let results = document(&bundle, "runtime_results.json");
    let rows: Vec<_> = results["p"]["probes"].as_array().unwrap().iter().collect();
    let seen: Vec<_> = rows.iter().map(|row| (row["class"].as_str().unwrap(), row["actual"].clone())).collect();
    assert_eq!(
        seen,
        [
            ("denied", json!("deny")),
            ("allowed", json!("allow")),
            ("missing_service", Value::Null),
            ("denied", json!("deny")),
            ("unix_permission", Value::Null),
        ]
    );
    assert_eq!((&rows[3]["runtime_result"]["errno"], &rows[3]["exit_code"]), (&json!(1), &json!(1)));
    assert_eq!(rows[0]["runtime_result"]["apply_report"]["api"], "sandbox_init");
    let manifest = document(&bundle, "run_manifest.json");
    assert_eq!((&manifest["channel"], &manifest["backend"]), (&json!("direct"), &json!("seatbelt")));
    let preflight = document(&bundle, "apply_preflight.json");
    assert_eq!((&preflight["apply_ok"], &preflight["sandbox_check_self"]["sandboxed"]), (&json!(true), &json!(false)));
    assert_eq!(manifest["apply_preflight"]["record"], preflight);
    let oracle = document(&bundle, "oracle_results.json");
    let first = &oracle["results"][0];
    assert_eq!(
        (&first["decision"], &first["calibrated"], &first["filter_type"]),
        (&json!("deny"), &json!(true), &json!(2))
    );
    // There is no such kind of argument, so it was not asked.
    assert!(oracle["results"].as_array().unwrap().iter().all(|row| row["operation"] != "sysctl-read"));
    let observer = document(&bundle, "observer_results.json");
    assert_eq!(observer["status"], "unavailable");
    assert!(observer["results"].as_array().unwrap().iter().all(|row| row["witness"] == false));
    let baseline = document(&bundle, "baseline_results.json");
    assert_eq!(baseline["results"][0]["status"], "allow");
    for (schema, value) in [
        ("runtime_results", &results),
        ("apply_preflight", &preflight),
        ("oracle_results", &oracle),
        ("observer_results", &observer),
        ("run_manifest", &manifest),
        ("baseline_results", &baseline),
    ] {
        check(schema, value);
    }
    round_trip::<ApplyPreflight>(&preflight);
    round_trip::<ObserverResults>(&observer);
}

/// Driver, call and payload of a plan reach the probe programs; the manifest says how long they may take, and what the system
/// says of its integrity protection.
#[test]
fn what_a_plan_says_of_its_probes_reaches_them() {
    let file = tempfile::Builder::new().prefix("sbpl-mode-").tempfile_in("/tmp").unwrap();
    let name = file.path().to_str().unwrap();
    let probes = [
        ("mode", "file-write-mode", name, "allow"),
        ("sweep", "iokit-open-service", "D", "allow"),
        ("at", "file-read*", name, "allow"),
    ];
    let plan = Plan::new("(version 1)\n(allow default)\n", &probes);
    let path = plan.folder.path().join("registry/probes.json");
    let mut registry: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (probe, key, value) in [
        ("mode", "driver", "metadata_runner"),
        ("mode", "syscall", "fchmod"),
        ("mode", "attr_payload", "604"),
        ("sweep", "driver", "sandbox_iokit_probe"),
        ("sweep", "attr_payload", "0-3"),
        ("at", "driver", "read-at"),
    ] {
        registry["probes"][probe][key] = json!(value);
    }
    fs::write(&path, registry.to_string()).unwrap();
    let (status, stderr, bundle) = plan.run(&[("STANDIN_SIP", "103")], &["--time-limit", "7"]);
    assert_eq!(status, 0, "{stderr}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(file.as_file().metadata().unwrap().permissions().mode() & 0o777, 0o604);
    let results = document(&bundle, "runtime_results.json");
    let rows = &results["p"]["probes"];
    assert_eq!(rows[0]["probe_details"]["syscall"], "fchmod");
    assert_eq!(rows[1]["probe_details"]["sweep"].as_array().unwrap().len(), 4);
    assert!(rows[2]["command"].as_array().unwrap().contains(&json!("read-at")), "{}", rows[2]["command"]);
    let manifest = document(&bundle, "run_manifest.json");
    check("run_manifest", &manifest);
    assert_eq!((&manifest["time_limit_s"], &manifest["world"]), (&json!(7.0), &Value::Null));
    let host = &manifest["host"];
    assert_eq!((&host["sip"], &host["sip_config"]), (&json!(false), &json!(103)));
    assert_eq!(host["sip_source"], "csr_get_active_config");
}

/// A probe that takes longer than it may is a timeout, with and without the profile; neither is a denial.
#[test]
fn slow_probes_are_timeouts() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody opens the other end.
    let pipe = folder.path().canonicalize().unwrap().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let plan = Plan::new(PROFILE, &[("slow", "file-read*", pipe.to_str().unwrap(), "deny")]);
    let (status, stderr, bundle) = plan.run(&[], &["--time-limit", "0.6"]);
    assert_eq!(status, 1, "{stderr}");
    let row = &document(&bundle, "runtime_results.json")["p"]["probes"][0];
    assert_eq!((&row["class"], &row["actual"]), (&json!("timeout"), &Value::Null));
    assert_eq!(row["runtime_result"]["failure_kind"], "probe_timeout");
    let baseline = document(&bundle, "baseline_results.json");
    assert_eq!(baseline["results"][0]["error"], "timeout");
}

/// Only a calibrated oracle stands in a packet; one that is not says nothing there.
#[test]
fn packets_have_what_a_calibrated_oracle_said() {
    let plan = Plan::new(PROFILE, &[("denied", "mach-lookup", "a.b", "allow")]);
    let packet = |variables: &[(&str, &str)]| {
        let (status, stderr, bundle) = plan.run(variables, &[]);
        assert_eq!(status, 1, "{stderr}");
        let packet = document(&bundle, "mismatch_packets.jsonl");
        check("mismatch_packet", &packet);
        (packet["oracle_check"].clone(), packet["mismatch_reason"].clone())
    };
    let said = json!({
        "decision": "deny", "stage": "pre_syscall", "filter_type": 2, "filter_type_name": "global-name", "argument": "a.b",
    });
    assert_eq!(packet(&[]), (said, json!("expectation_too_strong")));
    assert_eq!(packet(&[("STANDIN_SHIFT", "1")]), (Value::Null, json!("expectation_too_strong")));
}

/// A log that names the probe's process is a witness beside its result.
#[test]
fn the_log_is_joined_by_process() {
    use std::os::unix::fs::PermissionsExt;
    let plan = Plan::new(PROFILE, &PROBES[..1]);
    let tool = plan.folder.path().join("no-log");
    // Any process may have been the probe's.
    let script = "#!/bin/sh\ni=2\nwhile [ $i -lt 70000 ]; do echo \"Sandbox: sbpl($i) deny(1) mach-lookup a.b\"; i=$((i+1)); done\n";
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let (status, stderr, bundle) = plan.run(&[], &[]);
    assert_eq!(status, 0, "{stderr}");
    let observer = document(&bundle, "observer_results.json");
    assert_eq!((&observer["status"], &observer["results"][0]["witness"]), (&json!("witness"), &json!(true)));
    assert_eq!(observer["results"][0]["entries"][0]["operation"], "mach-lookup");
    check("observer_results", &observer);
}

/// A profile that the system refuses blocks its probes at the stage apply; none of them is a denial.
#[test]
fn a_refused_profile_blocks_and_denies_nothing() {
    let plan = Plan::new(PROFILE, &PROBES[..2]);
    let (status, _, bundle) = plan.run(&[("STANDIN_INIT", "1")], &[]);
    assert_eq!(status, 1);
    let results = document(&bundle, "runtime_results.json");
    assert_eq!(results["p"]["status"], "blocked");
    for row in results["p"]["probes"].as_array().unwrap() {
        assert_eq!((&row["actual"], &row["runtime_result"]["failure_stage"]), (&Value::Null, &json!("apply")));
        assert_eq!(row["runtime_result"]["failure_kind"], "sandbox_init_failed");
    }
    // The control profile was accepted: the refusal is this profile's.
    assert_eq!(document(&bundle, "apply_preflight.json")["apply_ok"], true);
}

/// A process that dies while the profile is put in force has neither applied it nor been denied anything.
#[test]
fn a_crash_while_applying_is_no_denial() {
    let plan = Plan::new(PROFILE, &PROBES[..1]);
    let (status, _, bundle) = plan.run(&[("STANDIN_CRASH", "1")], &[]);
    assert_eq!(status, 1);
    let row = &document(&bundle, "runtime_results.json")["p"]["probes"][0];
    assert_eq!((&row["actual"], &row["runtime_result"]["failure_stage"]), (&Value::Null, &json!("apply")));
}

/// Under a sandboxed parent every profile is refused; that is the harness's boundary, not a result.
#[test]
fn a_sandboxed_parent_makes_the_backend_unavailable() {
    let plan = Plan::new(PROFILE, &PROBES[..1]);
    let (status, stderr, _) = plan.run(&[("STANDIN_SANDBOXED", "1")], &[]);
    assert_eq!(status, 69, "{stderr}");
    assert!(stderr.contains("sandboxed already"), "{stderr}");
    assert!(!plan.folder.path().join("out/LATEST").exists());
}

/// `auto` takes the real thing where it is, says so, and says why not where it is not.
#[test]
fn auto_takes_the_best_one_and_says_which() {
    let plan = Plan::new(PROFILE, &PROBES[..1]);
    let (_, stderr, bundle) = plan.run(&[], &["--backend", "auto"]);
    assert_eq!(document(&bundle, "summary.json")["backend"], "seatbelt", "{stderr}");
    let (_, stderr, bundle) = plan.run(&[("STANDIN_SANDBOXED", "1")], &["--backend", "auto"]);
    assert_ne!(document(&bundle, "summary.json")["backend"], "seatbelt");
    assert!(stderr.contains("sandboxed already") && stderr.contains("is used"), "{stderr}");
}

#[test]
fn without_a_mac_and_a_library_there_is_no_backend() {
    let output = Command::new(env!("CARGO_BIN_EXE_sbpl")).args(["run", "--backend", "seatbelt"]).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(texts(&output).1.contains("this is not macOS"));
    let output = Command::new(env!("CARGO_BIN_EXE_sbpl"))
        .args(["run", "--backend", "seatbelt", "--system", "/nowhere/macos.so"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
}

/// launchctl in the place of launchd's: runs the job's words in another process.
const LAUNCHCTL: &str = r#"#!/bin/sh
[ "$1" = bootstrap ] || exit 0
set --  "$3"
words=$(sed -n '/<array>/,/<\/array>/s/.*<string>\(.*\)<\/string>.*/\1/p' "$1" | sed 's/&gt;/>/g; s/&lt;/</g; s/&amp;/\&/g')
stdout=$(sed -n '/StandardOutPath/{n;s/.*<string>\(.*\)<\/string>.*/\1/p;}' "$1")
stderr=$(sed -n '/StandardErrorPath/{n;s/.*<string>\(.*\)<\/string>.*/\1/p;}' "$1")
XPC_SERVICE_NAME=${STANDIN_NAME-$(sed -n '/<key>Label/{n;s/.*<string>\(.*\)<\/string>.*/\1/p;}' "$1")}
export XPC_SERVICE_NAME
set --
while IFS= read -r word; do set -- "$@" "$word"; done <<EOF
$words
EOF
"$@" > "$stdout" 2> "$stderr" < /dev/null
"#;

/// The clean channel: staged, run by a worker, brought back, and only then promotable.
#[test]
fn the_clean_channel_brings_its_bundle_back() {
    use std::os::unix::fs::PermissionsExt;
    let plan = Plan::new(PROFILE, &PROBES[..2]);
    let tool = plan.folder.path().join("launchctl");
    fs::write(&tool, LAUNCHCTL).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let stages = tempfile::tempdir().unwrap();
    let (tool, place) = (tool.to_str().unwrap().to_owned(), stages.path().to_str().unwrap().to_owned());
    let options = ["--channel", "launchd_clean", "--launchctl", &tool, "--stages", &place];
    let launchd = ("STANDIN_LAUNCHD", "1");
    let (status, stderr, bundle) = plan.run(&[launchd], &options);
    assert_eq!(status, 0, "{stderr}");
    let manifest = document(&bundle, "run_manifest.json");
    assert_eq!((&manifest["channel"], &manifest["stage_used"]), (&json!("launchd_clean"), &json!(true)));
    let proof = &manifest["clean_proof"];
    assert!(proof["service_name"].as_str().unwrap().starts_with("org.sbpl.run."), "{proof}");
    assert_eq!((&proof["ancestors"][1], &proof["sandboxed"]), (&json!(1), &json!(false)));
    assert!(manifest["stage_root"].as_str().unwrap().starts_with(&place));
    check("run_manifest", &manifest);
    // The stage is gone, the bundle is whole, and nothing speaks against its decisions.
    assert_eq!(fs::read_dir(stages.path()).unwrap().count(), 0);
    sbpl::probe::bundle::verify(&bundle).unwrap();
    let packet = sbpl::probe::promotion_packet(&bundle).unwrap();
    assert!(packet.promotability.promotable_decision_stage, "{:?}", packet.promotability.reasons);
    let (direct, _, bundle) = plan.run(&[], &[]);
    assert_eq!(direct, 0);
    let packet = sbpl::probe::promotion_packet(&bundle).unwrap();
    assert_eq!(packet.promotability.reasons, ["not_clean_channel"]);
    // Who says so and cannot show it is refused: nobody made the stage, launchd did not start it, or calls it otherwise.
    let staged = stages.path().to_str().unwrap();
    let (status, stderr, _) = plan.run(&[launchd, ("XPC_SERVICE_NAME", "x")], &["--staged", staged]);
    assert!(status == 69 && stderr.contains("not in the clean channel: no nonce in the stage"), "{status} {stderr}");
    let (status, stderr, _) = plan.run(&[], &options);
    assert!(status == 69 && stderr.contains("which is not launchd, is above the shell"), "{status} {stderr}");
    let (status, stderr, _) = plan.run(&[launchd, ("STANDIN_NAME", "org.other")], &options);
    assert!(status == 69 && stderr.contains("launchd calls this job \"org.other\""), "{status} {stderr}");
}

/// What launchd refuses is no result: nothing is written, the stage is gone.
#[test]
fn a_refused_worker_is_unavailable() {
    let plan = Plan::new(PROFILE, &PROBES[..1]);
    let stages = tempfile::tempdir().unwrap();
    let place = stages.path().to_str().unwrap().to_owned();
    let options = ["--channel", "launchd_clean", "--launchctl", "/bin/false", "--stages", &place];
    let (status, stderr, _) = plan.run(&[], &options);
    assert_eq!(status, 69, "{stderr}");
    assert!(stderr.contains("launchctl: bootstrap ended with 1"), "{stderr}");
    assert_eq!(fs::read_dir(stages.path()).unwrap().count(), 0);
    assert!(!plan.folder.path().join("out").exists());
}
