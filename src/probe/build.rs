//! From a template to the files of a plan (`spec/probe-runner.md` section 1.4).

use serde::Serialize;
use serde_json::Value;

use super::error::ProbeError;
use super::plan::parse_json;
use super::set::{Files, PlanSet, split_template};
use super::tag;

/// The files that a template splits into, by path below the plan's folder, with their text.
///
/// # Errors
/// The template does not have its shape.
pub fn build_plan(template: &[u8], files: &dyn Files, with_matrix: bool) -> Result<Vec<(String, String)>, ProbeError> {
    let value = parse_json("template", template)?;
    let found = value.get("schema_version").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !tag::same_kind(&found, tag::PLAN_TEMPLATE) {
        let reason = format!("expected schema_version \"{}\", found \"{found}\"", tag::PLAN_TEMPLATE);
        return Err(ProbeError::Shape { document: "template".to_owned(), reason });
    }
    let set = PlanSet::load(template, files)?;
    let [plan, profiles, probes] = split_template(&value);
    let mut built = vec![
        ("plan.json".to_owned(), text(&plan)?),
        ("registry/probes.json".to_owned(), text(&probes)?),
        ("registry/profiles.json".to_owned(), text(&profiles)?),
    ];
    if with_matrix {
        built.push(("expected_matrix.json".to_owned(), text(&set.generated)?));
    }
    Ok(built)
}

fn text(value: &impl Serialize) -> Result<String, ProbeError> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(ProbeError::Shape { document: "template".to_owned(), reason: error.to_string() }),
    }
}
