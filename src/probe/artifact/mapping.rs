//! The documents of `runtime_mappings/` (`spec/probe-runner.md` section 1.16). Their fields beside `traces` are ours: those of
//! the notes were not read.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Head;
use crate::probe::registry::Decision;

/// `events_index.json`: where the trace of a scenario is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventsIndex {
    /// [`crate::probe::tag::EVENTS_INDEX`]
    #[serde(flatten)]
    pub head: Head,
    /// What the traces are cut from.
    pub source: String,
    /// Files by scenario id.
    pub traces: IndexMap<String, Vec<String>>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How well a scenario is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// It did as expected.
    CoveredOk,
    /// It did not, and another lane explains why.
    CoveredMismatchAllowed,
    /// It did not, and nothing explains it.
    CoveredMismatchDisallowed,
    /// Nothing was decided.
    Uncovered,
}

/// `scenarios.json`: what each scenario came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenariosMap {
    /// [`crate::probe::tag::SCENARIOS`]
    #[serde(flatten)]
    pub head: Head,
    /// By scenario id.
    pub scenarios: IndexMap<String, MappedScenario>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedScenario {
    /// Which profile.
    pub profile_id: String,
    /// Which probe.
    pub probe_name: Option<String>,
    /// The operation.
    pub operation: String,
    /// On what.
    pub target: Option<String>,
    /// What should come of it.
    pub expected: Option<Decision>,
    /// What came of it.
    pub actual: Option<Decision>,
    /// Whether they agree.
    #[serde(rename = "match")]
    pub matches: Option<bool>,
    /// Its class.
    pub coverage: Coverage,
}

/// `ops.json`: which operations were tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationsMap {
    /// [`crate::probe::tag::OPERATIONS`]
    #[serde(flatten)]
    pub head: Head,
    /// By operation.
    pub ops: IndexMap<String, MappedOperation>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedOperation {
    /// Scenario ids.
    pub scenarios: Vec<String>,
    /// How many of each class.
    pub coverage: IndexMap<Coverage, u64>,
}

/// `runtime_indexes.json`: scenario ids by what people look for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuntimeIndexes {
    /// [`crate::probe::tag::RUNTIME_INDEXES`]
    #[serde(flatten)]
    pub head: Head,
    /// By profile id.
    pub by_profile: IndexMap<String, Vec<String>>,
    /// By operation.
    pub by_operation: IndexMap<String, Vec<String>>,
    /// By `success`, `errno`, `blocked`.
    pub by_status: IndexMap<String, Vec<String>>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `runtime_manifest.json`: what the folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeManifest {
    /// [`crate::probe::tag::RUNTIME_MANIFEST`]
    #[serde(flatten)]
    pub head: Head,
    /// Which plan.
    pub plan_id: String,
    /// `simulated`, `direct`, `launchd_clean`.
    pub channel: String,
    /// The manifest of the run.
    pub run_manifest: String,
    /// Events.
    pub event_count: u64,
    /// Scenarios, each with a trace.
    pub scenario_count: u64,
    /// The tables, from the bundle's folder.
    pub documents: Vec<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
