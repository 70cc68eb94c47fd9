//! How runs begin and end: parts of a plan, matrices without a plan, dry and failed runs, threads, and what is cut from events.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use sbpl::probe::artifact::{
    Coverage, Event, EventsIndex, GoldenDecodes, MismatchPacket, MismatchReason, MismatchSummary, RunManifest,
    RunState, RunStatus, ScenariosMap, Selection, Summary,
};
use sbpl::probe::matrix::MatrixProbe;
use sbpl::probe::{Files, PlanSet, ProbeError, ReadFailure, RunOptions, bundle, golden};
use serde_json::{Value, json};

use crate::run::{golden_run, read, run_in, run_with};

fn only(profiles: &[&str], scenarios: &[&str]) -> Result<PlanSet, ProbeError> {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    golden::plan_set().unwrap().only(Selection { profiles: owned(profiles), scenarios: owned(scenarios) })
}

/// A part of a plan runs alone and says so; what is not in the plan is a finding.
#[test]
fn parts_of_a_plan() {
    let out = tempfile::tempdir().unwrap();
    let set = only(&["runtime:strict_1", "bucket4:v1_read"], &["runtime:strict_1:read_/etc/hosts"]).unwrap();
    let report = run_in(out.path(), "run", &set, &golden::Embedded, true).unwrap();
    let rows: Vec<_> = report.rows.iter().map(|row| (row.profile.as_str(), row.probe.as_str())).collect();
    assert_eq!(rows, [("runtime:strict_1", "read_/etc/hosts")]);
    let manifest: RunManifest = read(report.folder.join("run_manifest.json"));
    assert_eq!(manifest.only.unwrap().scenarios, ["runtime:strict_1:read_/etc/hosts"]);
    assert_eq!(manifest.head.plan_digest, golden::plan_set().unwrap().plan.digest());
    bundle::verify(&report.folder).unwrap();

    let Err(ProbeError::Lint(findings)) = only(&["none"], &["bucket4:v1_read:nothing"]) else { panic!() };
    assert_eq!(findings, ["unknown profile: golden:none", "unknown scenario: golden:bucket4:v1_read:nothing"]);
}

/// A matrix alone is run as its plan would be, but for rules that stand in the registry only.
#[test]
fn a_matrix_without_a_plan() {
    let out = tempfile::tempdir().unwrap();
    let mut matrix = json!(golden::plan_set().unwrap().expected);
    matrix["plan_id"] = json!("from-matrix");
    let set = PlanSet::from_matrix(matrix.to_string().as_bytes()).unwrap();
    let report = run_in(out.path(), "run", &set, &golden::Embedded, true).unwrap();
    assert_eq!(report.summary.plan_id, "from-matrix");
    let wrong: Vec<_> = report.rows.iter().filter(|row| !row.matches).map(|row| row.profile.as_str()).collect();
    assert!(!wrong.is_empty());
    assert!(wrong.iter().all(|id| ["bucket5:v11_read_subpath", "runtime:metafilter_any"].contains(id)), "{wrong:?}");
}

/// A dry run tries nothing and has every lane off; its bundle is complete.
#[test]
fn dry_runs() {
    let out = tempfile::tempdir().unwrap();
    let set = golden::plan_set().unwrap();
    let report = run_with(out.path(), "run", &set, &golden::Embedded, |options| RunOptions { dry: true, ..options });
    let report = report.unwrap();
    assert_eq!((report.summary.status.as_str(), report.rows.len()), ("dry", 0));
    let lanes = &report.summary.lanes;
    assert!(report.summary.dry_run && !lanes.baseline && !lanes.scenario && !lanes.oracle);
    let check = bundle::verify(&report.folder).unwrap();
    let names: Vec<_> = check.index.unwrap().artifacts.into_iter().map(|entry| entry.path).collect();
    assert_eq!(
        names,
        [
            "run_status.json",
            "run_manifest.json",
            "expected_matrix.generated.json",
            "expected_matrix.json",
            "mismatch_summary.json",
            "mismatch_packets.jsonl",
            "summary.json",
            "summary.md"
        ]
    );
}

/// Files that can be read until a run has begun.
struct Vanishing {
    path: &'static str,
    reads: AtomicUsize,
}

impl Files for Vanishing {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        // Lint looks at every profile once.
        if path == self.path && self.reads.fetch_add(1, Ordering::Relaxed) > 0 {
            return Err(ReadFailure { missing: false, reason: "Input/output error".to_owned() });
        }
        golden::Embedded.read(path)
    }
}

/// An error in the middle of a run: the bundle says so, is committed, and is not promotable.
#[test]
fn failed_runs() {
    let out = tempfile::tempdir().unwrap();
    let set = golden::plan_set().unwrap();
    let files = Vanishing { path: "profiles/runtime/strict_1.sb", reads: AtomicUsize::new(0) };
    let error = run_in(out.path(), "run", &set, &files, true).unwrap_err();
    assert!(matches!(&error, ProbeError::Unreadable { path, .. } if path == files.path), "{error}");
    let folder = bundle::locate(out.path()).unwrap();
    let status: RunStatus = read(folder.join("run_status.json"));
    assert_eq!((status.state, status.failure_stage.as_deref()), (RunState::Failed, Some("exception")));
    assert_eq!(status.error, Some(error.to_string()));
    let mismatches: MismatchSummary = read(folder.join("mismatch_summary.json"));
    assert_eq!((mismatches.mismatches.len(), mismatches.error), (0, Some(error.to_string())));
    assert_eq!(std::fs::read(folder.join("mismatch_packets.jsonl")).unwrap(), b"");
    let summary: Summary = read(folder.join("summary.json"));
    assert_eq!(summary.status, "failed");
    assert_eq!(bundle::verify(&folder).unwrap().index.unwrap().status, "failed");
    let packet = sbpl::probe::promotion_packet(&folder).unwrap();
    assert!(packet.promotability.reasons.contains(&"bundle_failed".to_owned()));
}

/// How many threads work changes no byte.
#[test]
fn results_do_not_depend_on_threads() {
    let bundle = |jobs| {
        let out = tempfile::tempdir().unwrap();
        let jobs = NonZeroUsize::new(jobs).unwrap();
        let set = golden::plan_set().unwrap();
        let report = run_with(out.path(), "run", &set, &golden::Embedded, |options| RunOptions { jobs, ..options });
        let report = report.unwrap();
        let index = bundle::verify(&report.folder).unwrap().index.unwrap();
        let content = |name: &str| {
            let text = String::from_utf8_lossy(&std::fs::read(report.folder.join(name)).unwrap()).into_owned();
            text.replace(&out.path().display().to_string(), "OUT")
        };
        let files: Vec<_> = index.artifacts.iter().map(|entry| (entry.path.clone(), content(&entry.path))).collect();
        files
    };
    let one = bundle(1);
    assert!(one.len() > 50);
    assert_eq!(one, bundle(9));
}

/// Every scenario has its trace, which is its event; the tables name every scenario once.
#[test]
fn what_is_cut_from_events() {
    let out = tempfile::tempdir().unwrap();
    let report = golden_run(out.path(), "run");
    let events: Vec<Value> = read(report.folder.join("runtime_events.normalized.json"));
    let index: EventsIndex = read(report.folder.join("runtime_mappings/events_index.json"));
    assert_eq!(index.traces.len(), events.len());
    let path = &index.traces["bucket4:v1_read:read_/etc/hosts"];
    assert_eq!(path, &["runtime_mappings/traces/bucket4_v1_read_read__etc_hosts.jsonl"]);
    for event in &events {
        let [path] = &index.traces[event["scenario_id"].as_str().unwrap()][..] else { panic!() };
        let text = std::fs::read_to_string(report.folder.join(path)).unwrap();
        assert_eq!(text, format!("{event}\n"));
    }
    let scenarios: ScenariosMap = read(report.folder.join("runtime_mappings/scenarios.json"));
    let uncovered: Vec<_> = scenarios
        .scenarios
        .values()
        .filter(|row| row.coverage != Coverage::CoveredOk)
        .map(|row| &row.profile_id)
        .collect();
    assert!(uncovered.is_empty(), "{uncovered:?}");
}

/// A run of many scenarios has one trace for all of them, with the events in their order.
#[test]
fn many_scenarios_share_a_trace() {
    let out = tempfile::tempdir().unwrap();
    let mut set = golden::plan_set().unwrap();
    set.expected.profiles.retain(|id, _| id == "bucket4:v1_read");
    let probes = &mut set.expected.profiles["bucket4:v1_read"].probes;
    let probe = probes[0].clone();
    let numbered = |at: usize| MatrixProbe { expectation_id: Some(format!("many:{at}")), ..probe.clone() };
    *probes = (0..501).map(numbered).collect();
    let report = run_with(out.path(), "run", &set, &golden::Embedded, |options| options).unwrap();
    bundle::verify(&report.folder).unwrap();
    let index: EventsIndex = read(report.folder.join("runtime_mappings/events_index.json"));
    assert_eq!(index.traces.len(), 501);
    assert!(index.traces.values().all(|paths| paths[..] == ["runtime_mappings/traces/all.jsonl"]));
    let events: Vec<Value> = read(report.folder.join("runtime_events.normalized.json"));
    let text = std::fs::read_to_string(report.folder.join("runtime_mappings/traces/all.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, events);
}

/// A plan's own fixtures are there: its links are links of the world, which need their metadata, simulated and with real processes;
/// what a plan may not want is told with its place.
#[test]
fn fixtures_of_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let probe = |operation: &str, target: &str, expected: &str| {
        json!({
            "probe_id": target, "name": target, "operation": operation, "target": target, "expected": expected,
            "supports_lanes": {"baseline": true, "scenario": true, "oracle": false}, "expected_primary_ops": [],
            "expected_predicates": [], "capabilities_required": [], "controls_supported": [],
        })
    };
    let (link, plain) = ("/private/tmp/dir/to_var/f", "/private/var/tmp/f");
    let head =
        |tag: &str| json!({"schema_version": format!("runtime-tools.{tag}"), "registry_id": "f", "world_id": "w"});
    let write = |fixtures: Value| {
        let mut plan = head("plan_template.v0.1");
        let more = json!({
            "template_id": "f", "description": "", "plan": {"profiles": ["p"], "fixtures": fixtures},
            "probes": {link: probe("file-read*", link, "deny"), plain: probe("file-read*", plain, "allow")},
            "profiles": {"p": {
                "profile_id": "p", "profile_path": "p.sb", "mode": "sbpl", "family": null, "semantic_group": null,
                "probe_refs": [link, plain], "key_specific_rules": [], "notes": null,
            }},
        });
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        std::fs::write(at("plan.json"), plan.to_string()).unwrap();
    };
    let profile = "(version 1)\n(allow default)\n(deny file-read-metadata (literal \"/private/tmp/dir/to_var\"))\n";
    std::fs::write(at("p.sb"), profile).unwrap();
    let run = |backend: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sbpl"));
        command.args(["run", "-q", "--backend", backend, "plan.json"]).current_dir(folder.path());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    write(json!([
        {"path": "/private/tmp/dir/to_var", "kind": "symlink", "target": "/private/var/tmp"},
        {"path": "/private/tmp/dir/secret", "kind": "file", "mode": "0600"},
    ]));
    for backend in ["simulated", "auto"] {
        let (status, stderr) = run(backend);
        assert_eq!(status, Some(0), "{backend}: {stderr}");
    }
    let bundle = bundle::locate(&at("out")).unwrap();
    let manifest: Value = read(bundle.join("run_manifest.json"));
    assert_eq!(manifest["world"]["symlinks"]["/private/tmp/dir/to_var"], "/private/var/tmp");
    if manifest["backend"] == "supervised" {
        let fixtures: Value = read(bundle.join("fixtures.json"));
        let secret = fixtures["fixtures"].as_array().unwrap().iter().find(|row| row["mode"] == "0600").unwrap();
        assert_eq!(secret["name"], "/private/tmp/dir/secret");
    }
    for (fixture, text) in [
        (json!({"path": "/etc/x", "kind": "file"}), "fixture outside the temporary folders: f -> /etc/x"),
        (json!({"path": "/tmp/x", "kind": "file"}), "fixture outside the temporary folders: f -> /tmp/x"),
        (json!({"path": "/private/tmp/x", "kind": "symlink"}), "fixture that cannot be made: f -> /private/tmp/x"),
        (json!({"path": "/private/tmp/x", "kind": "directory", "mode": "0000"}), "fixture that cannot be made"),
        (json!({"path": "/private/tmp/x", "kind": "file", "mode": "4755"}), "fixture that cannot be made"),
        (json!({"path": "/private/tmp/x", "kind": "file", "what": 1}), "unknown fixture key: what"),
    ] {
        write(json!([fixture]));
        let (status, stderr) = run("simulated");
        assert!(status == Some(65) && stderr.contains(text), "{status:?} {stderr}");
    }
}

/// `golden_decodes.json` says which operations start at one node: under bucket 4 reading is one bucket and all else another.
#[test]
fn buckets_of_the_op_table() {
    let out = tempfile::tempdir().unwrap();
    let report = golden_run(out.path(), "run");
    let decodes: GoldenDecodes = read(report.folder.join("golden_decodes.json"));
    let contents = decodes.decodes["runtime:deny_only"].contents.as_ref().unwrap();
    let bucket = |name: &str| contents.op_table.iter().find(|bucket| bucket.operations.iter().any(|op| op == name));
    assert_eq!(bucket("mach-lookup").unwrap().answer.as_deref(), Some("deny"));
    assert_eq!(bucket("file-read-data").unwrap().answer, None);
    assert_eq!(
        contents.nodes.tests + contents.nodes.terminals,
        decodes.decodes["runtime:deny_only"].header.as_ref().unwrap()["node_count"].as_u64().unwrap()
    );
    assert!(contents.literals.values.iter().any(|literal| literal.text.contains("/usr")), "{:?}", contents.literals);
}

/// The two reasons that the notes name without a rule: a path that is not in its normal form, and an anchor of which another
/// name does as expected.
#[test]
fn reasons_beyond_the_list() {
    let out = tempfile::tempdir().unwrap();
    let mut matrix = json!(golden::plan_set().unwrap().expected);
    let probe = |name: &str, target: &str, expected: &str, anchor: Option<&str>| {
        let mut row = json!({"name": name, "operation": "file-read*", "target": target, "expected": expected});
        anchor.into_iter().for_each(|anchor| row["anchor_ctx_id"] = json!(anchor));
        row
    };
    matrix["profiles"] = json!({"p": {"blob": "profiles/runtime/strict_1.sb", "probes": [
        probe("dots", "/private/tmp/strict_ok/../x", "allow", None),
        probe("known", "/private/tmp/strict_ok/a", "allow", Some("anchor")),
        probe("other", "/private/opt/a", "allow", Some("anchor")),
        probe("plain", "/private/opt/a", "allow", None),
        probe("alias", "/tmp/x", "allow", None),
    ]}});
    let set = PlanSet::from_matrix(matrix.to_string().as_bytes()).unwrap();
    let report = run_in(out.path(), "run", &set, &golden::Embedded, true).unwrap();
    let text = std::fs::read_to_string(report.folder.join("mismatch_packets.jsonl")).unwrap();
    let packets = text.lines().map(|line| serde_json::from_str::<MismatchPacket>(line).unwrap());
    let reasons: Vec<_> =
        packets.map(|packet| (packet.decision_event.probe_name.unwrap(), packet.mismatch_reason)).collect();
    let expected = [
        ("dots", MismatchReason::PathNormalizationSensitivity),
        ("other", MismatchReason::AnchorAliasGap),
        ("plain", MismatchReason::ExpectationTooStrong),
        ("alias", MismatchReason::CanonicalizationBoundary),
    ];
    assert_eq!(reasons, expected.map(|(name, reason)| (name.to_owned(), reason)));
    let events: Vec<Event> = read(report.folder.join("runtime_events.normalized.json"));
    assert_eq!(events.len(), 5);
}

/// A run takes paths for what the world says they mean.
#[test]
fn runs_in_another_world() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("p.sb"), "(version 1)\n(allow default)\n(deny file-read* (subpath \"/private/tmp\"))\n").unwrap();
    let probe = json!({"name": "read", "operation": "file-read*", "target": "/tmp/x", "expected": "deny"});
    let mut matrix = json!(golden::plan_set().unwrap().expected);
    matrix["profiles"] = json!({"p": {"blob": "p.sb", "probes": [probe]}});
    std::fs::write(at("matrix.json"), matrix.to_string()).unwrap();
    std::fs::write(at("world.json"), r#"{"symlinks": {"/tmp": "/private/elsewhere"}}"#).unwrap();
    let status = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sbpl"));
        command.args(["run", "-q", "--backend", "simulated", "--matrix", "matrix.json"]).args(more);
        command.current_dir(folder.path()).output().unwrap().status.code()
    };
    assert_eq!(status(&[]), Some(0));
    assert_eq!(status(&["--world", "world.json"]), Some(1));
    // The bundle says which world it was, and that gives the same again. Nothing was executed, so nothing had a limit.
    let manifest: Value = read(bundle::locate(&at("out")).unwrap().join("run_manifest.json"));
    crate::schemas::check("run_manifest", &manifest);
    assert_eq!(manifest["world"]["symlinks"], json!({"/tmp": "/private/elsewhere"}));
    assert_eq!((&manifest["time_limit_s"], &manifest["host"]["sip_source"]), (&Value::Null, &json!("not_available")));
    std::fs::write(at("again.json"), manifest["world"].to_string()).unwrap();
    assert_eq!(status(&["--world", "again.json"]), Some(1));
}
