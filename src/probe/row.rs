//! One probe's row in `runtime_results.json`.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::apply_preflight;
use super::artifact::{ApplyReport, DecidedBy, ProbeResult, RuntimeResult, StageReport, StageStatus};
use super::lanes::path_observation;
use super::matrix::{MatrixProbe, MatrixProfile};
use super::prepare::Blocked;
use super::registry::{Acquire, Decision};
use super::run::RunOptions;
use crate::diag::SourceMap;
use crate::sandbox::class::{self, Class};
use crate::sandbox::{Action, Observation, Outcome, Session, Stage};

pub(super) fn action(probe: &MatrixProbe) -> Action {
    Action {
        operation: probe.operation.clone(),
        target: probe.target.clone(),
        filter: probe.details.filter_name.clone(),
        early: probe.details.acquire == Some(Acquire::Before),
        driver: probe.details.driver.clone(),
        syscall: probe.details.syscall.clone(),
        payload: probe.details.attr_payload.clone(),
    }
}

/// What rows of a profile that is in force need.
pub(super) struct Probing<'a> {
    pub(super) id: &'a str,
    pub(super) expected: &'a MatrixProfile,
    pub(super) options: &'a RunOptions<'a>,
    pub(super) runtime_path: &'a str,
    pub(super) sources: Option<&'a SourceMap>,
}

impl Probing<'_> {
    /// Tries one probe.
    pub(super) fn probe(&self, probe: &MatrixProbe, session: &mut dyn Session) -> ProbeResult {
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
            (Some(stage), None) if stage == observation.stage => Some(true),
            (Some(stage), _) => {
                notes = Some(format!("expected to be blocked at {}, but it ran", stage.name()));
                Some(false)
            }
            (None, actual) => actual.map(|actual| actual == probe.expected),
        };
        let reached = Stage::ALL.into_iter().filter(|stage| *stage <= observation.stage);
        let executes = self.options.backend.executes();
        let status = |stage: Stage| match stage {
            Stage::Exec if !executes => StageStatus::NotApplicable,
            Stage::Exec if observation.stage == Stage::Exec => StageStatus::Blocked,
            _ => StageStatus::Ok,
        };
        ProbeResult {
            actual,
            matches,
            stage: Some(observation.stage),
            stages: reached.map(|stage| (stage, status(stage))).collect(),
            runtime_result: self.runtime_result(&observation),
            violation_summary: (actual == Some(Decision::Deny)).then(|| "EPERM".to_owned()),
            path_observation: path_observation(&probe.operation, &observation),
            command: match observation.command.is_empty() {
                true => self.command(probe),
                false => observation.command.clone(),
            },
            probe_details: observation.details.clone(),
            exit_code: observation.exit_code,
            stdout: observation.stdout.clone(),
            stderr: observation.stderr.clone(),
            decided_by: self.decided_by(&observation),
            notes,
            extra: evidence(&observation),
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
        let (status, stage, kind) = match (observation.outcome, observation.evidence.class) {
            (Outcome::Allow, _) => ("success", None, None),
            (Outcome::Deny, _) => ("errno", Some("probe"), Some("probe_nonzero_exit")),
            (_, Some(Class::ApplyRefused)) => ("blocked", Some("apply"), Some("apply_failed")),
            (_, Some(Class::Timeout)) => ("errno", Some("probe"), Some("probe_timeout")),
            (_, Some(Class::UnixPermission | Class::BadArgument | Class::MissingService | Class::OtherError)) => {
                ("errno", Some("probe"), Some("probe_nonzero_exit"))
            }
            _ if observation.stage == Stage::Exec => ("blocked", Some("bootstrap"), Some(bootstrap_kind(observation))),
            _ => ("blocked", None, None),
        };
        let apply = ApplyReport {
            api: self.options.backend.kind().name().to_owned(),
            rc: 0,
            errno: Some(0),
            errbuf: None,
            err_class: "ok".to_owned(),
            err_class_source: "none".to_owned(),
        };
        let apply = observation.evidence.apply.as_ref().and_then(apply_preflight::report).unwrap_or(apply);
        let witnessed = observation.outcome != Outcome::Undecided;
        let callouts = &observation.evidence.callouts;
        RuntimeResult {
            errno: observation.errno,
            // Nothing was to be witnessed yet when the probe program did not start.
            intended_op_witnessed: (observation.stage == Stage::Operation).then_some(witnessed),
            seatbelt_callouts: (!callouts.is_empty()).then(|| json!(callouts)),
            sandbox_check_request: callouts.first().map(request),
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

/// What a callout asked.
fn request(callout: &Value) -> Value {
    let keys = ["operation", "filter_type", "filter_type_name", "argument", "canonicalization"];
    let pairs = keys.iter().filter_map(|key| {
        let name = if *key == "filter_type_name" { "filter_name" } else { key };
        Some((name.to_owned(), callout.get(*key)?.clone()))
    });
    Value::Object(pairs.collect())
}

/// What a real process left besides, under keys of ours.
fn evidence(observation: &Observation) -> Map<String, Value> {
    let (seen, signals) = (&observation.evidence, class::seen(observation));
    let rows = [
        ("class", seen.class.map(|class| json!(class))),
        ("pid", seen.pid.map(|pid| json!(pid))),
        ("crash_report", seen.crash_report.clone()),
        ("signals", (!signals.is_empty()).then(|| json!(signals))),
    ];
    rows.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// How starting the probe program failed: refused, or something else, such as a loader that may not read its files.
fn bootstrap_kind(observation: &Observation) -> &'static str {
    match observation.errno {
        Some(1) => "bootstrap_deny_process_exec",
        _ => "bootstrap_exec_failed",
    }
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

/// The row of a probe that was never tried.
pub(super) fn blocked_row(
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
