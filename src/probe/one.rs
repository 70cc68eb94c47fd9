//! One profile of a run: shim, scan, compile, apply, probe.

use indexmap::IndexMap;
use serde_json::{Map, json};

use super::artifact::{
    ApplyReport, DecidedBy, Decode, DecodeResult, PathObservation, ProbeResult, ProfileDiff, ProfileResult,
    ProfileStatus, RuntimeResult, StageReport, StageStatus,
};
use super::bundle::Writer;
use super::decode::{self, Built};
use super::error::ProbeError;
use super::matrix::{MatrixProbe, MatrixProfile};
use super::preflight;
use super::registry::Decision;
use super::run::RunOptions;
use super::{difference, tag};
use crate::diag::SourceMap;
use crate::sandbox::{Action, ApplyFailure, Observation, Outcome, ProfileInput, Session, Stage};
use crate::shim::{self, Shim};

/// What a profile leaves in the documents.
pub(super) struct Ran {
    pub(super) result: ProfileResult,
    pub(super) decode: Decode,
    pub(super) diff: ProfileDiff,
}

/// Where a profile stopped before its probes, and why.
struct Blocked {
    stage: Stage,
    kind: &'static str,
    message: String,
    apply: Option<ApplyReport>,
}

/// Runs one profile. `stem` is the name of its files in the bundle.
pub(super) fn run_profile(
    id: &str,
    expected: &MatrixProfile,
    key_rules: &[String],
    stem: &str,
    options: &RunOptions<'_>,
    writer: &Writer,
) -> Result<Ran, ProbeError> {
    let path = &expected.blob;
    let base = options
        .files
        .read(path)
        .map_err(|failure| ProbeError::Unreadable { path: path.clone(), reason: failure.reason })?;
    let mut stages = IndexMap::new();
    let runtime_path = format!("runtime_profiles/{stem}.sb");
    let (text, shims) = shimmed(id, &base, key_rules, options)?;
    writer.write(&runtime_path, &text)?;

    let record = preflight::scan_text("sbpl_path", &runtime_path, &text);
    let built = decode::build(&runtime_path, &text, options.target, options.loader);
    let gated = preflight_mode(expected) == "enforce" && record.is_gated();
    stages.insert(Stage::Preflight, report(gated, record.signature.clone()));
    let blob_path = format!("sb_build/{stem}.sb.bin");
    stages.insert(Stage::Compile, compile_report(&built, &blob_path));
    if let Ok(Built { blob: Ok(compiled), .. }) = &built {
        writer.write(&blob_path, &compiled.bytes)?;
    }

    let applied = match &built {
        _ if gated => Err(Blocked {
            stage: Stage::Preflight,
            kind: "preflight_apply_gate_signature",
            message: "preflight blocked: known apply-gate signature".to_owned(),
            apply: None,
        }),
        Err(message) => {
            Err(Blocked { stage: Stage::Compile, kind: "compile_failed", message: message.clone(), apply: None })
        }
        Ok(built) => {
            let input = ProfileInput { text: text.as_slice().into(), policy: built.policy.clone() };
            options.backend.apply(&input).map_err(apply_failed)
        }
    };
    let probes = match applied {
        Ok(mut session) => {
            stages.insert(Stage::Apply, report(false, None));
            stages.insert(Stage::Exec, not_applicable());
            stages.insert(Stage::Operation, report(false, None));
            let sources = built.as_ref().map(|built| &built.sources).ok();
            let mut context = Probing { id, expected, options, runtime_path: &runtime_path, sources };
            expected.probes.iter().map(|probe| context.probe(probe, session.as_mut())).collect()
        }
        Err(blocked) => {
            let at = Stage::ALL.iter().position(|stage| *stage == blocked.stage).unwrap_or(0);
            stages.insert(blocked.stage, StageReport { message: Some(blocked.message.clone()), ..report(true, None) });
            for stage in Stage::ALL.into_iter().skip(at + 1).filter(|stage| *stage != Stage::Compile) {
                stages.insert(stage, not_reached());
            }
            let row = |probe| blocked_row(id, expected, probe, &blocked, &stages, options);
            expected.probes.iter().map(row).collect::<Vec<_>>()
        }
    };

    let (status, notes) = status_of(&probes);
    let diff = difference::between(path, &base, &runtime_path, &text, shims);
    let decode = decode_of(&runtime_path, &blob_path, &built, status, &probes);
    let result = ProfileResult {
        status,
        notes,
        profile_path: Some(runtime_path),
        base_profile_path: Some(path.clone()),
        preflight: Some(record),
        expected_block: expected.expected_block,
        stages,
        probes,
        schema_version: Some(tag::RUNTIME_RESULTS.to_owned()),
        run_id: Some(options.identity.run_id.clone()),
        extra: Map::new(),
    };
    Ok(Ran { result, decode, diff })
}

/// `off`, `enforce` or `force`: the profile's own key in the matrix, a string or `{"mode": …}`.
fn preflight_mode(expected: &MatrixProfile) -> &str {
    let value = expected.extra.get("preflight");
    let mode = value.and_then(|value| value.as_str().or_else(|| value.get("mode")?.as_str()));
    mode.unwrap_or("enforce")
}

/// The text with the base shim and the rules for this profile, and the names of what was applied.
fn shimmed(
    id: &str,
    base: &[u8],
    key_rules: &[String],
    options: &RunOptions<'_>,
) -> Result<(Vec<u8>, Vec<String>), ProbeError> {
    let mut text = base.to_vec();
    let mut names = Vec::new();
    let mut apply = |shim: &Shim| {
        // A text with syntax errors is left as it is: the compile stage reports it.
        if let Ok(applied) = shim::apply(shim, text.as_slice(), Some(id)) {
            if !applied.edits.is_empty() {
                names.push(shim.name.clone());
            }
            text = applied.text;
        }
    };
    if !options.shims {
        return Ok((text, names));
    }
    if let Some(shim) = shim::built_in("runtime-base") {
        apply(shim);
    }
    if !key_rules.is_empty() {
        let shim = Shim::appending("key-specific", key_rules.join("\n").as_bytes()).map_err(|errors| {
            let reasons: Vec<_> = errors.iter().map(ToString::to_string).collect();
            ProbeError::Shape { document: format!("key_specific_rules of {id}"), reason: reasons.join("; ") }
        })?;
        apply(&shim);
    }
    Ok((text, names))
}

fn apply_failed(failure: ApplyFailure) -> Blocked {
    let (kind, class) = match (failure.api, failure.errno) {
        ("sandbox_init", Some(1)) => ("sandbox_init_failed", "errno_eperm"),
        ("sandbox_init", _) => ("sandbox_init_failed", "errno_other"),
        ("sandbox_apply", Some(1)) => ("sandbox_apply_failed", "errno_eperm"),
        ("sandbox_apply", _) => ("sandbox_apply_failed", "errno_other"),
        (_, Some(1)) => ("apply_failed", "errno_eperm"),
        _ => ("apply_failed", "unknown"),
    };
    let apply = ApplyReport {
        api: failure.api.to_owned(),
        rc: -1,
        errno: failure.errno,
        errbuf: Some(failure.message.clone()),
        err_class: class.to_owned(),
        err_class_source: "errno_only".to_owned(),
    };
    Blocked { stage: Stage::Apply, kind, message: failure.message, apply: Some(apply) }
}

fn report(blocked: bool, message: Option<String>) -> StageReport {
    let status = if blocked { StageStatus::Blocked } else { StageStatus::Ok };
    StageReport { status, message, facts: Map::new() }
}

fn not_reached() -> StageReport {
    StageReport { status: StageStatus::NotReached, message: None, facts: Map::new() }
}

fn not_applicable() -> StageReport {
    StageReport { status: StageStatus::NotApplicable, message: None, facts: Map::new() }
}

fn compile_report(built: &Result<Built, String>, blob_path: &str) -> StageReport {
    match built {
        Ok(Built { blob: Ok(compiled), .. }) => {
            let facts = [
                ("backend".to_owned(), json!("native")),
                ("blob".to_owned(), json!(blob_path)),
                ("size_bytes".to_owned(), json!(compiled.bytes.len())),
                ("sha256".to_owned(), json!(compiled.sha256)),
            ];
            StageReport { facts: facts.into_iter().collect(), ..report(false, None) }
        }
        // It evaluates, so it can be decided about; only the blob is missing.
        Ok(Built { blob: Err(message), .. }) => {
            StageReport { status: StageStatus::Failed, message: Some(message.clone()), facts: Map::new() }
        }
        Err(message) => report(true, Some(message.clone())),
    }
}

fn action(probe: &MatrixProbe) -> Action {
    Action {
        operation: probe.operation.clone(),
        target: probe.target.clone(),
        filter: probe.details.filter_name.clone(),
    }
}

struct Probing<'a> {
    id: &'a str,
    expected: &'a MatrixProfile,
    options: &'a RunOptions<'a>,
    runtime_path: &'a str,
    sources: Option<&'a SourceMap>,
}

impl Probing<'_> {
    fn probe(&mut self, probe: &MatrixProbe, session: &mut dyn Session) -> ProbeResult {
        let started = self.options.clock.unix_seconds();
        let observation = session.try_action(&action(probe));
        let finished = self.options.clock.unix_seconds();
        let actual = match observation.outcome {
            Outcome::Allow => Some(Decision::Allow),
            Outcome::Deny => Some(Decision::Deny),
            Outcome::Undecided => None,
        };
        let mut notes = observation.note.clone();
        let matches = match (self.expected.expected_block, actual) {
            (Some(stage), _) => {
                notes = Some(format!("expected to be blocked at {}, but it ran", stage.name()));
                Some(false)
            }
            (None, actual) => actual.map(|actual| actual == probe.expected),
        };
        let reached = Stage::ALL.into_iter().filter(|stage| *stage <= observation.stage);
        let status = |stage: Stage| match stage {
            Stage::Exec => StageStatus::NotApplicable,
            _ => StageStatus::Ok,
        };
        ProbeResult {
            actual,
            matches,
            stage: Some(observation.stage),
            stages: reached.map(|stage| (stage, status(stage))).collect(),
            runtime_result: self.runtime_result(&observation),
            violation_summary: (actual == Some(Decision::Deny)).then(|| "EPERM".to_owned()),
            path_observation: path_observation(probe, &observation),
            command: self.command(probe),
            exit_code: observation.exit_code,
            stdout: observation.stdout.clone(),
            stderr: observation.stderr.clone(),
            decided_by: self.decided_by(&observation),
            notes,
            ..row(self.id, probe, started, finished)
        }
    }

    /// What answers the same question again, from the bundle's folder.
    fn command(&self, probe: &MatrixProbe) -> Vec<String> {
        let words = ["sbpl", "decide", self.runtime_path, &probe.operation];
        let mut command: Vec<String> = words.map(str::to_owned).to_vec();
        if probe.target.starts_with('/') && probe.details.filter_name.is_none() {
            command.extend(["--path".to_owned(), probe.target.clone()]);
        } else {
            let filter = probe.details.filter_name.as_deref().unwrap_or("target");
            command.extend(["--arg".to_owned(), format!("{filter}={}", probe.target)]);
        }
        command
    }

    fn runtime_result(&self, observation: &Observation) -> RuntimeResult {
        let (status, stage, kind) = match observation.outcome {
            Outcome::Allow => ("success", None, None),
            Outcome::Deny => ("errno", Some("probe"), Some("probe_nonzero_exit")),
            Outcome::Undecided => ("blocked", None, None),
        };
        let apply = ApplyReport {
            api: self.options.backend.kind().name().to_owned(),
            rc: 0,
            errno: Some(0),
            errbuf: None,
            err_class: "ok".to_owned(),
            err_class_source: "none".to_owned(),
        };
        let witnessed = observation.outcome != Outcome::Undecided;
        RuntimeResult {
            errno: observation.errno,
            intended_op_witnessed: Some(witnessed),
            ..runtime_result(status, stage, kind, Some(apply))
        }
    }

    fn decided_by(&self, observation: &Observation) -> Option<DecidedBy> {
        let by = observation.decided_by.as_ref()?;
        let place = by.rule.and_then(|location| {
            let source = self.sources?.get(location.source)?;
            let text = String::from_utf8_lossy(source.slice(location.span)).into_owned();
            let words: Vec<_> = text.split_whitespace().collect();
            Some((words.join(" "), source.name().to_owned(), source.line_column(location.span.start)))
        });
        let (rule, file, at) = match place {
            Some((rule, file, at)) => (Some(rule), Some(file), Some(at)),
            None => (None, None, None),
        };
        Some(DecidedBy {
            operation: by.operation.clone(),
            argument: by.argument.clone(),
            rule,
            file,
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
        })
    }
}

fn path_observation(probe: &MatrixProbe, observation: &Observation) -> Option<PathObservation> {
    if !probe.operation.starts_with("file-") {
        return None;
    }
    let path = observation.path.as_ref()?;
    let source = |known: bool| if known { "simulated_world" } else { "unsandboxed_unavailable" }.to_owned();
    Some(PathObservation {
        observed_path: Some(path.path.clone()),
        observed_path_source: source(true),
        observed_path_errno: None,
        observed_path_nofirmlink: path.nofirmlink.clone(),
        observed_path_nofirmlink_source: source(path.nofirmlink.is_some()),
        observed_path_nofirmlink_errno: None,
        symlinks_traversed: path.links.clone(),
    })
}

fn runtime_result(
    status: &str,
    failure_stage: Option<&str>,
    failure_kind: Option<&str>,
    apply_report: Option<ApplyReport>,
) -> RuntimeResult {
    RuntimeResult {
        status: status.to_owned(),
        errno: None,
        runtime_result_schema_version: 1,
        tool_marker_schema_version: 2,
        failure_stage: failure_stage.map(str::to_owned),
        failure_kind: failure_kind.map(str::to_owned),
        apply_report,
        runner_info: None,
        seatbelt_callouts: None,
        intended_op_witnessed: None,
        sandbox_check_request: None,
        resource_hygiene: None,
        extra: Map::new(),
    }
}

/// A row of which nothing is known yet.
fn row(id: &str, probe: &MatrixProbe, started: f64, finished: f64) -> ProbeResult {
    ProbeResult {
        name: Some(probe.name.clone()),
        expectation_id: Some(probe.id(id)),
        anchor_ctx_id: probe.details.anchor_ctx_id.clone(),
        operation: probe.operation.clone(),
        path: Some(probe.target.clone()),
        expected: Some(probe.expected),
        actual: None,
        matches: None,
        stage: None,
        stages: IndexMap::new(),
        runtime_result: runtime_result("blocked", None, None, None),
        violation_summary: None,
        path_observation: None,
        command: Vec::new(),
        exit_code: None,
        stdout: String::new(),
        stderr: String::new(),
        probe_details: None,
        cmd_started_at_unix_s: started,
        cmd_finished_at_unix_s: finished,
        cmd_duration_s: (finished - started).max(0.0),
        decided_by: None,
        notes: None,
        extra: Map::new(),
    }
}

fn blocked_row(
    id: &str,
    expected: &MatrixProfile,
    probe: &MatrixProbe,
    blocked: &Blocked,
    stages: &IndexMap<Stage, StageReport>,
    options: &RunOptions<'_>,
) -> ProbeResult {
    let now = options.clock.unix_seconds();
    let as_expected = expected.expected_block == Some(blocked.stage);
    let result = runtime_result("blocked", Some(blocked.stage.name()), Some(blocked.kind), blocked.apply.clone());
    let errno = blocked.apply.as_ref().and_then(|apply| apply.errno);
    ProbeResult {
        matches: as_expected.then_some(true),
        stage: Some(blocked.stage),
        stages: Stage::ALL.into_iter().filter_map(|stage| Some((stage, stages.get(&stage)?.status))).collect(),
        runtime_result: RuntimeResult { errno, ..result },
        notes: Some(blocked.message.clone()),
        ..row(id, probe, now, now)
    }
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
    built: &Result<Built, String>,
    status: ProfileStatus,
    probes: &[ProbeResult],
) -> Decode {
    let (compiled, error) = match built {
        Ok(Built { blob: Ok(compiled), .. }) => (Some(compiled), None),
        Ok(Built { blob: Err(error), .. }) | Err(error) => (None, Some(error.clone())),
    };
    let results = probes.iter().map(|probe| DecodeResult {
        expectation_id: probe.expectation_id.clone(),
        expected: probe.expected,
        actual: probe.actual,
        matches: probe.matches,
    });
    Decode {
        profile_path: profile_path.to_owned(),
        blob_path: compiled.map(|_| blob_path.to_owned()),
        sha256: compiled.map(|compiled| compiled.sha256.clone()),
        size_bytes: compiled.map(|compiled| compiled.bytes.len() as u64),
        header: compiled.map(|compiled| compiled.header.clone()),
        legacy: compiled.map(|compiled| compiled.legacy.clone()),
        error,
        status,
        results: results.collect(),
    }
}
