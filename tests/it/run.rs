//! The built-in plan, run through the library: the golden outcomes, the controls, the bundle that is left.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use sbpl::probe::artifact::{BaselineResults, Event, MismatchPacket, MismatchReason, PathWitnesses};
use sbpl::probe::artifact::{ProfileStatus, RuntimeResults};
use sbpl::probe::matrix::Matrix;
use sbpl::probe::registry::{Decision, Mode};
use sbpl::probe::{self, Clock, Files, Identity, PlanSet, ProbeError, Report, RunOptions, Silent, bundle, golden};
use sbpl::profile::{EvalOptions, NoImports};
use sbpl::sandbox::{Simulated, Stage};
use serde_json::Value;

/// A clock that stands: with several jobs nobody knows who looks at it first.
struct Stopped;

impl Clock for Stopped {
    fn unix_seconds(&self) -> f64 {
        1.5
    }
}

pub(crate) fn run_in(
    out: &Path,
    run_id: &str,
    set: &PlanSet,
    files: &dyn Files,
    shims: bool,
) -> Result<Report, ProbeError> {
    run_with(out, run_id, set, files, |options| RunOptions { shims, ..options })
}

/// Runs on the simulated backend with the options that `change` makes of the ordinary ones.
pub(crate) fn run_with(
    out: &Path,
    run_id: &str,
    set: &PlanSet,
    files: &dyn Files,
    change: impl for<'a> FnOnce(RunOptions<'a>) -> RunOptions<'a>,
) -> Result<Report, ProbeError> {
    let identity = Identity { run_id: run_id.to_owned(), pid: 7, host: None };
    let options = RunOptions {
        backend: &Simulated::macos_14(),
        evaluation: &EvalOptions::default(),
        files,
        loader: &NoImports,
        out,
        identity: &identity,
        clock: &Stopped,
        shims: true,
        dry: false,
        jobs: NonZeroUsize::new(2).unwrap(),
        progress: &Silent,
        cancel: &sbpl::sandbox::Cancel::never(),
    };
    probe::run(set, &change(options))
}

pub(crate) fn golden_run(out: &Path, run_id: &str) -> Report {
    run_in(out, run_id, &golden::plan_set().unwrap(), &golden::Embedded, true).unwrap()
}

pub(crate) fn read<T: for<'de> serde::Deserialize<'de>>(path: PathBuf) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn results(report: &Report) -> RuntimeResults {
    read(report.folder.join("runtime_results.json"))
}

/// Guardrail: the matrix has the bucket profiles with their probes, and every row has its shape.
#[test]
fn matrix_shape() {
    let set = golden::plan_set().unwrap();
    assert_eq!(set.expected, set.generated, "profiles/expected_matrix.json is not what the registry says");
    assert_eq!(probe::lint(&set, &golden::Embedded), [""; 0]);
    for (profile, probes) in [
        ("bucket4:v1_read", &["read_/etc/hosts", "write_/etc/hosts", "read_/tmp/foo"][..]),
        ("bucket5:v11_read_subpath", &["read_/tmp/foo", "read_/tmp/bar", "write_/tmp/foo"]),
    ] {
        let names: Vec<_> = set.expected.profiles[profile].probes.iter().map(|probe| probe.name.as_str()).collect();
        assert_eq!(names, probes);
    }
    for (id, profile) in &set.expected.profiles {
        assert!(!profile.probes.is_empty(), "{id}");
        for probe in &profile.probes {
            assert_eq!(probe.expectation_id, Some(format!("{id}:{}", probe.name)));
            assert!(probe.target.starts_with('/') && probe.operation.starts_with("file-"), "{id}");
        }
    }
}

/// Guardrail: what was observed on macOS 14.4.1 for the frozen profiles.
#[test]
fn golden_outcomes() {
    let out = tempfile::tempdir().unwrap();
    let report = golden_run(out.path(), "run");
    let results = results(&report);
    let actual = |profile: &str, probe: &str| {
        let row = results[profile].probes.iter().find(|row| row.name.as_deref() == Some(probe)).unwrap();
        row.actual.map(Decision::name)
    };
    for (profile, probe, expected) in [
        ("bucket4:v1_read", "read_/etc/hosts", "allow"),
        ("bucket4:v1_read", "write_/etc/hosts", "deny"),
        ("bucket4:v1_read", "read_/tmp/foo", "allow"),
        ("bucket5:v11_read_subpath", "read_/tmp/foo", "allow"),
        ("bucket5:v11_read_subpath", "read_/tmp/bar", "deny"),
        ("bucket5:v11_read_subpath", "write_/tmp/foo", "deny"),
        ("runtime:metafilter_any", "read_/tmp/foo.txt", "allow"),
        ("runtime:metafilter_any", "read_/private/tmp/bar.txt", "allow"),
        ("runtime:metafilter_any", "read_/tmp/qux.txt", "allow"),
        ("runtime:metafilter_any", "read_/tmp/baz.txt", "deny"),
        ("runtime:metafilter_any", "read_/private/tmp/baz.txt", "deny"),
        ("runtime:metafilter_any", "write_/tmp/baz.txt", "deny"),
        ("runtime:strict_1", "read_/private/tmp/strict_ok/allow.txt", "allow"),
        ("runtime:strict_1", "write_/private/tmp/strict_ok/allow.txt", "allow"),
        ("runtime:strict_1", "read_/etc/hosts", "deny"),
        ("runtime:strict_1", "write_/etc/hosts", "deny"),
    ] {
        assert_eq!(actual(profile, probe), Some(expected), "{profile} {probe}");
    }
    assert!(report.is_as_expected());
    for (id, profile) in &results {
        assert_eq!(profile.status == ProfileStatus::Ok, id != "runtime:message_filter", "{id}");
    }
}

/// Guardrail: the controls say what controls have to say.
#[test]
fn controls() {
    let out = tempfile::tempdir().unwrap();
    let results = results(&golden_run(out.path(), "run"));
    let all = |id: &str, decision| results[id].probes.iter().all(|row| row.actual == Some(decision));
    assert!(all("runtime:allow_all", Decision::Allow));
    assert!(all("runtime:deny_only", Decision::Deny));
    let blocked = &results["runtime:message_filter"];
    assert_eq!(blocked.status, ProfileStatus::Blocked);
    assert_eq!(blocked.preflight.as_ref().unwrap().signature.as_deref(), Some("deny_message_filter"));
    for row in &blocked.probes {
        assert_eq!((row.actual, row.matches, row.stage), (None, Some(true), Some(Stage::Preflight)));
        assert_eq!(row.runtime_result.failure_kind.as_deref(), Some("preflight_apply_gate_signature"));
    }
}

/// What the shims changed is told as text and rule by rule: nine rules more, and those for the one profile.
#[test]
fn what_the_shims_changed() {
    let out = tempfile::tempdir().unwrap();
    let report = golden_run(out.path(), "run");
    let diffs: Value = read(report.folder.join("runtime_diffs.json"));
    let diff = &diffs["profiles"]["bucket5:v11_read_subpath"];
    assert_eq!(diff["shims"], serde_json::json!(["runtime-base", "key-specific"]));
    let rules = diff["rules"].as_array().unwrap();
    assert!(rules.iter().all(|rule| rule["change"] == "added" && rule["before"].is_null()));
    assert_eq!(rules.len(), 10);
    assert_eq!(diff["text"].as_str().unwrap().lines().filter(|line| line.starts_with("+(")).count(), 10);
}

/// Without shims, reading through /tmp needs the metadata of the link, which bucket 5 does not allow.
#[test]
fn without_shims_the_link_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let report = run_in(out.path(), "run", &golden::plan_set().unwrap(), &golden::Embedded, false).unwrap();
    assert!(!report.is_as_expected());
    let results = results(&report);
    let row = &results["bucket5:v11_read_subpath"].probes[0];
    assert_eq!((row.actual, row.matches), (Some(Decision::Deny), Some(false)));
    let by = row.decided_by.as_ref().unwrap();
    assert_eq!((by.operation.as_str(), by.argument.as_str()), ("file-read-metadata", "/tmp"));
    assert_eq!(report.mismatches.counts["unexpected_deny"], 1);
}

/// Files that depend on nothing but the plan are the same byte for byte; the rest differs in ids and times only.
#[test]
fn two_runs_give_the_same() {
    let out = tempfile::tempdir().unwrap();
    let (a, b) = (golden_run(out.path(), "first"), golden_run(out.path(), "second"));
    assert_eq!(a.rows, b.rows);
    let index: Value = read(a.folder.join(bundle::INDEX));
    let names: Vec<_> =
        index["artifacts"].as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap()).collect();
    assert!(names.len() > 20);
    for name in names {
        let [a, b] = [&a, &b].map(|report| std::fs::read(report.folder.join(name)).unwrap());
        let neutral = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("first", "RUN").replace("second", "RUN");
        if name.ends_with(".bin") { assert_eq!(a, b, "{name}") } else { assert_eq!(neutral(&a), neutral(&b), "{name}") }
    }
}

/// A committed bundle is verified; any change or loss is noticed; one that was interrupted is refused.
#[test]
fn bundles_are_complete_or_refused() {
    let out = tempfile::tempdir().unwrap();
    let report = golden_run(out.path(), "run");
    let folder = bundle::locate(out.path()).unwrap();
    assert_eq!(folder, report.folder);
    bundle::verify(&folder).unwrap();
    assert!(!out.path().join(".runtime.lock").exists());

    let check_refused = |change: &dyn Fn(&Path)| {
        let copy = tempfile::tempdir().unwrap();
        let folder = copy.path().join("run");
        copy_tree(&report.folder, &folder);
        bundle::verify(&folder).unwrap();
        change(&folder);
        assert!(matches!(bundle::verify(&folder), Err(ProbeError::RefusedBundle { .. })));
    };
    check_refused(&|folder| std::fs::remove_file(folder.join(bundle::INDEX)).unwrap());
    check_refused(&|folder| std::fs::remove_file(folder.join("summary.json")).unwrap());
    check_refused(&|folder| std::fs::write(folder.join("summary.md"), "x").unwrap());
    check_refused(&|folder| std::fs::write(folder.join("extra"), "x").unwrap());
    check_refused(&|folder| {
        let text = std::fs::read_to_string(folder.join(bundle::STATUS)).unwrap();
        std::fs::write(folder.join(bundle::STATUS), text.replace("complete", "in_progress")).unwrap();
    });
    check_refused(&|folder| {
        let text = std::fs::read_to_string(folder.join(bundle::INDEX)).unwrap();
        std::fs::write(folder.join(bundle::INDEX), text.replace("summary.md", "../summary.md")).unwrap();
    });
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Lanes stay apart: the baseline has its own rows and nothing of the profile's answers; every mismatch has its packet with
/// one of the seven reasons.
#[test]
fn lanes_and_packets() {
    let out = tempfile::tempdir().unwrap();
    let mut set = golden::plan_set().unwrap();
    for probe in set.expected.profiles.values_mut().flat_map(|profile| &mut profile.probes) {
        probe.expected = if probe.expected == Decision::Allow { Decision::Deny } else { Decision::Allow };
    }
    set.expected.profiles["runtime:message_filter"].expected_block = None;
    let report = run_in(out.path(), "run", &set, &golden::Embedded, true).unwrap();
    let baseline: BaselineResults = read(report.folder.join("baseline_results.json"));
    assert_eq!(baseline.results.len(), report.rows.len());
    assert!(baseline.results.iter().all(|row| row.status == Decision::Allow && row.decision_path == "baseline"));
    let events: Vec<Event> = read(report.folder.join("runtime_events.normalized.json"));
    assert_eq!(events.len(), report.rows.len());
    let denied = events.iter().find(|event| event.actual == Some(Decision::Deny)).unwrap();
    assert_eq!(denied.policy_layers.attribution, "process_policy");
    assert_eq!(denied.first_denial_op.as_deref(), Some("file-write-data"));

    let text = std::fs::read_to_string(report.folder.join("mismatch_packets.jsonl")).unwrap();
    let packets: Vec<MismatchPacket> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(packets.len(), report.mismatches.mismatches.len());
    let count = |reason| packets.iter().filter(|packet| packet.mismatch_reason == reason).count();
    assert_eq!(count(MismatchReason::OpNotWitnessed), 2);
    assert_eq!(count(MismatchReason::CanonicalizationBoundary), 20);
    assert_eq!(count(MismatchReason::ExpectationTooStrong), 6);
    let strict = packets.iter().find(|packet| packet.decision_event.profile_id == "runtime:strict_1").unwrap();
    assert_eq!(strict.baseline.as_ref().unwrap().status, Decision::Allow);
    let witnesses: PathWitnesses = read(report.folder.join("path_witnesses.json"));
    for record in &witnesses.records {
        let refused = record.lane == "scenario" && record.decision != Some(Decision::Allow);
        assert_eq!(record.seen.observed_path.is_none(), refused, "{} {}", record.lane, record.scenario_id);
    }
}

/// The same plan judged by compiled profiles: text compiled here without shims, and blobs of an earlier run.
#[test]
fn compiled_profiles() {
    struct Bundled(PathBuf);
    impl Files for Bundled {
        fn read(&self, path: &str) -> Result<Vec<u8>, probe::ReadFailure> {
            let read = std::fs::read(self.0.join(path));
            read.or_else(|_| golden::Embedded.read(path))
        }
    }
    let out = tempfile::tempdir().unwrap();
    let first = golden_run(out.path(), "first");
    let mut set = golden::plan_set().unwrap();
    for (id, profile) in &mut set.expected.profiles {
        let stem = Path::new(&profile.blob).file_stem().unwrap().to_str().unwrap();
        profile.blob = format!("sb_build/{stem}.{}.runtime.sb.bin", id.replace(':', "_"));
        // The digest rule does not know our own blob.
        profile.expected_block = None;
    }
    set.expected.profiles.shift_remove("runtime:message_filter");
    let report = run_in(out.path(), "second", &set, &Bundled(first.folder.clone()), true).unwrap();
    assert!(report.is_as_expected(), "{:?}", report.mismatches.mismatches);
    assert_eq!(report.rows.len(), 26);

    let mut set = golden::plan_set().unwrap();
    set.expected.profiles.retain(|id, _| id == "bucket4:v1_read" || id == "bucket5:v11_read_subpath");
    set.expected.profiles.values_mut().for_each(|profile| profile.mode = Some(Mode::Blob));
    let report = run_in(out.path(), "third", &set, &golden::Embedded, true).unwrap();
    let actual: Vec<_> = report.rows.iter().map(|row| row.actual).collect();
    // Without shims bucket 5 reads nothing through the link.
    assert_eq!(actual, ["allow", "deny", "allow", "deny", "deny", "deny"]);
}

/// Without its scenario lane a plan runs nothing and still leaves a verified bundle.
#[test]
fn without_the_scenario_lane() {
    let out = tempfile::tempdir().unwrap();
    let mut set = golden::plan_set().unwrap();
    let mut plan = serde_json::to_value(&set.plan).unwrap();
    plan["lanes"] = serde_json::json!({"scenario": false});
    set.plan = probe::plan::Plan::from_value(plan).unwrap();
    let report = run_in(out.path(), "run", &set, &golden::Embedded, true).unwrap();
    assert_eq!(report.rows, []);
    bundle::verify(&report.folder).unwrap();
}

/// The digest of the built-in plan, computed with Python's `json.dumps(…, sort_keys=True)` and `hashlib`.
#[test]
fn plan_digests_are_those_of_python() {
    let digest = |text: &[u8]| probe::plan::Plan::parse(text).unwrap().digest();
    let golden = golden::Embedded.read("plan.json").unwrap();
    assert_eq!(digest(&golden), "1614a2dd8c3e98e04905066d3ac8ab77f625e3b690a62de40577a9bb46e124ee");
    let small = br#"{"schema_version": "runtime-tools.plan.v0.1", "plan_id": "x", "lanes": null, "notes": "any"}"#;
    assert_eq!(digest(small), "efa6564cfe02eda885f3d536471fbf944e2543eaca11c13b53ce160e2c15448c");
}

/// Killed at any moment, a run leaves bundles that are complete and verified or are refused, and the next run goes through: when
/// nothing is executed, and with real processes where they can be supervised.
#[cfg(unix)]
#[test]
fn killed_runs() {
    killed(&["--backend", "simulated"]);
    // Here or elsewhere, `auto` takes the best there is.
    killed(&["--backend", "auto"]);
}

#[cfg(unix)]
fn killed(options: &[&str]) {
    use std::process::{Command, Stdio};
    use std::time::Instant;
    let out = tempfile::tempdir().unwrap();
    // Nobody removes the fixtures of a killed run.
    let scratch = tempfile::tempdir().unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sbpl"));
        command.env("TMPDIR", scratch.path()).args(["run", "-q", "--out"]).arg(out.path()).args(options);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let start = Instant::now();
    assert!(run().wait().unwrap().success());
    let whole = start.elapsed();
    let mut killed = 0;
    for round in 0..20_u32 {
        let mut child = run();
        // Moments all over a run, none of them twice; the last ones are of its end, where the bundle is committed.
        std::thread::sleep(if round < 14 {
            whole * (round * 37 % 100) / 100
        } else {
            whole * (80 + 4 * (round - 14)) / 100
        });
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
    }
    assert!(killed > 5, "{killed} of 20 were killed");
    assert!(run().wait().unwrap().success());
    let listing = bundle::list(out.path()).unwrap();
    let latest = listing.latest.unwrap();
    for listed in &listing.bundles {
        let folder = out.path().join(&listed.run_id);
        let index = folder.join(bundle::INDEX).exists();
        assert_eq!(listed.verified, index, "{}: {:?}", listed.run_id, listed.problems);
        assert_eq!(bundle::verify(&folder).is_ok(), index);
    }
    assert!(listing.bundles.iter().any(|listed| listed.run_id == latest && listed.verified));
}

/// Only one run writes below a root at a time; a run id is used once.
#[test]
fn one_writer_at_a_time() {
    let out = tempfile::tempdir().unwrap();
    let writer = bundle::Writer::create(out.path(), "a", 1).unwrap();
    assert!(matches!(bundle::Writer::create(out.path(), "b", 2), Err(ProbeError::Locked { pid: Some(1), .. })));
    drop(writer);
    assert!(bundle::Writer::create(out.path(), "b", 2).is_ok());
    assert!(matches!(bundle::Writer::create(out.path(), "a", 3), Err(ProbeError::NotWritten { .. })));
    // A lock file that its holder left behind holds nobody up.
    std::fs::write(out.path().join(".runtime.lock"), "pid=1\n").unwrap();
    let writer = bundle::Writer::create(out.path(), "c", 4).unwrap();
    assert!(matches!(writer.write("../x", b""), Err(ProbeError::NotWritten { .. })));
    assert!(matches!(writer.write("/x", b""), Err(ProbeError::NotWritten { .. })));
}

/// The rules for one profile in the registry are those of the shipped shims.
#[test]
fn key_specific_rules_are_the_shims() {
    let set = golden::plan_set().unwrap();
    for (shim, profile) in
        [("bucket5-narrow", "bucket5:v11_read_subpath"), ("metafilter-any", "runtime:metafilter_any")]
    {
        let rules = set.profiles.profiles[profile].key_specific_rules.join("\n") + "\n";
        let applied = sbpl::shim::apply(sbpl::shim::built_in(shim).unwrap(), &b""[..], Some(profile)).unwrap();
        assert_eq!(String::from_utf8(applied.text).unwrap().trim_start(), rules);
    }
}

/// What another matrix expects decides; a profile that does not compile is blocked and says so.
#[test]
fn mismatches_are_told_apart() {
    let mut set = golden::plan_set().unwrap();
    let flip = |matrix: &mut Matrix, profile: &str| {
        let probe = &mut matrix.profiles[profile].probes[0];
        probe.expected = if probe.expected == Decision::Allow { Decision::Deny } else { Decision::Allow };
    };
    flip(&mut set.expected, "bucket4:v1_read");
    flip(&mut set.expected, "runtime:deny_only");
    set.expected.profiles["runtime:message_filter"].expected_block = None;
    set.expected.profiles["runtime:allow_all"].expected_block = Some(Stage::Preflight);
    let out = tempfile::tempdir().unwrap();
    let report = run_in(out.path(), "run", &set, &golden::Embedded, true).unwrap();
    let counts: Vec<_> = report.mismatches.counts.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(
        counts,
        [("unexpected_allow", 1), ("expected_block_missing", 3), ("unexpected_deny", 1), ("preflight_blocked", 2)]
    );
    assert_eq!(report.summary.status, "partial");
    bundle::verify(&report.folder).unwrap();
}
