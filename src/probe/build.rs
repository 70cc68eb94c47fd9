//! From a template to the files of a plan (`spec/probe-runner.md` section 1.4).

use serde::Serialize;
use serde_json::Value;

use super::error::ProbeError;
use super::lint::leaves_the_folder;
use super::plan::parse_json;
use super::set::{Files, PlanSet, split_template};
use super::{golden, tag};

/// The files that a template splits into, by path below the plan's folder, with their text.
///
/// # Errors
/// The template does not have its shape.
pub fn build_plan(template: &[u8], files: &dyn Files, with_matrix: bool) -> Result<Vec<(String, String)>, ProbeError> {
    let value = parse_json("template", template)?;
    build_from(&value, template, files, with_matrix)
}

/// As [`build_plan`], for a template that is a value already: a built-in or derived one.
///
/// # Errors
/// As [`build_plan`].
pub fn build_value(template: &Value, with_matrix: bool) -> Result<Vec<(String, String)>, ProbeError> {
    build_from(template, text(template)?.as_bytes(), &golden::Embedded, with_matrix)
}

fn build_from(
    value: &Value,
    template: &[u8],
    files: &dyn Files,
    with_matrix: bool,
) -> Result<Vec<(String, String)>, ProbeError> {
    let found = value.get("schema_version").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !tag::same_kind(&found, tag::PLAN_TEMPLATE) {
        let reason = format!("expected schema_version \"{}\", found \"{found}\"", tag::PLAN_TEMPLATE);
        return Err(ProbeError::Shape { document: "template".to_owned(), reason });
    }
    let set = PlanSet::load(template, files)?;
    let [plan, profiles, probes] = split_template(value);
    let mut built = vec![
        ("plan.json".to_owned(), text(&plan)?),
        ("registry/probes.json".to_owned(), text(&probes)?),
        ("registry/profiles.json".to_owned(), text(&profiles)?),
    ];
    // Texts of profiles that the template brings along.
    for (path, content) in value.get("files").and_then(Value::as_object).into_iter().flatten() {
        let reason = match content.as_str() {
            Some(content) if !leaves_the_folder(path) => {
                built.push((path.clone(), content.to_owned()));
                continue;
            }
            Some(_) => "leaves the folder",
            None => "is no text",
        };
        return Err(ProbeError::Shape { document: "template".to_owned(), reason: format!("file {path} {reason}") });
    }
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
