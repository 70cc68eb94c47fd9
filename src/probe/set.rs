//! A plan with everything it names.

use serde_json::{Map, Value, json};

use super::artifact::Selection;
use super::error::ProbeError;
use super::matrix::Matrix;
use super::plan::{Plan, from_value, parse_json};
use super::registry::{ProbeRegistry, ProfileRegistry};
use super::{golden, tag};

/// Where the files of a plan come from.
pub trait Files: Sync {
    /// The bytes of `path`, as the plan names it: relative to the plan.
    ///
    /// # Errors
    /// [`ReadFailure`]
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure>;
}

/// Why a file is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFailure {
    /// There is no such file, as opposed to one that cannot be read.
    pub missing: bool,
    /// The system's words.
    pub reason: String,
}

/// A plan, its registries and what it expects.
#[derive(Debug, Clone)]
pub struct PlanSet {
    /// The plan.
    pub plan: Plan,
    /// Its profiles.
    pub profiles: ProfileRegistry,
    /// Its probes.
    pub probes: ProbeRegistry,
    /// What the registries expect.
    pub generated: Matrix,
    /// What is expected: `expected_matrix.json` beside the plan, completed by the generated one.
    pub expected: Matrix,
    /// The part of the plan that both matrices hold; `None` for all of it.
    pub only: Option<Selection>,
}

const PROBES_FILE: &str = "registry/probes.json";
const PROFILES_FILE: &str = "registry/profiles.json";
const MATRIX_FILE: &str = "expected_matrix.json";

impl PlanSet {
    /// Reads a plan, or a template that holds plan and registries in one, and what it names. Registries are
    /// `registry/probes.json` and `registry/profiles.json` beside it; the registry `golden` is built in.
    ///
    /// # Errors
    /// A document that is missing or does not have its shape.
    pub fn load(text: &[u8], files: &dyn Files) -> Result<Self, ProbeError> {
        let value = parse_json("plan", text)?;
        let is_template = value
            .get("schema_version")
            .and_then(Value::as_str)
            .is_some_and(|found| tag::same_kind(found, tag::PLAN_TEMPLATE));
        let (plan, profiles, probes) = if is_template { from_template(value)? } else { from_plan(value, files)? };
        let generated = Matrix::generate(&plan, &profiles, &probes);
        let expected = match files.read(MATRIX_FILE) {
            Ok(text) if !is_template => {
                let given: Matrix = from_value(MATRIX_FILE, parse_json(MATRIX_FILE, &text)?)?;
                given.completed_by(&generated)
            }
            _ => generated.clone(),
        };
        Ok(Self { plan, profiles, probes, generated, expected, only: None })
    }

    /// A plan that is a matrix only: its rows are its profiles, as they are, without rules of their own.
    ///
    /// # Errors
    /// It does not have its shape.
    pub fn from_matrix(text: &[u8]) -> Result<Self, ProbeError> {
        let matrix: Matrix = from_value(MATRIX_FILE, parse_json(MATRIX_FILE, text)?)?;
        let plan_id = matrix.extra.get("plan_id").and_then(Value::as_str).unwrap_or("matrix");
        let plan = Plan::from_value(json!({
            "schema_version": tag::PLAN,
            "plan_id": plan_id,
            "registry_id": "matrix",
            "world_id": matrix.world_id,
            "profiles": matrix.profiles.keys().collect::<Vec<_>>(),
        }))?;
        let (profiles, probes) = matrix.registries();
        Ok(Self { plan, profiles, probes, generated: matrix.clone(), expected: matrix, only: None })
    }

    /// The part of this plan that `only` names.
    ///
    /// # Errors
    /// [`ProbeError::Lint`]: there is no such profile, or no such scenario in the named profiles.
    pub fn only(mut self, only: Selection) -> Result<Self, ProbeError> {
        let registry = &self.plan.registry_id;
        let known = &self.expected.profiles;
        let mut unknown: Vec<String> = only
            .profiles
            .iter()
            .filter(|id| !known.contains_key(*id))
            .map(|id| format!("unknown profile: {registry}:{id}"))
            .collect();
        for matrix in [&mut self.generated, &mut self.expected] {
            matrix.profiles.retain(|id, _| only.profiles.is_empty() || only.profiles.contains(id));
        }
        let has = |scenario: &String| {
            let mut profiles = self.expected.profiles.iter();
            profiles.any(|(id, profile)| profile.probes.iter().any(|probe| probe.id(id) == *scenario))
        };
        let missing = only.scenarios.iter().filter(|scenario| !has(scenario));
        unknown.extend(missing.map(|scenario| format!("unknown scenario: {registry}:{scenario}")));
        if !unknown.is_empty() {
            return Err(ProbeError::Lint(unknown));
        }
        if !only.scenarios.is_empty() {
            for matrix in [&mut self.generated, &mut self.expected] {
                for (id, profile) in &mut matrix.profiles {
                    profile.probes.retain(|probe| only.scenarios.contains(&probe.id(id)));
                }
                matrix.profiles.retain(|_, profile| !profile.probes.is_empty());
            }
        }
        if !only.profiles.is_empty() || !only.scenarios.is_empty() {
            self.only = Some(only);
        }
        Ok(self)
    }
}

type Parts = (Plan, ProfileRegistry, ProbeRegistry);

fn from_plan(value: Value, files: &dyn Files) -> Result<Parts, ProbeError> {
    let plan = Plan::from_value(value)?;
    let read = |path: &str| match files.read(path) {
        Ok(text) => Ok(text),
        Err(failure) if failure.missing && plan.registry_id == golden::REGISTRY_ID => {
            golden::Embedded.read(path).map_err(|failure| unreadable(path, failure))
        }
        Err(failure) => Err(unreadable(path, failure)),
    };
    if plan.registry_id.is_empty() {
        // Reported by lint; nothing can be looked up.
        return Ok((plan, empty_profiles(), empty_probes()));
    }
    let profiles = from_value(PROFILES_FILE, parse_json(PROFILES_FILE, &read(PROFILES_FILE)?)?)?;
    let probes = from_value(PROBES_FILE, parse_json(PROBES_FILE, &read(PROBES_FILE)?)?)?;
    Ok((plan, profiles, probes))
}

fn unreadable(path: &str, failure: ReadFailure) -> ProbeError {
    ProbeError::Unreadable { path: path.to_owned(), reason: failure.reason }
}

/// The three documents that a template holds; each inherits the template's ids.
pub(super) fn split_template(template: &Value) -> [Value; 3] {
    let get = |key: &str| template.get(key).cloned().unwrap_or(Value::Null);
    let document = |schema: &str, key: &str| match get(key) {
        // A registry may be given whole or as its table only.
        Value::Object(map) if map.contains_key(key) => Value::Object(with_ids(map, schema, template)),
        table => {
            let map = Map::from_iter([(key.to_owned(), if table.is_null() { json!({}) } else { table })]);
            Value::Object(with_ids(map, schema, template))
        }
    };
    let plan = match get("plan") {
        Value::Object(map) => Value::Object(with_ids(map, tag::PLAN, template)),
        other => other,
    };
    [plan, document(tag::PROFILE_REGISTRY, "profiles"), document(tag::PROBE_REGISTRY, "probes")]
}

fn with_ids(map: Map<String, Value>, schema: &str, template: &Value) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("schema_version".to_owned(), json!(schema));
    for key in ["registry_id", "world_id"] {
        if let Some(value) = template.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    if schema == tag::PLAN && !map.contains_key("plan_id") {
        out.insert("plan_id".to_owned(), template.get("template_id").cloned().unwrap_or(Value::Null));
    }
    out.extend(map);
    out
}

fn from_template(template: Value) -> Result<Parts, ProbeError> {
    let [plan, profiles, probes] = split_template(&template);
    Ok((Plan::from_value(plan)?, from_value("template: profiles", profiles)?, from_value("template: probes", probes)?))
}

fn empty_profiles() -> ProfileRegistry {
    ProfileRegistry {
        schema_version: tag::PROFILE_REGISTRY.to_owned(),
        registry_id: String::new(),
        world_id: None,
        profiles: Default::default(),
        extra: Map::new(),
    }
}

fn empty_probes() -> ProbeRegistry {
    ProbeRegistry {
        schema_version: tag::PROBE_REGISTRY.to_owned(),
        registry_id: String::new(),
        world_id: None,
        probes: Default::default(),
        extra: Map::new(),
    }
}
