//! Writes the documents of the lanes. Each lane is filled from its own observations only; joins name both sides.

use serde_json::{Map, Value, json};

use super::artifact::{PathObservation, ProbeResult, ProfileResult, RuntimeResults};
use super::error::ProbeError;
use super::lane::{
    BaselineResult, BaselineResults, Canonicalization, DecisionEvent, Event, Expected, FileConfounder, Fixtures,
    MismatchPacket, MismatchReason, OracleResults, PathWitness, PathWitnesses, PlatformPolicy, PolicyLayers,
    PrimaryIntent, ProcessPolicy, RunContext,
};
use super::one::Ran;
use super::registry::Decision;
use super::run::Documents;
use super::tag;
use crate::sandbox::{Observation, Outcome, Stage};

/// Baseline, events, oracle, path witnesses, fixtures, mismatch packets.
pub(super) fn write(
    documents: &Documents<'_>,
    ran: &[(String, Ran)],
    results: &RuntimeResults,
) -> Result<(), ProbeError> {
    let lanes = documents.set.plan.lanes();
    let writer = documents.writer;
    let baseline = baseline_rows(ran);
    if lanes.baseline {
        writer.write_json(
            "baseline_results.json",
            &BaselineResults {
                schema_version: tag::BASELINE_RESULTS.to_owned(),
                world_id: documents.world_id(),
                run_id: documents.run_id(),
                results: baseline.clone(),
                extra: Map::new(),
            },
        )?;
    }
    let events: Vec<Event> = results
        .iter()
        .flat_map(|(id, profile)| profile.probes.iter().map(move |probe| (id, profile, probe)))
        .map(|(id, profile, probe)| event(documents, id, profile, probe, row_for(&baseline, id, probe)))
        .collect();
    let documents_of_events: Vec<Value> = events.iter().map(|event| sorted(json!(event), true)).collect();
    writer.write_json("runtime_events.normalized.json", &documents_of_events)?;
    if lanes.oracle {
        writer.write_json(
            "oracle_results.json",
            &OracleResults {
                schema_version: tag::ORACLE_RESULTS.to_owned(),
                world_id: documents.world_id(),
                run_id: documents.run_id(),
                // No backend that is here has an oracle; the lane is asked for and empty.
                results: Vec::new(),
                extra: Map::new(),
            },
        )?;
    }
    let witnesses = witnesses(ran, &baseline);
    writer.write_json(
        "path_witnesses.json",
        &PathWitnesses {
            schema_version: tag::PATH_WITNESSES.to_owned(),
            world_id: documents.world_id(),
            run_id: documents.run_id(),
            plan_id: documents.set.plan.plan_id.clone(),
            records: witnesses.clone(),
            extra: Map::new(),
        },
    )?;
    writer.write_json(
        "fixtures.json",
        &Fixtures {
            schema_version: tag::FIXTURES.to_owned(),
            world_id: documents.world_id(),
            run_id: documents.run_id(),
            fixtures: Vec::new(),
            extra: Map::new(),
        },
    )?;
    let mut packets = String::new();
    for event in events.iter().filter(|event| event.matches != Some(true)) {
        let packet = packet(documents, event, &baseline, &witnesses);
        packets.push_str(&sorted(json!(packet), false).to_string());
        packets.push('\n');
    }
    writer.write("mismatch_packets.jsonl", packets.as_bytes())
}

fn baseline_rows(ran: &[(String, Ran)]) -> Vec<BaselineResult> {
    let rows = ran.iter().flat_map(|(id, ran)| {
        ran.result.probes.iter().zip(&ran.baseline).map(move |(probe, seen)| baseline_row(id, probe, seen))
    });
    rows.collect()
}

fn baseline_row(id: &str, probe: &ProbeResult, seen: &Observation) -> BaselineResult {
    let intent = intent(id, probe);
    let cut = |text: &str| text.chars().take(200).collect::<String>();
    BaselineResult {
        name: format!("baseline:{id}:{}", intent.probe_name),
        profile_id: id.to_owned(),
        probe_name: intent.probe_name.clone(),
        operation: probe.operation.clone(),
        target: intent.target.clone(),
        primary_intent: intent,
        command: Vec::new(),
        path_observation: path_observation(&probe.operation, seen),
        status: if seen.outcome == Outcome::Allow { Decision::Allow } else { Decision::Deny },
        exit_code: seen.exit_code,
        stdout: cut(&seen.stdout),
        stderr: cut(&seen.stderr),
        reached_primary_op: true,
        decision_path: "baseline".to_owned(),
        error: None,
        extra: Map::new(),
    }
}

/// Which path an observation saw, for operations on files.
pub(super) fn path_observation(operation: &str, seen: &Observation) -> Option<PathObservation> {
    let path = seen.path.as_ref().filter(|_| operation.starts_with("file-"))?;
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

fn intent(id: &str, probe: &ProbeResult) -> PrimaryIntent {
    PrimaryIntent {
        operation: probe.operation.clone(),
        target: probe.path.clone().unwrap_or_default(),
        profile_id: id.to_owned(),
        probe_name: probe.name.clone().unwrap_or_default(),
    }
}

fn row_for<'a>(baseline: &'a [BaselineResult], id: &str, probe: &ProbeResult) -> Option<&'a BaselineResult> {
    let name = probe.name.as_deref().unwrap_or_default();
    baseline.iter().find(|row| row.profile_id == id && row.probe_name == name)
}

/// The expectation id, else `profile::name`, else `profile::operation::target`.
fn scenario_id(id: &str, probe: &ProbeResult) -> String {
    match (&probe.expectation_id, probe.name.as_deref()) {
        (Some(expectation), _) => expectation.clone(),
        (None, Some(name)) if !name.is_empty() => format!("{id}::{name}"),
        _ => format!("{id}::{}::{}", probe.operation, probe.path.as_deref().unwrap_or_default()),
    }
}

fn event(
    documents: &Documents<'_>,
    id: &str,
    profile: &ProfileResult,
    probe: &ProbeResult,
    baseline: Option<&BaselineResult>,
) -> Event {
    let result = &probe.runtime_result;
    let is_path = probe.path.as_deref().is_some_and(|path| path.starts_with('/'));
    let requested = probe.path.clone().filter(|_| is_path);
    let observed = probe.path_observation.as_ref();
    let observed_path = observed.and_then(|observed| observed.observed_path.clone());
    let (normalized_path, source) = normalized(requested.as_deref(), observed_path.as_deref());
    let denied = probe.actual == Some(Decision::Deny);
    let denier = probe.decided_by.as_ref().filter(|_| denied);
    let on_the_way = denier.is_some_and(|by| Some(&by.argument) != observed_path.as_ref() && is_path);
    Event {
        world_id: Some(documents.world_id()),
        profile_id: Some(id.to_owned()),
        scenario_id: Some(scenario_id(id, probe)),
        run_id: Some(documents.run_id()),
        expectation_id: probe.expectation_id.clone(),
        operation: Some(probe.operation.clone()),
        target: probe.path.clone(),
        requested_path: requested,
        observed_path,
        observed_path_source: Some(match observed {
            Some(observed) => observed.observed_path_source.clone(),
            None => "not_attempted".to_owned(),
        }),
        normalized_path,
        normalized_path_source: Some(source.to_owned()),
        probe_name: probe.name.clone(),
        expected: probe.expected,
        actual: probe.actual,
        matches: probe.matches,
        primary_intent: Some(intent(id, probe)),
        reached_primary_op: probe.actual.map(|_| !on_the_way),
        intended_op_witnessed: result.intended_op_witnessed,
        first_denial_op: denier.map(|by| by.operation.clone()),
        first_denial_filters: denier.map(|by| vec![by.argument.clone()]),
        decision_path: Some("scenario".to_owned()),
        runtime_status: Some(result.status.clone()),
        errno: result.errno,
        errno_name: result.errno.and_then(errno_name).map(str::to_owned),
        policy_layers: policy_layers(probe, baseline),
        file_confounder: file_confounder(probe, baseline),
        failure_stage: result.failure_stage.clone(),
        failure_kind: result.failure_kind.clone(),
        apply_report: result.apply_report.clone(),
        preflight: profile.preflight.clone(),
        runner_info: result.runner_info.clone(),
        seatbelt_callouts: result.seatbelt_callouts.clone(),
        probe_details: probe.probe_details.clone(),
        violation_summary: probe.violation_summary.clone(),
        command: Some(probe.command.clone()),
        stdout: Some(probe.stdout.clone()),
        stderr: Some(probe.stderr.clone()),
        harness: Some(format!("sbpl {}", documents.options.backend.kind().name())),
        notes: probe.notes.clone(),
        extra: Map::new(),
    }
}

fn normalized(requested: Option<&str>, observed: Option<&str>) -> (Option<String>, &'static str) {
    match (observed, requested) {
        (Some(observed), _) => (Some(observed.to_owned()), "observed_path"),
        (None, Some(path)) if path == "/tmp" || path.starts_with("/tmp/") => {
            (Some(format!("/private{path}")), "alias_map")
        }
        (None, requested) => (requested.map(str::to_owned), "requested_path"),
    }
}

fn word(decision: Option<Decision>) -> String {
    decision.map_or("unknown", Decision::name).to_owned()
}

/// Only an operation that was reached says something about the process's policy.
fn process_decision(probe: &ProbeResult) -> Option<Decision> {
    probe.actual.filter(|_| probe.stage.is_none_or(|stage| stage == Stage::Operation))
}

fn policy_layers(probe: &ProbeResult, baseline: Option<&BaselineResult>) -> PolicyLayers {
    let platform = baseline.map(|row| row.status);
    let process = process_decision(probe);
    let attribution = match (platform, process) {
        (Some(Decision::Deny), _) => "platform_policy",
        (Some(Decision::Allow), Some(Decision::Deny)) => "process_policy",
        (Some(Decision::Allow), Some(Decision::Allow)) => "allow",
        _ => "unknown",
    };
    PolicyLayers {
        platform_policy: PlatformPolicy {
            decision: word(platform),
            status: platform.map(|decision| decision.name().to_owned()),
            source: if baseline.is_some() { "baseline" } else { "baseline_missing" }.to_owned(),
            error: baseline.and_then(|row| row.error.clone()),
            exit_code: baseline.and_then(|row| row.exit_code),
        },
        process_policy: ProcessPolicy {
            decision: word(process),
            status: Some(probe.runtime_result.status.clone()),
            failure_stage: probe.runtime_result.failure_stage.clone(),
            failure_kind: probe.runtime_result.failure_kind.clone(),
        },
        effective_decision: word(process),
        attribution: attribution.to_owned(),
        extra: Map::new(),
    }
}

fn file_confounder(probe: &ProbeResult, baseline: Option<&BaselineResult>) -> Option<FileConfounder> {
    let result = &probe.runtime_result;
    let errno = result.errno.filter(|errno| *errno != 0)?;
    if !probe.operation.starts_with("file-") || result.failure_stage.as_deref() != Some("probe") {
        return None;
    }
    let (classification, attribution) = match errno {
        EACCES => ("unix_permissions", "unix_acl"),
        EPERM if process_decision(probe) == Some(Decision::Deny) => ("sandbox_or_mac", "app_sandbox"),
        EPERM if baseline.is_some_and(|row| row.status == Decision::Deny) => ("sandbox_or_mac", "mac"),
        EPERM => ("sandbox_or_mac", "sandbox_or_mac"),
        _ => ("other_errno", "unknown"),
    };
    Some(FileConfounder {
        errno,
        errno_name: errno_name(errno).map(str::to_owned),
        classification: classification.to_owned(),
        attribution: attribution.to_owned(),
    })
}

const EPERM: i32 = 1;
const EACCES: i32 = 13;

/// Names of the error numbers that probes meet, as macOS numbers them.
fn errno_name(errno: i32) -> Option<&'static str> {
    const NAMES: &[(i32, &str)] = &[
        (EPERM, "EPERM"),
        (2, "ENOENT"),
        (4, "EINTR"),
        (5, "EIO"),
        (9, "EBADF"),
        (EACCES, "EACCES"),
        (17, "EEXIST"),
        (20, "ENOTDIR"),
        (21, "EISDIR"),
        (22, "EINVAL"),
        (30, "EROFS"),
        (45, "ENOTSUP"),
        (61, "ECONNREFUSED"),
        (62, "ELOOP"),
    ];
    NAMES.iter().find(|(known, _)| *known == errno).map(|(_, name)| *name)
}

/// Baseline rows first, then the scenario's: a refused open has no path in its own lane.
fn witnesses(ran: &[(String, Ran)], baseline: &[BaselineResult]) -> Vec<PathWitness> {
    let mut records = Vec::new();
    for (id, ran) in ran {
        for probe in ran.result.probes.iter().filter(|probe| probe.operation.starts_with("file-")) {
            if let Some(row) = row_for(baseline, id, probe) {
                let mut record = witness("baseline", id, probe, row.path_observation.as_ref());
                record.decision = Some(row.status);
                record.exit_code = row.exit_code;
                record.command = row.command.clone();
                records.push(record);
            }
        }
    }
    for (id, ran) in ran {
        for probe in ran.result.probes.iter().filter(|probe| probe.operation.starts_with("file-")) {
            let opened = probe.path_observation.as_ref().filter(|_| probe.actual == Some(Decision::Allow));
            let mut record = witness("scenario", id, probe, opened);
            record.decision = probe.actual;
            record.errno = probe.runtime_result.errno;
            record.failure_stage = probe.runtime_result.failure_stage.clone();
            record.failure_kind = probe.runtime_result.failure_kind.clone();
            record.command = probe.command.clone();
            records.push(record);
        }
    }
    records
}

fn witness(lane: &str, id: &str, probe: &ProbeResult, seen: Option<&PathObservation>) -> PathWitness {
    let requested = probe.path.clone().unwrap_or_default();
    let observed = seen.and_then(|seen| seen.observed_path.clone());
    let nofirmlink = seen.and_then(|seen| seen.observed_path_nofirmlink.clone());
    let missing = |name: &str| format!("{name}:missing");
    PathWitness {
        schema_version: tag::PATH_WITNESS.to_owned(),
        lane: lane.to_owned(),
        profile_id: id.to_owned(),
        scenario_id: scenario_id(id, probe),
        operation: probe.operation.clone(),
        observed_path_source: seen.map_or_else(|| missing("probe_fgetpath"), |seen| seen.observed_path_source.clone()),
        observed_path_errno: seen.and_then(|seen| seen.observed_path_errno),
        observed_path_nofirmlink_source: seen
            .map_or_else(|| missing("probe_fgetpath_nofirmlink"), |seen| seen.observed_path_nofirmlink_source.clone()),
        observed_path_nofirmlink_errno: seen.and_then(|seen| seen.observed_path_nofirmlink_errno),
        normalized_path_source: match (&observed, requested.is_empty()) {
            (Some(_), _) => "observed_path",
            (None, false) => "requested_path",
            (None, true) => "missing",
        }
        .to_owned(),
        normalized_path: observed.clone().or_else(|| Some(requested.clone()).filter(|path| !path.is_empty())),
        canonicalization: Canonicalization {
            alias_pair: observed.as_deref().is_some_and(|observed| is_alias_pair(&requested, observed)),
            nofirmlink_differs: nofirmlink.is_some() && nofirmlink != observed,
        },
        requested_path: requested,
        observed_path: observed,
        observed_path_nofirmlink: nofirmlink,
        decision: None,
        command: Vec::new(),
        exit_code: None,
        errno: None,
        failure_stage: None,
        failure_kind: None,
        extra: Map::new(),
    }
}

fn is_alias_pair(a: &str, b: &str) -> bool {
    let behind = |short: &str, long: &str| long.strip_prefix("/private") == Some(short) && short != long;
    behind(a, b) || behind(b, a)
}

fn packet(
    documents: &Documents<'_>,
    event: &Event,
    baseline: &[BaselineResult],
    witnesses: &[PathWitness],
) -> MismatchPacket {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let row = baseline.iter().find(|row| {
        Some(&row.profile_id) == event.profile_id.as_ref() && Some(&row.probe_name) == event.probe_name.as_ref()
    });
    // The scenario's own path first.
    let mine = |lane: &str| {
        witnesses
            .iter()
            .find(|witness| witness.lane == lane && Some(&witness.scenario_id) == event.scenario_id.as_ref())
    };
    let witness = mine("scenario").filter(|witness| witness.observed_path.is_some()).or_else(|| mine("baseline"));
    MismatchPacket {
        schema_version: tag::MISMATCH_PACKET.to_owned(),
        expectation_id: event.expectation_id.clone(),
        run_context: RunContext {
            run_id: documents.run_id(),
            channel: documents.channel(),
            world_id: documents.world_id(),
            repo_root_context: ".".to_owned(),
            run_manifest: "run_manifest.json".to_owned(),
        },
        decision_event: DecisionEvent {
            scenario_id: text(&event.scenario_id),
            profile_id: text(&event.profile_id),
            probe_name: event.probe_name.clone(),
            operation: text(&event.operation),
            target: event.target.clone(),
            requested_path: event.requested_path.clone(),
            observed_path: event.observed_path.clone(),
            normalized_path: event.normalized_path.clone(),
            runtime_status: text(&event.runtime_status),
            failure_stage: event.failure_stage.clone(),
            failure_kind: event.failure_kind.clone(),
            decision: event.actual,
            errno: event.errno,
            intended_op_witnessed: event.intended_op_witnessed,
            policy_layers: event.policy_layers.clone(),
            source: "runtime_events.normalized.json".to_owned(),
            filter_type: None,
            filter_type_name: None,
        },
        expected: Expected {
            expectation_id: event.expectation_id.clone(),
            expected_decision: event.expected,
            target: event.target.clone(),
        },
        baseline: row.cloned(),
        oracle_check: None,
        canonicalization: witness.map(|witness| json!({ "witness_source": witness.lane, "witness": witness })),
        mismatch_reason: reason(event, row.map(|row| row.status), witness, None),
        extra: Map::new(),
    }
}

/// Why, as far as the lanes say; each lane is asked in turn.
pub(super) fn reason(
    event: &Event,
    baseline: Option<Decision>,
    witness: Option<&PathWitness>,
    oracle: Option<Decision>,
) -> MismatchReason {
    let witnessed = event.intended_op_witnessed != Some(false) && event.actual.is_some();
    let other_path = witness
        .is_some_and(|witness| witness.canonicalization.alias_pair || witness.canonicalization.nofirmlink_differs);
    if !witnessed {
        MismatchReason::OpNotWitnessed
    } else if other_path {
        MismatchReason::CanonicalizationBoundary
    } else if baseline == Some(Decision::Deny) {
        MismatchReason::AmbientPlatformRestriction
    } else if oracle.is_some() && oracle != event.actual {
        MismatchReason::CapturePipelineDisagreement
    } else {
        MismatchReason::ExpectationTooStrong
    }
}

/// Keys sorted at every level, `null` fields left out or kept. Recursion is as deep as our own documents are.
fn sorted(value: Value, drop_nulls: bool) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> =
                map.into_iter().filter(|(_, value)| !drop_nulls || !value.is_null()).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.into_iter().map(|(key, value)| (key, sorted(value, drop_nulls))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| sorted(item, drop_nulls)).collect(),
        other => other,
    }
}
