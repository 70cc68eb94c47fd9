//! A run of 10,000 simulated probes with all its documents: the limit is one second on two processors. A run of 500 probes that are real
//! processes, each with its baseline: the limit is 30 seconds on two processors.

// A benchmark's data is its own.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;
use std::path::Path;

use sbpl::probe::{self, Clock, Files, Identity, PlanSet, ReadFailure, RunOptions, Silent};
use sbpl::profile::{EvalOptions, NoImports};
use sbpl::sandbox::{Backend, Simulated};
use serde_json::{Map, Value, json};

fn main() {
    divan::main();
}

struct Stopped;

impl Clock for Stopped {
    fn unix_seconds(&self) -> f64 {
        0.0
    }
}

/// One text for every profile.
struct OneText;

impl Files for OneText {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        match path.ends_with(".sb") {
            true => Ok(TEXT.to_vec()),
            false => Err(ReadFailure { missing: true, reason: "none".to_owned() }),
        }
    }
}

const TEXT: &[u8] = b"(version 1)\n(deny default)\n(allow file-read* (subpath \"/private/tmp/allowed\"))\n\
(allow file-read* file-write* (regex #\"^/private/var/folders/[^/]+/x\") (literal \"/private/etc/hosts\"))\n";

/// A matrix of `profiles` times `probes`; every second probe is expected to be allowed.
fn plan(profiles: usize, probes: usize) -> PlanSet {
    let rows: Vec<Value> = (0..probes)
        .map(|at| {
            let (folder, expected) = if at % 2 == 0 { ("allowed", "allow") } else { ("other", "deny") };
            let target = format!("/tmp/{folder}/{at}");
            json!({"name": format!("read {at}"), "operation": "file-read*", "target": target, "expected": expected})
        })
        .collect();
    let profile = json!({"blob": "profile.sb", "mode": "sbpl", "family": null, "semantic_group": null, "probes": rows});
    let profiles: Map<String, Value> = (0..profiles).map(|at| (format!("bench:{at}"), profile.clone())).collect();
    let matrix = json!({"world_id": probe::WORLD_ID, "profiles": profiles});
    PlanSet::from_matrix(matrix.to_string().as_bytes()).unwrap()
}

fn run(set: &PlanSet, backend: &dyn Backend, out: &Path, jobs: usize) {
    let identity = Identity { run_id: "run".to_owned(), pid: 1, host: None };
    let options = RunOptions {
        backend,
        files: &OneText,
        evaluation: &EvalOptions::default(),
        loader: &NoImports,
        out,
        identity: &identity,
        clock: &Stopped,
        shims: true,
        dry: false,
        jobs: NonZeroUsize::new(jobs).unwrap(),
        progress: &Silent,
        cancel: &sbpl::sandbox::Cancel::never(),
    };
    let report = probe::run(set, &options).unwrap();
    assert!(report.is_as_expected());
}

#[divan::bench(args = [(1, 10_000), (100, 100), (1_000, 10)], sample_count = 5, sample_size = 1)]
fn simulated(bencher: divan::Bencher<'_, '_>, (profiles, probes): (usize, usize)) {
    let set = plan(profiles, probes);
    bencher.with_inputs(|| tempfile::tempdir().unwrap()).bench_values(|out| {
        run(&set, &Simulated::macos_14(), out.path(), 2);
        out
    });
}

/// The same on one thread: what the second one gives.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn on_one_thread(bencher: divan::Bencher<'_, '_>) {
    let set = plan(100, 100);
    bencher.with_inputs(|| tempfile::tempdir().unwrap()).bench_values(|out| {
        run(&set, &Simulated::macos_14(), out.path(), 1);
        out
    });
}

/// Real processes on one and on two threads: probes do not wait for each other.
#[cfg(target_os = "linux")]
#[divan::bench(args = [1, 2], sample_count = 1, sample_size = 1)]
fn supervised(bencher: divan::Bencher<'_, '_>, jobs: usize) {
    use sbpl::sandbox::{ProbeSetup, Setup, supervised::Supervised};
    let set = plan(10, 50);
    bencher.with_inputs(|| [(); 2].map(|()| tempfile::tempdir().unwrap())).bench_values(|[out, scratch]| {
        let driver = env!("CARGO_BIN_EXE_sbpl").into();
        let probes = ProbeSetup { driver, scratch: scratch.path().canonicalize().unwrap() };
        let backend = Supervised::open(&Setup { probes: Some(probes), ..Setup::macos_14() }).unwrap();
        run(&set, &backend, out.path(), jobs);
        (out, scratch)
    });
}
