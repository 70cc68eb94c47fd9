//! The documents of a bundle (`spec/probe-runner.md` sections 1.6 to 1.15), as values; one module a document or family.
//!
//! Fields that are `null` in a document are `None` here and written as `null`, unless the document leaves them out.
//!
//! **Invariants:** keys that we do not know are kept in `extra`. An error number and an exit code never share a field. What a
//! lane says stands in that lane's document; joins name both sides.

mod apply;
mod decodes;
mod event;
mod index;
mod lanes;
mod mapping;
mod mismatch;
mod paths;
mod promotion;
mod results;
mod run;

pub use apply::{ApplyPreflight, ObserverResult, ObserverResults};
pub use decodes::{
    BlobContents, Bucket, ChangedOperations, ChangedRule, Decode, DecodeResult, GoldenDecodes, Literal, Literals,
    Nodes, ProfileDiff, RuntimeDiffs,
};
pub use event::{Event, FileConfounder, PlatformPolicy, PolicyLayers, PrimaryIntent, ProcessPolicy};
pub use index::{ArtifactEntry, ArtifactIndex, Faults, RepairLog};
pub use lanes::{BaselineResult, BaselineResults, LaneResults, OracleResult, OracleResults};
pub use mapping::{
    Coverage, EventsIndex, MappedOperation, MappedScenario, OperationsMap, RuntimeIndexes, RuntimeManifest,
    ScenariosMap,
};
pub use mismatch::{DecisionEvent, Expected, Mismatch, MismatchPacket, MismatchReason, MismatchSummary, RunContext};
pub use paths::{Canonicalization, Fixtures, PathObservation, PathWitness, PathWitnesses};
pub use promotion::{GatingInputs, Promotability, PromotionPacket};
pub use results::{
    ApplyReport, DecidedBy, ProbeResult, ProfileResult, ProfileStatus, RuntimeResult, RuntimeResults, StageReport,
    StageStatus,
};
pub use run::{Host, RunManifest, RunState, RunStatus, Selection, Summary};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The keys that most documents of a run start with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The document's tag.
    pub schema_version: String,
    /// What it is about.
    pub world_id: String,
    /// UUID v4.
    pub run_id: String,
}

/// The keys that the documents about a run itself start with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHead {
    /// The document's tag.
    pub schema_version: String,
    /// UUID v4.
    pub run_id: String,
    /// What it is about.
    pub world_id: String,
    /// `simulated`, `direct`, `launchd_clean`.
    pub channel: String,
    /// Which plan.
    pub plan_id: String,
    /// Its digest.
    pub plan_digest: String,
}

/// Keys sorted at every level, `null` fields left out or kept. Recursion is as deep as our own documents are.
pub(super) fn sorted(value: Value, drop_nulls: bool) -> Value {
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
