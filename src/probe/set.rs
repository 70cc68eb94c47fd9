//! A plan with everything it names.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::artifact::Selection;
use super::error::{Finding, ProbeError};
use super::matrix::Matrix;
use super::plan::{Plan, from_value, parse_json};
use super::registry::{Probe, ProbeRegistry, ProfileEntry, ProfileRegistry};
use super::texts::{Document, Texts};
use super::{golden, tag};
use crate::diag::{Diagnostic, Location, Source, SourceMap};

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
    pub(super) texts: Texts,
}

const PLAN_FILE: &str = "plan.json";
const PROBES_FILE: &str = "registry/probes.json";
const PROFILES_FILE: &str = "registry/profiles.json";
const MATRIX_FILE: &str = "expected_matrix.json";

/// A plan that could not be loaded, with the texts that its error is about.
#[derive(Debug, Clone)]
pub struct LoadFailure {
    /// What is wrong.
    pub error: ProbeError,
    /// Where, if that is known.
    pub location: Option<Location>,
    /// The texts that were read.
    pub sources: SourceMap,
}

impl LoadFailure {
    /// What is wrong, with its place.
    pub fn to_diagnostics(&self) -> Vec<Diagnostic> {
        let mut diagnostics = self.error.to_diagnostics();
        if let (Some(first), Some(location)) = (diagnostics.first_mut(), self.location) {
            first.location.get_or_insert(location);
        }
        diagnostics
    }
}

impl PlanSet {
    /// Reads a plan, or a template that holds plan and registries in one, and what it names. Registries are
    /// `registry/probes.json` and `registry/profiles.json` beside it; the registry `golden` is built in.
    ///
    /// # Errors
    /// A document that is missing or does not have its shape.
    pub fn load(text: &[u8], files: &dyn Files) -> Result<Self, ProbeError> {
        Self::load_source(Source::new(PLAN_FILE, text), files).map_err(|failure| failure.error)
    }

    /// As [`PlanSet::load`], for a text with a name: errors and findings have their places.
    ///
    /// # Errors
    /// As [`PlanSet::load`].
    pub fn load_source(source: Source, files: &dyn Files) -> Result<Self, Box<LoadFailure>> {
        let mut texts = Texts::new(source);
        match read(&mut texts, files) {
            Ok((plan, profiles, probes, given)) => {
                let generated = Matrix::generate(&plan, &profiles, &probes);
                let expected = given.map_or_else(|| generated.clone(), |given| given.completed_by(&generated));
                Ok(Self { plan, profiles, probes, generated, expected, only: None, texts })
            }
            Err(error) => {
                let location = texts.current.and_then(|document| texts.of_error(document, &error));
                Err(Box::new(LoadFailure { error, location, sources: texts.sources }))
            }
        }
    }

    /// The texts that the plan was read from.
    pub fn sources(&self) -> &SourceMap {
        &self.texts.sources
    }

    /// A plan that is a matrix only: its rows are its profiles, as they are, without rules of their own.
    ///
    /// # Errors
    /// It does not have its shape.
    pub fn from_matrix(text: &[u8]) -> Result<Self, ProbeError> {
        let matrix: Matrix = from_value(MATRIX_FILE, parse_json(MATRIX_FILE, text)?)?;
        let texts = Texts::new(Source::new(MATRIX_FILE, text));
        let plan_id = matrix.extra.get("plan_id").and_then(Value::as_str).unwrap_or("matrix");
        let plan = Plan::from_value(json!({
            "schema_version": tag::PLAN,
            "plan_id": plan_id,
            "registry_id": "matrix",
            "world_id": matrix.world_id,
            "profiles": matrix.profiles.keys().collect::<Vec<_>>(),
        }))?;
        let (profiles, probes) = matrix.registries();
        Ok(Self { plan, profiles, probes, generated: matrix.clone(), expected: matrix, only: None, texts })
    }

    /// The part of this plan that `only` names.
    ///
    /// # Errors
    /// [`ProbeError::Lint`]: there is no such profile, or no such scenario in the named profiles.
    pub fn only(mut self, only: Selection) -> Result<Self, ProbeError> {
        let registry = &self.plan.registry_id;
        let known = &self.expected.profiles;
        let mut unknown: Vec<Finding> = only
            .profiles
            .iter()
            .filter(|id| !known.contains_key(*id))
            .map(|id| Finding::new(format!("unknown profile: {registry}:{id}")))
            .collect();
        for matrix in [&mut self.generated, &mut self.expected] {
            matrix.profiles.retain(|id, _| only.profiles.is_empty() || only.profiles.contains(id));
        }
        let has = |scenario: &String| {
            let mut profiles = self.expected.profiles.iter();
            profiles.any(|(id, profile)| profile.probes.iter().any(|probe| probe.id(id) == *scenario))
        };
        let missing = only.scenarios.iter().filter(|scenario| !has(scenario));
        unknown.extend(missing.map(|scenario| Finding::new(format!("unknown scenario: {registry}:{scenario}"))));
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

type Parts = (Plan, ProfileRegistry, ProbeRegistry, Option<Matrix>);

fn read(texts: &mut Texts, files: &dyn Files) -> Result<Parts, ProbeError> {
    let value = parse_json("plan", &texts.text(Document::Plan))?;
    let is_template = value
        .get("schema_version")
        .and_then(Value::as_str)
        .is_some_and(|found| tag::same_kind(found, tag::PLAN_TEMPLATE));
    if is_template {
        return from_template(value, texts);
    }
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
        return Ok((plan, empty_profiles(), empty_probes(), None));
    }
    texts.add(Document::Profiles, PROFILES_FILE, read(PROFILES_FILE)?);
    let value = parse_json(PROFILES_FILE, &texts.text(Document::Profiles))?;
    let profiles = registry::<ProfileEntry, _>(PROFILES_FILE, "profiles", value)?;
    texts.add(Document::Probes, PROBES_FILE, read(PROBES_FILE)?);
    let value = parse_json(PROBES_FILE, &texts.text(Document::Probes))?;
    let probes = registry::<Probe, _>(PROBES_FILE, "probes", value)?;
    let given = match files.read(MATRIX_FILE) {
        Ok(text) => {
            texts.add(Document::Matrix, MATRIX_FILE, text);
            Some(from_value(MATRIX_FILE, parse_json(MATRIX_FILE, &texts.text(Document::Matrix))?)?)
        }
        Err(_) => None,
    };
    Ok((plan, profiles, probes, given))
}

/// A registry of entries `E`; an entry that does not have its shape is named.
fn registry<E, R>(document: &str, table: &str, value: Value) -> Result<R, ProbeError>
where
    E: for<'de> Deserialize<'de>,
    R: for<'de> Deserialize<'de>,
{
    for (id, entry) in value.get(table).and_then(Value::as_object).into_iter().flatten() {
        if let Err(error) = E::deserialize(entry) {
            return Err(ProbeError::Entry { document: document.to_owned(), id: id.clone(), reason: error.to_string() });
        }
    }
    from_value(document, value)
}

fn unreadable(path: &str, failure: ReadFailure) -> ProbeError {
    ProbeError::Unreadable { path: path.to_owned(), reason: failure.reason }
}

/// The three texts that a template holds; each inherits the template's ids.
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

fn from_template(template: Value, texts: &mut Texts) -> Result<Parts, ProbeError> {
    // A registry may be given whole or as its table only.
    let whole = |key: &str| template.get(key).and_then(|registry| registry.get(key)).is_some_and(Value::is_object);
    texts.in_template(whole("profiles"), whole("probes"));
    let [plan, profiles, probes] = split_template(&template);
    texts.current = Some(Document::Plan);
    let plan = Plan::from_value(plan)?;
    texts.current = Some(Document::Profiles);
    let profiles = registry::<ProfileEntry, _>("template", "profiles", profiles)?;
    texts.current = Some(Document::Probes);
    let probes = registry::<Probe, _>("template", "probes", probes)?;
    Ok((plan, profiles, probes, None))
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
