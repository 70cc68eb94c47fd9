//! A run: every profile of a plan, and the bundle that it leaves (`spec/probe-runner.md` section 1.1).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Map;

use super::artifact::{
    GoldenDecodes, Head, MismatchSummary, RunHead, RunManifest, RunState, RunStatus, RuntimeDiffs, RuntimeResults,
    Summary,
};
use super::bundle::{STATUS, Writer};
use super::error::ProbeError;
use super::one::{Ran, run_profile};
use super::row::action;
use super::set::{Files, PlanSet};
use super::{lanes, lint, mismatch, tag};
use crate::profile::{EvalOptions, Loader};
use crate::sandbox::{Backend, Fixture, Stage};

/// Where times in documents come from.
pub trait Clock {
    /// Now, in seconds since 1970.
    fn unix_seconds(&self) -> f64;
}

/// Who runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// UUID v4 of the run; the name of the bundle's folder.
    pub run_id: String,
    /// The process that writes.
    pub pid: u32,
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
    pub loader: &'a dyn Loader,
    /// The root that holds `LATEST` and the bundles.
    pub out: &'a Path,
    /// Ids.
    pub identity: &'a Identity,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Whether profiles are shimmed at all.
    pub shims: bool,
}

/// One line of the table that a run shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Profile id.
    pub profile: String,
    /// Probe name.
    pub probe: String,
    /// `allow`, `deny`, or `blocked`.
    pub expected: &'static str,
    /// `allow`, `deny`, `blocked`, or `unknown`.
    pub actual: &'static str,
    /// Whether it is as expected.
    pub matches: bool,
    /// The furthest stage.
    pub stage: Stage,
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
/// [`ProbeError::Lint`] before anything is written; the lock is held; something cannot be read or written. An interrupted or
/// failed run leaves a bundle without index, which is refused by every reader.
pub fn run(set: &PlanSet, options: &RunOptions<'_>) -> Result<Report, ProbeError> {
    let findings = lint(set, options.files);
    if !findings.is_empty() {
        return Err(ProbeError::Lint(findings));
    }
    let writer = Writer::create(options.out, &options.identity.run_id, options.identity.pid)?;
    let actions: Vec<_> =
        set.expected.profiles.values().flat_map(|profile| profile.probes.iter().map(action)).collect();
    let fixtures = options.backend.prepare(&actions).map_err(ProbeError::Backend)?;
    let documents = Documents { set, options, writer: &writer, digest: set.plan.digest(), fixtures };
    documents.status(RunState::InProgress)?;
    documents.manifest()?;
    writer.write_json("expected_matrix.generated.json", &set.generated)?;
    let results = match set.plan.lanes().scenario {
        true => {
            let ran = documents.profiles()?;
            let results = documents.results(&ran)?;
            lanes::write(&documents, &ran, &results)?;
            results
        }
        false => RuntimeResults::new(),
    };
    let mismatches = mismatch::summarize(set.plan.world_id(), &results);
    writer.write_json("mismatch_summary.json", &mismatches)?;
    writer.write_json("expected_matrix.json", &set.expected)?;
    let rows = rows(&results);
    let summary = documents.summary(&results, &mismatches, &rows)?;
    documents.status(RunState::Complete)?;
    let folder = writer.folder().to_owned();
    let status = summary.status.clone();
    writer.commit(set.plan.world_id(), &status)?;
    Ok(Report { summary, rows, mismatches, folder })
}

/// What every document of a run needs.
pub(super) struct Documents<'a> {
    pub(super) set: &'a PlanSet,
    pub(super) options: &'a RunOptions<'a>,
    pub(super) writer: &'a Writer,
    digest: String,
    /// What the backend put in place.
    pub(super) fixtures: Vec<Fixture>,
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

    fn status(&self, state: RunState) -> Result<(), ProbeError> {
        let status = RunStatus {
            head: self.run_head(tag::RUN_STATUS),
            state,
            writer_pid: self.options.identity.pid,
            updated_at_unix: self.options.clock.unix_seconds(),
            error: None,
            failure_stage: None,
            extra: Map::new(),
        };
        self.writer.write_json(STATUS, &status)
    }

    fn manifest(&self) -> Result<(), ProbeError> {
        let manifest = RunManifest {
            head: self.run_head(tag::RUN_MANIFEST),
            dry_run: false,
            stage_used: false,
            stage_root: None,
            repo_root_context: ".".to_owned(),
            staged_output_root: None,
            output_root: self.options.out.display().to_string(),
            apply_preflight: None,
            backend: Some(self.options.backend.kind().name().to_owned()),
            tool_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            extra: Map::new(),
        };
        self.writer.write_json("run_manifest.json", &manifest)
    }

    fn profiles(&self) -> Result<Vec<(String, Ran)>, ProbeError> {
        let mut stems = BTreeSet::new();
        let mut ran = Vec::new();
        for (id, expected) in &self.set.expected.profiles {
            let mut stem = runtime_stem(&expected.blob, id);
            while !stems.insert(stem.clone()) {
                stem.push('_');
            }
            ran.push((id.clone(), run_profile(self, id, expected, &stem)?));
        }
        Ok(ran)
    }

    fn results(&self, ran: &[(String, Ran)]) -> Result<RuntimeResults, ProbeError> {
        let decodes = GoldenDecodes {
            head: self.head(tag::GOLDEN_DECODES),
            decodes: ran.iter().map(|(id, ran)| (id.clone(), ran.decode.clone())).collect(),
            extra: Map::new(),
        };
        self.writer.write_json("golden_decodes.json", &decodes)?;
        let diffs = RuntimeDiffs {
            head: self.head(tag::RUNTIME_DIFFS),
            profiles: ran.iter().map(|(id, ran)| (id.clone(), ran.diff.clone())).collect(),
        };
        self.writer.write_json("runtime_diffs.json", &diffs)?;
        let results: RuntimeResults = ran.iter().map(|(id, ran)| (id.clone(), ran.result.clone())).collect();
        self.writer.write_json("runtime_results.json", &results)?;
        Ok(results)
    }

    fn summary(
        &self,
        results: &RuntimeResults,
        mismatches: &MismatchSummary,
        rows: &[Row],
    ) -> Result<Summary, ProbeError> {
        let matching = rows.iter().filter(|row| row.matches);
        let status = if mismatches.mismatches.is_empty() { "ok" } else { "partial" };
        let summary = Summary {
            head: self.head(tag::SUMMARY),
            status: status.to_owned(),
            plan_id: self.set.plan.plan_id.clone(),
            plan_digest: self.digest.clone(),
            channel: self.channel(),
            lanes: self.set.plan.lanes(),
            profile_count: results.len() as u64,
            scenario_count: rows.len() as u64,
            expected_profiles: self.set.plan.profiles.clone(),
            mismatch_counts: mismatches.counts.clone(),
            dry_run: false,
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

const BLOCKED: &str = "blocked";

fn rows(results: &RuntimeResults) -> Vec<Row> {
    let rows = results.iter().flat_map(|(id, profile)| {
        profile.probes.iter().map(move |probe| {
            let stage = probe.stage.unwrap_or(Stage::Operation);
            let expected = match profile.expected_block {
                Some(_) => BLOCKED,
                None => probe.expected.map_or("unknown", |expected| expected.name()),
            };
            let actual = match probe.actual {
                Some(actual) => actual.name(),
                None if stage < Stage::Operation => BLOCKED,
                None => "unknown",
            };
            let probe_name = probe.name.clone().unwrap_or_default();
            let matches = probe.matches == Some(true);
            Row { profile: id.clone(), probe: probe_name, expected, actual, matches, stage }
        })
    });
    rows.collect()
}

/// `<stem of the base>.<profile id>.runtime`, the id's colons and whatever else does not belong in a file name as `_`.
pub(super) fn runtime_stem(base: &str, id: &str) -> String {
    let name = base.rsplit('/').next().unwrap_or(base);
    let stem = name.strip_suffix(".bin").unwrap_or(name);
    let stem = stem.strip_suffix(".sb").unwrap_or(stem);
    let plain = |text: &str| -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
    };
    format!("{}.{}.runtime", plain(stem), plain(id))
}

fn markdown(summary: &Summary, mismatches: usize, rows: &[Row]) -> String {
    let mut text = String::from("# Runtime Summary\n\n");
    for (name, value) in [
        ("Status", summary.status.clone()),
        ("Plan", summary.plan_id.clone()),
        ("Channel", summary.channel.clone()),
        ("Profiles", summary.profile_count.to_string()),
        ("Scenarios", summary.scenario_count.to_string()),
    ] {
        text.push_str(&format!("{name}: {value}\n"));
    }
    let count = if mismatches == 0 { "none".to_owned() } else { mismatches.to_string() };
    text.push_str(&format!("Mismatches: {count}\n\n"));
    text.push_str("| profile | probe | expected | actual | match | stage |\n| --- | --- | --- | --- | --- | --- |\n");
    for row in rows {
        let cells = [&row.profile, &row.probe].map(|cell| cell.replace('|', "\\|").replace(['\n', '\r'], " "));
        let matches = if row.matches { "yes" } else { "no" };
        let [profile, probe] = cells;
        text.push_str(&format!(
            "| {profile} | {probe} | {} | {} | {matches} | {} |\n",
            row.expected,
            row.actual,
            row.stage.name()
        ));
    }
    text
}
