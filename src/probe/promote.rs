//! Whether the decisions of a bundle may be used as evidence, and the packet that points at them
//! (`spec/probe-runner.md` section 1.15).

use std::path::Path;

use serde_json::{Map, Value, json};

use super::artifact::{GatingInputs, Promotability, PromotionPacket, RunManifest, RunState};
use super::bundle::{self, read_json};
use super::error::ProbeError;
use super::tag;

/// Files that the packet points at, by role.
const POINTERS: &[(&str, &str)] = &[
    ("run_manifest", "run_manifest.json"),
    ("expected_matrix", "expected_matrix.json"),
    ("runtime_results", "runtime_results.json"),
    ("runtime_events", "runtime_events.normalized.json"),
    ("baseline_results", "baseline_results.json"),
    ("oracle_results", "oracle_results.json"),
    ("mismatch_packets", "mismatch_packets.jsonl"),
    ("summary", "summary.json"),
    ("path_witnesses", "path_witnesses.json"),
    ("fixtures", "fixtures.json"),
    ("impact_map", "impact_map.json"),
];

/// The only channel whose decisions are evidence about macOS.
const CLEAN_CHANNEL: &str = "launchd_clean";

/// The packet of one bundle. Reasons are listed in a fixed order; none means promotable.
///
/// # Errors
/// The folder cannot be read.
pub fn promotion_packet(folder: &Path) -> Result<PromotionPacket, ProbeError> {
    let check = bundle::check(folder)?;
    let manifest: Option<RunManifest> = read_json(&folder.join("run_manifest.json")).ok();
    let record = manifest.as_ref().and_then(|manifest| manifest.apply_preflight.as_ref()?.get("record").cloned());
    let apply_ok = record.as_ref().and_then(|record| record.get("apply_ok")?.as_bool());
    let check_self = record.as_ref().and_then(|record| record.get("sandbox_check_self").cloned());
    let sandboxed = check_self.as_ref().and_then(|check| check.get("sandboxed")?.as_bool());
    let channel = manifest.as_ref().map(|manifest| manifest.head.channel.clone());
    // Bundles of the older tools have no proof; one of ours without it was not made in that channel.
    let unproven = manifest.as_ref().is_some_and(|ours| ours.tool_version.is_some() && ours.clean_proof.is_none());
    let has = |name: &str| folder.join(name).is_file();
    let outcome = check.index.as_ref().map(|index| index.status.as_str());
    let unverified = !check.missing.is_empty() || !check.digest_mismatches.is_empty() || !check.unlisted.is_empty();
    let reasons = [
        (manifest.is_none(), "manifest_missing"),
        (check.state.is_none(), "run_status_missing"),
        (check.state == Some(RunState::InProgress), "bundle_in_progress"),
        (channel.as_deref() != Some(CLEAN_CHANNEL) || unproven, "not_clean_channel"),
        (record.is_none(), "apply_preflight_missing"),
        (sandboxed == Some(true), "already_sandboxed"),
        (apply_ok == Some(false), "apply_failed"),
        (unverified, "bundle_integrity_unverified"),
        (check.state == Some(RunState::Failed) || outcome == Some("failed"), "bundle_failed"),
        (check.index.is_none(), "bundle_incomplete"),
        (!has("runtime_results.json") || !has("runtime_events.normalized.json"), "decision_stage_artifacts_missing"),
    ];
    let reasons: Vec<String> =
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason.to_owned()).collect();
    let pointers: Map<String, Value> = POINTERS
        .iter()
        .filter(|(_, name)| has(name))
        .map(|(role, name)| ((*role).to_owned(), json!(folder.join(name).display().to_string())))
        .collect();
    Ok(PromotionPacket {
        schema_version: tag::PROMOTION_PACKET.to_owned(),
        pointers,
        promotability: Promotability {
            promotable_decision_stage: reasons.is_empty(),
            reasons,
            gating_inputs: GatingInputs {
                channel,
                apply_preflight_present: record.is_some(),
                apply_ok,
                sandbox_check_self: check_self,
            },
        },
    })
}
