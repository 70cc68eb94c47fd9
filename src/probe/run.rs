//! A run: every profile of a plan, and the bundle that it leaves (`spec/probe-runner.md` section 1.1).

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::artifact::{
    GoldenDecodes, Head, Host, MismatchSummary, RunHead, RunManifest, RunState, RunStatus, RuntimeDiffs,
    RuntimeResults, Summary,
};
use super::bundle::{STATUS, Writer};
use super::error::ProbeError;
use super::lanes::{self, BaselineLane};
use super::names::stems;
use super::one::{Ran, Tried, assemble, try_probes};
use super::plan::Lanes;
use super::pool::{self, Task};
use super::prepare::prepare;
use super::row::action;
use super::set::{Files, PlanSet};
use super::table::{BLOCKED, Row, markdown, rows};
use super::{apply_preflight, lint, mapping, mismatch, tag};
use crate::decide::World;
use crate::profile::{EvalOptions, Loader};
use crate::sandbox::{Backend, Cancel, Fixture};

/// Where times in documents come from.
pub trait Clock: Sync {
    /// Now, in seconds since 1970.
    fn unix_seconds(&self) -> f64;
}

/// Who wants to know how far a run is.
pub trait Progress: Sync {
    /// So many probes will be tried, or reported as blocked.
    fn begin(&self, probes: usize);
    /// So many more were, of the profile `profile`.
    fn advance(&self, profile: &str, probes: usize);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize) {}
    fn advance(&self, _: &str, _: usize) {}
}

/// Who runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// UUID v4 of the run; the name of the bundle's folder.
    pub run_id: String,
    /// The process that writes.
    pub pid: u32,
    /// The system it runs on, as far as the caller knows it.
    pub host: Option<Host>,
}

/// What a run needs besides its plan.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    /// Puts profiles in force.
    pub backend: &'a dyn Backend,
    /// Files of the plan.
    pub files: &'a dyn Files,
    /// What profiles mean besides their text: the system, parameters, bounds.
    pub evaluation: &'a EvalOptions,
    /// Files that profiles import.
    pub loader: &'a (dyn Loader + Sync),
    /// The root that holds `LATEST` and the bundles.
    pub out: &'a Path,
    /// Ids.
    pub identity: &'a Identity,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Whether profiles are shimmed at all.
    pub shims: bool,
    /// Whether nothing is to be tried: the bundle says what would be.
    pub dry: bool,
    /// Profiles and probes at a time. What a run gives does not depend on it.
    pub jobs: NonZeroUsize,
    /// Who is told how far it is.
    pub progress: &'a dyn Progress,
    /// Ends the run: no other probe is tried. The backend has its own, which ends those that are running.
    pub cancel: &'a Cancel,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// `summary.json`.
    pub summary: Summary,
    /// Probe by probe.
    pub rows: Vec<Row>,
    /// `mismatch_summary.json`.
    pub mismatches: MismatchSummary,
    /// The bundle.
    pub folder: PathBuf,
}

impl Report {
    /// True when everything is as expected.
    pub fn is_as_expected(&self) -> bool {
        self.mismatches.mismatches.is_empty()
    }
}

/// Runs a plan and writes its bundle.
///
/// # Errors
/// [`ProbeError::Lint`] before anything is written; the lock is held; something cannot be read or written. A run that fails
/// on its way commits a bundle of status `failed` that holds the error, as far as that can be written; an interrupted one
/// says so in its status and leaves a bundle without index, which is refused by every reader.
pub fn run(set: &PlanSet, options: &RunOptions<'_>) -> Result<Report, ProbeError> {
    let findings = lint(set, options.files);
    if !findings.is_empty() {
        return Err(ProbeError::Lint(findings));
    }
    let writer = Writer::create(options.out, &options.identity.run_id, options.identity.pid)?;
    let started = options.clock.unix_seconds();
    let documents = Documents { set, options, writer: &writer, digest: set.plan.digest(), started };
    let (summary, mismatches, rows) = match documents.all() {
        Ok(done) => done,
        Err(error @ ProbeError::Interrupted { .. }) => {
            // A status that cannot be written any more stays what a killed run's is.
            documents.status(RunState::Failed, Some(&error)).ok();
            return Err(error);
        }
        Err(error) => {
            // What cannot be written now leaves the bundle without index, and the first error is the one to tell.
            if documents.failed(&error).is_ok() {
                writer.commit(set.plan.world_id(), FAILED).ok();
            }
            return Err(error);
        }
    };
    let folder = writer.folder().to_owned();
    let status = if summary.status == DRY { OK } else { &summary.status };
    writer.commit(set.plan.world_id(), status)?;
    Ok(Report { summary, rows, mismatches, folder })
}

const OK: &str = "ok";
const PARTIAL: &str = "partial";
const FAILED: &str = "failed";
const DRY: &str = "dry";

/// Probes that are tried under one application of their profile, at most.
const CHUNK: usize = 64;

/// What trying the probes came to.
#[derive(Default)]
struct Scenario {
    results: RuntimeResults,
    decodes: GoldenDecodes,
    diffs: RuntimeDiffs,
    /// By profile, in the order of the results.
    baseline: Vec<BaselineLane>,
}

/// What every document of a run needs.
pub(super) struct Documents<'a> {
    pub(super) set: &'a PlanSet,
    pub(super) options: &'a RunOptions<'a>,
    pub(super) writer: &'a Writer,
    digest: String,
    /// When the run began, in seconds since 1970.
    pub(super) started: f64,
}

impl Documents<'_> {
    pub(super) fn run_id(&self) -> String {
        self.options.identity.run_id.clone()
    }

    pub(super) fn world_id(&self) -> String {
        self.set.plan.world_id().to_owned()
    }

    pub(super) fn channel(&self) -> String {
        self.options.backend.channel().to_owned()
    }

    pub(super) fn head(&self, tag: &str) -> Head {
        Head { schema_version: tag.to_owned(), world_id: self.world_id(), run_id: self.run_id() }
    }

    fn run_head(&self, tag: &str) -> RunHead {
        RunHead {
            schema_version: tag.to_owned(),
            run_id: self.run_id(),
            world_id: self.world_id(),
            channel: self.channel(),
            plan_id: self.set.plan.plan_id.clone(),
            plan_digest: self.digest.clone(),
        }
    }

    /// The lanes of this run: those of the plan, none of them in a dry run.
    fn lanes(&self) -> Lanes {
        let lanes = self.set.plan.lanes();
        match self.options.dry {
            true => Lanes { baseline: false, scenario: false, oracle: false, ..lanes },
            false => lanes,
        }
    }

    /// Every document but for the index: those that say what will be tried, then the probes, then what came of them.
    fn all(&self) -> Result<(Summary, MismatchSummary, Vec<Row>), ProbeError> {
        self.status(RunState::InProgress, None)?;
        let apply_preflight = if self.options.dry { None } else { apply_preflight::check(self)? };
        self.manifest(apply_preflight)?;
        self.writer.write_json("expected_matrix.generated.json", &self.set.generated)?;
        let lanes = self.lanes();
        let fixtures = if lanes.scenario || lanes.baseline { self.fixtures()? } else { Vec::new() };
        let Scenario { results, decodes, diffs, baseline } =
            if lanes.scenario { self.scenario(&lanes)? } else { Scenario::default() };
        let joined = lanes::join(self, &results, &baseline);
        let mismatches = mismatch::summarize(self.set.plan.world_id(), &results);
        // Each of the rest is written by whoever has time, the long ones first; no index, no bundle, whatever is there.
        let mut tasks: Vec<Task<'_>> = Vec::new();
        if lanes.scenario {
            tasks.push(Box::new(|| self.writer.write_json("runtime_results.json", &results)));
            tasks.push(Box::new(|| mapping::write(self, &joined)));
            lanes::write(self, &joined, &lanes, &fixtures, &mut tasks);
            tasks.push(Box::new(|| self.writer.write_json("golden_decodes.json", &decodes)));
            tasks.push(Box::new(|| self.writer.write_json("runtime_diffs.json", &diffs)));
        } else {
            tasks.push(Box::new(|| self.writer.write(PACKETS, b"")));
        }
        tasks.push(Box::new(|| self.writer.write_json("mismatch_summary.json", &mismatches)));
        tasks.push(Box::new(|| self.writer.write_json("expected_matrix.json", &self.set.expected)));
        pool::all(self.options.jobs, &tasks)?;
        drop(tasks);
        let rows = rows(&results);
        let status = match () {
            () if self.options.dry => DRY,
            () if mismatches.mismatches.is_empty() => OK,
            () => PARTIAL,
        };
        let summary = self.summary(status, results.len(), &mismatches, &rows)?;
        self.status(RunState::Complete, None)?;
        Ok((summary, mismatches, rows))
    }

    /// Lets the backend put in place what the probes are tried on.
    fn fixtures(&self) -> Result<Vec<Fixture>, ProbeError> {
        let profiles = self.set.expected.profiles.values();
        let actions: Vec<_> = profiles.flat_map(|profile| profile.probes.iter().map(action)).collect();
        self.options.backend.prepare(&actions).map_err(ProbeError::Backend)
    }

    /// The documents of a run that ended with `error`.
    fn failed(&self, error: &ProbeError) -> Result<(), ProbeError> {
        let mut mismatches = mismatch::summarize(self.set.plan.world_id(), &RuntimeResults::new());
        mismatches.error = Some(error.to_string());
        self.writer.write_json("mismatch_summary.json", &mismatches)?;
        self.writer.write_json("expected_matrix.json", &self.set.expected)?;
        self.writer.write(PACKETS, b"")?;
        self.summary(FAILED, 0, &mismatches, &[])?;
        self.status(RunState::Failed, Some(error))
    }

    fn status(&self, state: RunState, error: Option<&ProbeError>) -> Result<(), ProbeError> {
        let status = RunStatus {
            head: self.run_head(tag::RUN_STATUS),
            state,
            writer_pid: self.options.identity.pid,
            updated_at_unix: self.options.clock.unix_seconds(),
            error: error.map(ToString::to_string),
            failure_stage: error.map(|error| match error {
                ProbeError::Interrupted { .. } => "interrupted".to_owned(),
                _ => "exception".to_owned(),
            }),
            extra: Map::new(),
        };
        self.writer.write_json(STATUS, &status)
    }

    fn manifest(&self, apply_preflight: Option<Value>) -> Result<(), ProbeError> {
        let stage = self.options.backend.stage().map(|stage| stage.display().to_string());
        let manifest = RunManifest {
            head: self.run_head(tag::RUN_MANIFEST),
            dry_run: self.options.dry,
            stage_used: stage.is_some(),
            stage_root: stage.clone(),
            repo_root_context: ".".to_owned(),
            staged_output_root: stage.map(|_| self.options.out.display().to_string()),
            output_root: self.options.out.display().to_string(),
            apply_preflight,
            host: self.options.identity.host.clone(),
            only: self.set.only.clone(),
            backend: Some(self.options.backend.kind().name().to_owned()),
            clean_proof: self.options.backend.clean_proof(),
            time_limit_s: self.options.backend.time_limit().map(|limit| limit.as_secs_f64()),
            world: self.options.backend.world().map(World::to_json),
            tool_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            extra: Map::new(),
        };
        self.writer.write_json("run_manifest.json", &manifest)
    }

    /// The scenario lane, and the baseline's probes beside it: profiles first, then their probes in chunks.
    fn scenario(&self, lanes: &Lanes) -> Result<Scenario, ProbeError> {
        let expected = &self.set.expected.profiles;
        let stems = stems(expected.iter().map(|(id, profile)| (id.as_str(), profile.blob.as_str())));
        let prepared = pool::ordered(self.options.jobs, expected.len(), |at| {
            let entry = expected.get_index(at).zip(stems.get(at));
            entry.map(|((id, profile), stem)| prepare(self, id, profile, stem))
        });
        let prepared: Vec<_> = prepared.into_iter().flatten().collect::<Result<_, _>>()?;
        self.go_on()?;
        let all: usize = prepared.iter().map(|profile| profile.expected.probes.len()).sum();
        // A few probes are shared out too: real ones take their time.
        let chunk = all.div_ceil(self.options.jobs.get()).clamp(1, CHUNK);
        let chunks: Vec<_> = prepared
            .iter()
            .enumerate()
            .flat_map(|(at, profile)| {
                let count = profile.expected.probes.len();
                (0..count).step_by(chunk).map(move |start| (at, profile, start..count.min(start + chunk)))
            })
            .collect();
        self.options.progress.begin(all);
        let tried = pool::ordered(self.options.jobs, chunks.len(), |at| {
            let (index, profile, range) = chunks.get(at).filter(|_| !self.options.cancel.is_set())?;
            let tried = try_probes(profile, range.clone(), lanes.baseline, self.options);
            self.options.progress.advance(profile.id, range.len());
            Some((*index, tried))
        });
        self.go_on()?;
        let mut by_profile: Vec<Tried> = prepared.iter().map(|_| Tried::default()).collect();
        for (index, mut part) in tried.into_iter().flatten() {
            if let Some(all) = by_profile.get_mut(index) {
                all.probes.append(&mut part.probes);
                all.baseline.append(&mut part.baseline);
            }
        }
        let ran = prepared.into_iter().zip(by_profile).map(|(profile, tried)| {
            let id = profile.id.to_owned();
            (id, assemble(profile, tried, self.options))
        });
        let mut scenario = Scenario::default();
        (scenario.decodes.head, scenario.diffs.head) = (self.head(tag::GOLDEN_DECODES), self.head(tag::RUNTIME_DIFFS));
        for (id, Ran { result, decode, diff, baseline }) in ran {
            scenario.decodes.decodes.insert(id.clone(), decode);
            scenario.diffs.profiles.insert(id.clone(), diff);
            scenario.baseline.push(baseline);
            scenario.results.insert(id, result);
        }
        Ok(scenario)
    }

    /// Nothing that was cut short is told as a result.
    fn go_on(&self) -> Result<(), ProbeError> {
        match self.options.cancel.is_set() {
            true => Err(ProbeError::Interrupted { bundle: self.writer.folder().display().to_string() }),
            false => Ok(()),
        }
    }

    fn summary(
        &self,
        status: &str,
        profiles: usize,
        mismatches: &MismatchSummary,
        rows: &[Row],
    ) -> Result<Summary, ProbeError> {
        let matching = rows.iter().filter(|row| row.matches);
        let summary = Summary {
            head: self.head(tag::SUMMARY),
            status: status.to_owned(),
            plan_id: self.set.plan.plan_id.clone(),
            plan_digest: self.digest.clone(),
            channel: self.channel(),
            lanes: self.lanes(),
            profile_count: profiles as u64,
            scenario_count: rows.len() as u64,
            expected_profiles: self.set.plan.profiles.clone(),
            mismatch_counts: mismatches.counts.clone(),
            dry_run: self.options.dry,
            backend: Some(self.options.backend.kind().name().to_owned()),
            match_count: Some(matching.clone().count() as u64),
            expected_block_count: Some(matching.filter(|row| row.actual == BLOCKED).count() as u64),
            bundle_dir: Some(self.writer.folder().display().to_string()),
            extra: Map::new(),
        };
        self.writer.write_json("summary.json", &summary)?;
        self.writer.write("summary.md", markdown(&summary, mismatches.mismatches.len(), rows).as_bytes())?;
        Ok(summary)
    }
}

/// One line a mismatch.
pub(super) const PACKETS: &str = "mismatch_packets.jsonl";
