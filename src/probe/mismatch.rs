//! Which results are not as expected, and what kind of mismatch that is (`spec/probe-runner.md` section 1.10).

use super::artifact::{Mismatch, MismatchSummary, ProbeResult, RuntimeResults};
use super::registry::Decision;

/// Fixture folder whose paths test the edges of canonicalization, in both spellings.
const EDGES: [&str; 2] = ["/tmp/runtime-adv/edges", "/private/tmp/runtime-adv/edges"];

/// Every probe that is not as expected.
pub(super) fn summarize(world_id: &str, results: &RuntimeResults) -> MismatchSummary {
    let mut summary = MismatchSummary {
        world_id: world_id.to_owned(),
        generated_by: format!("sbpl {}", env!("CARGO_PKG_VERSION")),
        mismatches: Vec::new(),
        counts: Default::default(),
        error: None,
        extra: Default::default(),
    };
    for (profile_id, profile) in results {
        for probe in profile.probes.iter().filter(|probe| probe.matches != Some(true)) {
            let mismatch_type = kind(probe, profile.expected_block.is_some());
            *summary.counts.entry(mismatch_type.to_owned()).or_insert(0) += 1;
            summary.mismatches.push(Mismatch {
                world_id: world_id.to_owned(),
                profile_id: profile_id.clone(),
                expectation_id: probe.expectation_id.clone(),
                operation: probe.operation.clone(),
                path: probe.path.clone(),
                expected: probe.expected,
                actual: probe.actual,
                mismatch_type: mismatch_type.to_owned(),
                violation_summary: probe.violation_summary.clone(),
                notes: probe.notes.clone(),
            });
        }
    }
    summary
}

fn kind(probe: &ProbeResult, should_be_blocked: bool) -> &'static str {
    let result = &probe.runtime_result;
    let stage = result.failure_stage.as_deref();
    if result.intended_op_witnessed == Some(false) {
        return "op_not_witnessed";
    }
    match (stage, result.failure_kind.as_deref()) {
        (Some("preflight"), _) => return "preflight_blocked",
        (Some("compile"), _) => return "compile_failed",
        (Some("apply"), _) => return "apply_gate",
        (Some("bootstrap"), Some("bootstrap_deny_process_exec")) => return "bootstrap_deny_process_exec",
        (Some("bootstrap"), _) => return "bootstrap_failed",
        _ if should_be_blocked => return "expected_block_missing",
        _ => {}
    }
    match (probe.expected, probe.actual) {
        (Some(Decision::Allow), Some(Decision::Deny)) if at_boundary(probe) => "canonicalization_boundary",
        (Some(Decision::Allow), Some(Decision::Deny)) => "unexpected_deny",
        (Some(Decision::Deny), Some(Decision::Allow)) if at_boundary(probe) => "canonicalization_boundary",
        (Some(Decision::Deny), Some(Decision::Allow)) => "unexpected_allow",
        _ => "filter_diff",
    }
}

fn at_boundary(probe: &ProbeResult) -> bool {
    let path = probe.path.as_deref().unwrap_or_default();
    matches!(probe.operation.as_str(), "file-read*" | "file-write*")
        && (path.contains("..") || EDGES.iter().any(|edges| path.starts_with(edges)))
}
