//! `plan.json` (`spec/probe-runner.md` section 1.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::ProbeError;
use super::{python_json, sha256_hex, tag};
use crate::decide::World;
use crate::sandbox::{Wanted, WantedKind};

/// Which lanes a plan asks for; a lane that is not mentioned is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes {
    /// The probes without any profile.
    #[serde(default = "on")]
    pub baseline: bool,
    /// The probes under the profile.
    #[serde(default = "on")]
    pub scenario: bool,
    /// `sandbox_check` beside the probes: annotations, never evidence.
    #[serde(default = "on")]
    pub oracle: bool,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn on() -> bool {
    true
}

impl Default for Lanes {
    fn default() -> Self {
        Self { baseline: true, scenario: true, oracle: true, extra: Map::new() }
    }
}

/// A plan as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`tag::PLAN`].
    pub schema_version: String,
    /// Its name.
    #[serde(default)]
    pub plan_id: String,
    /// Where its profiles and probes are registered.
    #[serde(default)]
    pub registry_id: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world_id: Option<String>,
    /// Ids of profiles, in the order in which they run.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Lanes as written; [`Plan::lanes`] has the defaults in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lanes: Option<Value>,
    /// Controls, e.g. `{"baseline": true}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controls: Option<Value>,
    /// Profile of the apply-only check.
    #[serde(default)]
    pub apply_preflight_profile: Option<String>,
    /// Remarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Folders besides those of the temporary files that probes may write in. An addition of ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixture_roots: Vec<String>,
    /// What is put in place besides what the probes are tried on. An addition of ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<PlanFixture>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One of a plan's own fixtures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFixture {
    /// Where.
    pub path: String,
    /// What.
    pub kind: FixtureKind,
    /// Permissions of a file or folder, in octal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Where a link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The kinds of a plan's fixtures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FixtureKind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
}

impl PlanFixture {
    /// What the backends are told; `None` for what [`super::lint`] complains about.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let kind = match (self.kind, &self.target) {
            (FixtureKind::File, None) => WantedKind::File,
            (FixtureKind::Directory, None) => WantedKind::Directory,
            (FixtureKind::Symlink, Some(target)) if !target.is_empty() && self.mode.is_none() => {
                WantedKind::Symlink(target.clone())
            }
            _ => return None,
        };
        let mode = match &self.mode {
            Some(mode) => Some(u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o777)?),
            None => None,
        };
        // Whoever makes it has to be able to remove it.
        let kept = self.kind != FixtureKind::Directory || mode.is_none_or(|mode| mode & 0o700 == 0o700);
        kept.then(|| Wanted { path: self.path.clone(), kind, mode })
    }
}

impl Plan {
    /// Its fixtures, for [`crate::sandbox::Setup::fixtures`].
    pub fn wanted(&self) -> Vec<Wanted> {
        self.fixtures.iter().filter_map(PlanFixture::wanted).collect()
    }

    /// `world` with the links of the plan's fixtures.
    pub fn world_with_fixtures(&self, mut world: World) -> World {
        for wanted in self.wanted() {
            if let WantedKind::Symlink(target) = &wanted.kind {
                // A path that no world can have is one that lint refuses.
                world.add_symlink(wanted.path.as_bytes(), target.as_bytes()).ok();
            }
        }
        world
    }

    /// Reads a plan. What a plan may lack and still be read is found by [`super::lint`].
    ///
    /// # Errors
    /// Not JSON, another tag, a forbidden key, a key of the wrong type.
    pub fn parse(text: &[u8]) -> Result<Self, ProbeError> {
        Self::from_value(parse_json("plan", text)?)
    }

    /// As [`Plan::parse`], for a value that was read already.
    ///
    /// # Errors
    /// As [`Plan::parse`].
    pub fn from_value(value: Value) -> Result<Self, ProbeError> {
        let found = match value.get("schema_version") {
            Some(Value::String(found)) => found.clone(),
            Some(other) => other.to_string(),
            None => "None".to_owned(),
        };
        if !value.is_object() {
            return Err(ProbeError::Shape { document: "plan".to_owned(), reason: "expected an object".to_owned() });
        }
        if found != tag::PLAN {
            return Err(ProbeError::PlanSchema { found });
        }
        if value.get("schema_versions").is_some() {
            return Err(ProbeError::ForbiddenKey { key: "schema_versions" });
        }
        let plan: Self = from_value("plan", value)?;
        // Lanes of the wrong shape are an error of the plan, not of whoever asks for them.
        plan.read_lanes()?;
        if plan.plan_id.is_empty() {
            return Err(ProbeError::Shape { document: "plan".to_owned(), reason: "missing plan_id".to_owned() });
        }
        Ok(plan)
    }

    fn read_lanes(&self) -> Result<Lanes, ProbeError> {
        match &self.lanes {
            None | Some(Value::Null) => Ok(Lanes::default()),
            Some(lanes) => from_value("plan: lanes", lanes.clone()),
        }
    }

    /// The lanes, defaults filled in.
    pub fn lanes(&self) -> Lanes {
        // Checked when the plan was read.
        self.read_lanes().unwrap_or_default()
    }

    /// The world it is about.
    pub fn world_id(&self) -> &str {
        self.world_id.as_deref().unwrap_or(super::WORLD_ID)
    }

    /// What identifies the plan: SHA-256 of the fields that change a run.
    pub fn digest(&self) -> String {
        let object = |value: &Option<Value>| match value {
            None | Some(Value::Null) => json!({}),
            Some(value) => value.clone(),
        };
        let fields = json!({
            "plan_id": self.plan_id,
            "registry_id": Some(&self.registry_id).filter(|id| !id.is_empty()),
            "profiles": self.profiles,
            "lanes": object(&self.lanes),
            "controls": object(&self.controls),
            "schema_versions": {},
            "apply_preflight_profile": self.apply_preflight_profile,
        });
        sha256_hex(python_json::dumps(&fields).as_bytes())
    }
}

pub(super) fn parse_json(document: &str, text: &[u8]) -> Result<Value, ProbeError> {
    serde_json::from_slice(text).map_err(|error| shape(document, &error))
}

pub(super) fn from_value<T: for<'de> Deserialize<'de>>(document: &str, value: Value) -> Result<T, ProbeError> {
    serde_json::from_value(value).map_err(|error| shape(document, &error))
}

fn shape(document: &str, error: &serde_json::Error) -> ProbeError {
    ProbeError::Shape { document: document.to_owned(), reason: error.to_string() }
}
