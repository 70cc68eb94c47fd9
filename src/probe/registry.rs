//! `probes.json` and `profiles.json` (`spec/probe-runner.md` sections 1.3 and 1.4).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sandbox::Stage;

/// The answer that a probe should get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Permitted.
    Allow,
    /// Refused.
    Deny,
}

impl Decision {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What a profile is given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As text.
    Sbpl,
    /// Compiled.
    Blob,
}

/// Which lanes a probe can be run in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportsLanes {
    /// Without a profile.
    pub baseline: bool,
    /// Under the profile.
    pub scenario: bool,
    /// Asked of `sandbox_check`.
    pub oracle: bool,
}

/// What a probe may carry beside its operation and target; every field is handed on into the expected matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeDetails {
    /// How the probe is given its profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Program that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Call that a metadata probe makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syscall: Option<String>,
    /// What such a call sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attr_payload: Option<String>,
    /// The anchor it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_ctx_id: Option<String>,
    /// Filter that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_name: Option<String>,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_type: Option<i64>,
    /// Whether the resource is acquired before or after the profile is in force. An addition of ours; *after* when it is not
    /// said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acquire: Option<Acquire>,
}

/// When a probe acquires what it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acquire {
    /// Before the profile is in force.
    Before,
    /// Under the profile.
    After,
}

/// One probe of a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Its id in the registry.
    pub probe_id: String,
    /// Its name within a profile.
    pub name: String,
    /// The operation.
    pub operation: String,
    /// What it is tried on.
    pub target: String,
    /// What should come of it.
    pub expected: Decision,
    /// Joins expectation and result; falls back to `probe_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation_id: Option<String>,
    /// Lanes.
    pub supports_lanes: SupportsLanes,
    /// Operations that it should reach.
    pub expected_primary_ops: Vec<String>,
    /// Filters that it should reach.
    pub expected_predicates: Vec<String>,
    /// What a host must have.
    pub capabilities_required: Vec<String>,
    /// `baseline`, `allow_default`, `deny_default`.
    pub controls_supported: Vec<String>,
    /// The rest.
    #[serde(flatten)]
    pub details: ProbeDetails,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `probes.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeRegistry {
    /// [`super::tag::PROBE_REGISTRY`].
    pub schema_version: String,
    /// Its name.
    pub registry_id: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world_id: Option<String>,
    /// By id.
    pub probes: IndexMap<String, Probe>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One profile of a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileEntry {
    /// Its id.
    pub profile_id: String,
    /// The file, relative to the plan.
    pub profile_path: String,
    /// As text or compiled.
    pub mode: Mode,
    /// A word for what it belongs to.
    pub family: Option<String>,
    /// Profiles that should mean the same.
    pub semantic_group: Option<String>,
    /// Ids of probes.
    pub probe_refs: Vec<String>,
    /// Rules that are appended for this profile only, one a line.
    pub key_specific_rules: Vec<String>,
    /// Remarks.
    pub notes: Option<String>,
    /// Stage at which the profile is expected to be blocked. An addition of ours: a control that must *not* run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_block: Option<Stage>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `profiles.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileRegistry {
    /// [`super::tag::PROFILE_REGISTRY`].
    pub schema_version: String,
    /// Its name.
    pub registry_id: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world_id: Option<String>,
    /// By id.
    pub profiles: IndexMap<String, ProfileEntry>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
