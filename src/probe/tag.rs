//! `schema_version` tags (`spec/probe-runner.md` section 1.1).

/// `plan.json`
pub const PLAN: &str = "runtime-tools.plan.v0.1";
/// A plan and its registries in one file.
pub const PLAN_TEMPLATE: &str = "runtime-tools.plan_template.v0.1";
/// `probes.json`
pub const PROBE_REGISTRY: &str = "runtime-tools.probe_registry.v0.2";
/// `profiles.json`
pub const PROFILE_REGISTRY: &str = "runtime-tools.profile_registry.v0.2";
/// `run_status.json`
pub const RUN_STATUS: &str = "runtime-tools.run_status.v0.1";
/// `run_manifest.json`
pub const RUN_MANIFEST: &str = "runtime-tools.run_manifest.v0.1";
/// `apply_preflight.json`
pub const APPLY_PREFLIGHT: &str = "runtime-tools.apply_preflight.v0.1";
/// Each entry of `runtime_results.json`
pub const RUNTIME_RESULTS: &str = "runtime-tools.runtime_results.v0.1";
/// `baseline_results.json`
pub const BASELINE_RESULTS: &str = "runtime-tools.baseline_results.v0.1";
/// `oracle_results.json`
pub const ORACLE_RESULTS: &str = "runtime-tools.oracle_results.v0.1";
/// Each line of `mismatch_packets.jsonl`
pub const MISMATCH_PACKET: &str = "runtime-tools.mismatch_packet.v0.1";
/// `path_witnesses.json`
pub const PATH_WITNESSES: &str = "runtime-tools.path_witnesses.v0.1";
/// Each record of `path_witnesses.json`
pub const PATH_WITNESS: &str = "runtime-tools.path_witness.v0.1";
/// `fixtures.json`
pub const FIXTURES: &str = "runtime-tools.fixtures.v0.1";
/// `summary.json`
pub const SUMMARY: &str = "runtime-tools.summary.v0.1";
/// `artifact_index.json`
pub const ARTIFACT_INDEX: &str = "runtime-tools.artifact_index.v0.1";
/// `repair_log.json`
pub const REPAIR_LOG: &str = "runtime-tools.repair_log.v0.1";
/// The status of an output root.
pub const STATUS: &str = "runtime-tools.status.v0.1";
/// `promotion_packet.json`
pub const PROMOTION_PACKET: &str = "runtime-tools.promotion_packet.v0.2";
/// `golden_decodes.json`, a document of ours.
pub const GOLDEN_DECODES: &str = "sbpl.golden_decodes.v0.1";
/// `observer_results.json`, a document of ours.
pub const OBSERVER_RESULTS: &str = "sbpl.observer_results.v0.1";
/// `runtime_diffs.json`, a document of ours.
pub const RUNTIME_DIFFS: &str = "sbpl.runtime_diffs.v0.1";

/// `runtime_mappings/events_index.json`
pub const EVENTS_INDEX: &str = "sbpl.events_index.v0.1";
/// `runtime_mappings/scenarios.json`
pub const SCENARIOS: &str = "sbpl.scenarios.v0.1";
/// `runtime_mappings/ops.json`
pub const OPERATIONS: &str = "sbpl.ops.v0.1";
/// `runtime_mappings/runtime_indexes.json`
pub const RUNTIME_INDEXES: &str = "sbpl.runtime_indexes.v0.1";
/// `runtime_mappings/runtime_manifest.json`
pub const RUNTIME_MANIFEST: &str = "sbpl.runtime_manifest.v0.1";

/// True when `found` names the same kind of document as `tag`, whatever experiment and version it names: older runs wrote
/// `hardened-runtime.runtime_results.v0.2` and `hardened-runtime-mismatch-packet.v0.1`.
pub fn same_kind(found: &str, tag: &str) -> bool {
    fn kind(tag: &str) -> String {
        let bare = tag.rsplit_once(".v").map_or(tag, |(kind, _)| kind);
        bare.rsplit('.').next().unwrap_or(bare).replace('-', "_")
    }
    let (found, wanted) = (kind(found), kind(tag));
    found == wanted || found.strip_suffix(&wanted).is_some_and(|prefix| prefix.ends_with('_'))
}
