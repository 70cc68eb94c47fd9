//! `expected_matrix.json` (`spec/probe-runner.md` section 1.5).

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::plan::Plan;
use super::registry::{
    Decision, Mode, Probe, ProbeDetails, ProbeRegistry, ProfileEntry, ProfileRegistry, SupportsLanes,
};
use super::tag;
use crate::sandbox::Stage;

/// Profile times probe: the expected answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// What it is about.
    pub world_id: String,
    /// By profile id.
    pub profiles: IndexMap<String, MatrixProfile>,
    /// Keys that we do not know (`plan_id` among them).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One profile of a matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixProfile {
    /// The input file, text or compiled.
    pub blob: String,
    /// How it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// A word for what it belongs to.
    #[serde(default)]
    pub family: Option<String>,
    /// Profiles that should mean the same.
    #[serde(default)]
    pub semantic_group: Option<String>,
    /// Stage at which it is expected to be blocked (ours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_block: Option<Stage>,
    /// Probes in order.
    pub probes: Vec<MatrixProbe>,
    /// Keys that we do not know (`preflight` among them).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixProbe {
    /// Name within the profile.
    pub name: String,
    /// The operation.
    pub operation: String,
    /// What it is tried on.
    pub target: String,
    /// The answer.
    pub expected: Decision,
    /// Joins expectation and result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation_id: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub details: ProbeDetails,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl MatrixProbe {
    /// The id that joins expectation and result: its own, else `PROFILE:NAME`.
    pub fn id(&self, profile_id: &str) -> String {
        self.expectation_id.clone().unwrap_or_else(|| {
            let name = if self.name.is_empty() { &self.operation } else { &self.name };
            format!("{profile_id}:{name}")
        })
    }
}

impl Matrix {
    /// This matrix for exactly the profiles of `generated`: what it does not say is taken from there, so that no profile and no
    /// probe of a plan is left out because a file is older than the registry. Rows of other profiles are dropped.
    #[must_use]
    pub fn completed_by(mut self, generated: &Self) -> Self {
        let rows = generated.profiles.iter().map(|(id, ours)| {
            let Some(mut given) = self.profiles.shift_remove(id) else { return (id.clone(), ours.clone()) };
            let known: BTreeSet<String> = given.probes.iter().map(|row| row.id(id)).collect();
            let missing: Vec<_> = ours.probes.iter().filter(|probe| !known.contains(&probe.id(id))).cloned().collect();
            given.probes.extend(missing);
            (id.clone(), given)
        });
        let profiles = rows.collect();
        Self { profiles, ..self }
    }

    /// What the registries say about the profiles of `plan`. Profiles and probes that are not registered are left out:
    /// [`super::lint`] reports them.
    pub fn generate(plan: &Plan, profiles: &ProfileRegistry, probes: &ProbeRegistry) -> Self {
        let rows = plan.profiles.iter().filter_map(|id| {
            let entry = profiles.profiles.get(id)?;
            let probes = entry.probe_refs.iter().filter_map(|id| probes.probes.get(id)).map(|probe| MatrixProbe {
                name: probe.name.clone(),
                operation: probe.operation.clone(),
                target: probe.target.clone(),
                expected: probe.expected,
                expectation_id: Some(probe.expectation_id.clone().unwrap_or_else(|| probe.probe_id.clone())),
                details: probe.details.clone(),
                extra: Map::new(),
            });
            let profile = MatrixProfile {
                blob: entry.profile_path.clone(),
                mode: Some(entry.mode),
                family: entry.family.clone(),
                semantic_group: entry.semantic_group.clone(),
                expected_block: entry.expected_block,
                probes: probes.collect(),
                extra: Map::new(),
            };
            Some((id.clone(), profile))
        });
        Self { world_id: plan.world_id().to_owned(), profiles: rows.collect(), extra: Map::new() }
    }

    /// Registries that would generate this matrix: what a plan that is only a matrix is checked against.
    pub(super) fn registries(&self) -> (ProfileRegistry, ProbeRegistry) {
        let (mut profiles, mut probes) = (IndexMap::new(), IndexMap::new());
        for (profile_id, profile) in &self.profiles {
            let mut refs = Vec::new();
            for row in &profile.probes {
                let probe_id = row.id(profile_id);
                let probe = Probe {
                    probe_id: probe_id.clone(),
                    name: row.name.clone(),
                    operation: row.operation.clone(),
                    target: row.target.clone(),
                    expected: row.expected,
                    expectation_id: row.expectation_id.clone(),
                    supports_lanes: SupportsLanes { baseline: true, scenario: true, oracle: true },
                    expected_primary_ops: Vec::new(),
                    expected_predicates: Vec::new(),
                    capabilities_required: Vec::new(),
                    controls_supported: Vec::new(),
                    details: row.details.clone(),
                    extra: row.extra.clone(),
                };
                probes.insert(probe_id.clone(), probe);
                refs.push(probe_id);
            }
            let is_blob = profile.blob.ends_with(".bin");
            let entry = ProfileEntry {
                profile_id: profile_id.clone(),
                profile_path: profile.blob.clone(),
                mode: profile.mode.unwrap_or(if is_blob { Mode::Blob } else { Mode::Sbpl }),
                family: profile.family.clone(),
                semantic_group: profile.semantic_group.clone(),
                probe_refs: refs,
                key_specific_rules: Vec::new(),
                notes: None,
                expected_block: profile.expected_block,
                extra: Map::new(),
            };
            profiles.insert(profile_id.clone(), entry);
        }
        let (registry_id, world_id) = ("matrix".to_owned(), Some(self.world_id.clone()));
        (
            ProfileRegistry {
                schema_version: tag::PROFILE_REGISTRY.to_owned(),
                registry_id: registry_id.clone(),
                world_id: world_id.clone(),
                profiles,
                extra: Map::new(),
            },
            ProbeRegistry {
                schema_version: tag::PROBE_REGISTRY.to_owned(),
                registry_id,
                world_id,
                probes,
                extra: Map::new(),
            },
        )
    }
}
