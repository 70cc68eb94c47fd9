//! One profile of a run: its probes in chunks, and what they come to.

use std::ops::Range;

use indexmap::IndexMap;
use serde_json::Map;

use super::artifact::{
    BaselineResult, Decode, DecodeResult, ProbeResult, ProfileDiff, ProfileResult, ProfileStatus, StageReport,
    StageStatus,
};
use super::decode::Built;
use super::lanes::baseline_row;
use super::prepare::{Blocked, Prepared, apply_failed, report};
use super::row::{Probing, action, blocked_row};
use super::run::RunOptions;
use super::tag;
use crate::sandbox::Stage;

/// What a profile leaves in the documents.
pub(super) struct Ran {
    pub(super) result: ProfileResult,
    pub(super) decode: Decode,
    pub(super) diff: ProfileDiff,
    /// The probes without the profile, in their order; empty when the plan has no baseline lane.
    pub(super) baseline: Vec<BaselineResult>,
}

/// Tried probes: the scenario's rows and, when asked for, the baseline's.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) probes: Vec<ProbeResult>,
    pub(super) baseline: Vec<BaselineResult>,
}

/// Tries some of a profile's probes, in their order, under one application of the profile.
pub(super) fn try_probes(
    prepared: &Prepared<'_>,
    range: Range<usize>,
    baseline: bool,
    options: &RunOptions<'_>,
) -> Tried {
    let probes = prepared.expected.probes.get(range).unwrap_or_default();
    let blocked = |blocked: &Blocked| -> Vec<ProbeResult> {
        let stages = stages_of_blocked(prepared, blocked);
        probes
            .iter()
            .map(|probe| blocked_row(prepared.id, prepared.expected, probe, blocked, &stages, options))
            .collect()
    };
    let rows = match &prepared.input {
        Err(reason) => blocked(reason),
        Ok(input) => match options.backend.apply(input) {
            Err(failure) => blocked(&apply_failed(failure)),
            Ok(mut session) => {
                let context = Probing {
                    id: prepared.id,
                    expected: prepared.expected,
                    options,
                    runtime_path: &prepared.runtime_path,
                    sources: prepared.built.as_ref().map(|built| &built.sources).ok(),
                };
                let going = || !options.cancel.is_set();
                probes.iter().take_while(|_| going()).map(|probe| context.probe(probe, session.as_mut())).collect()
            }
        },
    };
    let unconfined = |(probe, row)| baseline_row(prepared.id, row, &options.backend.try_unconfined(&action(probe)));
    let going = |_: &_| baseline && !options.cancel.is_set();
    let baseline = probes.iter().zip(&rows).take_while(going).map(unconfined).collect();
    Tried { probes: rows, baseline }
}

/// What a profile and its tried probes leave.
pub(super) fn assemble(prepared: Prepared<'_>, tried: Tried, options: &RunOptions<'_>) -> Ran {
    let Tried { probes, baseline } = tried;
    let stages = match &prepared.input {
        Err(blocked) => stages_of_blocked(&prepared, blocked),
        Ok(_) => {
            let mut stages = prepared.stages.clone();
            stages.insert(Stage::Apply, report(false, None));
            stages.insert(Stage::Exec, if options.backend.executes() { report(false, None) } else { not_applicable() });
            stages.insert(Stage::Operation, report(false, None));
            stages
        }
    };
    let (status, notes) = status_of(&probes);
    let Prepared { expected, runtime_path, blob_path, record, built, diff, .. } = prepared;
    let decode = decode_of(&runtime_path, &blob_path, built, status, &probes);
    let result = ProfileResult {
        status,
        notes,
        profile_path: Some(runtime_path),
        base_profile_path: Some(expected.blob.clone()),
        preflight: Some(record),
        expected_block: expected.expected_block,
        stages,
        probes,
        schema_version: Some(tag::RUNTIME_RESULTS.to_owned()),
        run_id: Some(options.identity.run_id.clone()),
        extra: Map::new(),
    };
    Ran { result, decode, diff, baseline }
}

/// The stages of a profile that was stopped: the one that stopped it, and the later ones that were not reached.
fn stages_of_blocked(prepared: &Prepared<'_>, blocked: &Blocked) -> IndexMap<Stage, StageReport> {
    let mut stages = prepared.stages.clone();
    let at = Stage::ALL.iter().position(|stage| *stage == blocked.stage).unwrap_or(0);
    stages.insert(blocked.stage, StageReport { message: Some(blocked.message.clone()), ..report(true, None) });
    for stage in Stage::ALL.into_iter().skip(at + 1).filter(|stage| *stage != Stage::Compile) {
        stages.insert(stage, not_reached());
    }
    stages
}

fn not_reached() -> StageReport {
    StageReport { status: StageStatus::NotReached, message: None, facts: Map::new() }
}

fn not_applicable() -> StageReport {
    StageReport { status: StageStatus::NotApplicable, message: None, facts: Map::new() }
}

/// `spec/probe-runner.md` section 1.6, status rule.
fn status_of(probes: &[ProbeResult]) -> (ProfileStatus, Option<String>) {
    let blocked_stage = |probe: &&ProbeResult| {
        let stage = probe.runtime_result.failure_stage.as_deref();
        matches!(stage, Some("apply" | "bootstrap" | "preflight" | "compile"))
    };
    let recorded = probes.iter().filter(|probe| probe.runtime_result.failure_stage.is_some());
    let (status, notes) = if probes.is_empty() {
        (ProfileStatus::Blocked, "no probes executed")
    } else if recorded.clone().count() > 0 && recorded.clone().all(|probe| blocked_stage(&probe)) {
        (ProfileStatus::Blocked, "all probes blocked before policy evaluation")
    } else if probes.iter().all(|probe| probe.matches == Some(true)) {
        return (ProfileStatus::Ok, None);
    } else {
        (ProfileStatus::Partial, "runtime results diverged from expected allow/deny matrix")
    };
    (status, Some(notes.to_owned()))
}

fn decode_of(
    profile_path: &str,
    blob_path: &str,
    built: Result<Built, String>,
    status: ProfileStatus,
    probes: &[ProbeResult],
) -> Decode {
    let (compiled, error) = match built {
        Ok(Built { blob: Ok(compiled), .. }) => (Some(compiled), None),
        Ok(Built { blob: Err(error), .. }) | Err(error) => (None, Some(error)),
    };
    let results = probes.iter().map(|probe| DecodeResult {
        expectation_id: probe.expectation_id.clone(),
        expected: probe.expected,
        actual: probe.actual,
        matches: probe.matches,
    });
    Decode {
        profile_path: profile_path.to_owned(),
        blob_path: compiled.as_ref().map(|_| blob_path.to_owned()),
        sha256: compiled.as_ref().map(|compiled| compiled.sha256.clone()),
        size_bytes: compiled.as_ref().map(|compiled| compiled.bytes.len() as u64),
        header: compiled.as_ref().map(|compiled| compiled.header.clone()),
        legacy: compiled.as_ref().map(|compiled| compiled.legacy.clone()),
        contents: compiled.map(|compiled| compiled.contents),
        error,
        status,
        results: results.collect(),
    }
}
