//! Findings in the formats that other programs read: SARIF 2.1.0 and annotations of GitHub.

use indexmap::IndexMap;
use serde::Serialize;

use super::finding::{Applicability, Finding};
use super::rule::{Category, Rule};
use crate::diag::{Diagnostic, Location, Severity, SourceMap};

/// One document in SARIF 2.1.0, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>. Columns count characters.
pub fn sarif(sources: &SourceMap, errors: &[Diagnostic], findings: &[Finding]) -> impl Serialize {
    let mut rules: IndexMap<&'static str, Option<&'static Rule>> = IndexMap::new();
    for error in errors {
        rules.entry(error.code.0).or_insert(None);
    }
    for finding in findings {
        rules.insert(finding.rule.code.0, Some(finding.rule));
    }
    rules.sort_keys();
    let index = |code: &str| rules.get_index_of(code).unwrap_or(0);
    let mut results: Vec<SarifResult> =
        errors.iter().map(|error| SarifResult::new(sources, error, index(error.code.0), Vec::new())).collect();
    results.extend(findings.iter().map(|finding| {
        let fixes = fixes(sources, finding);
        SarifResult::new(sources, &finding.diagnostic, index(finding.rule.code.0), fixes)
    }));
    Sarif {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    rules: rules.iter().map(|(code, rule)| Descriptor::new(code, *rule)).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results,
        }],
    }
}

#[derive(Serialize)]
struct Sarif {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<SarifResult>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    short_description: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Markdown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Properties>,
}

impl Descriptor {
    fn new(id: &'static str, rule: Option<&'static Rule>) -> Self {
        Self {
            id,
            name: rule.map(|rule| rule.name),
            short_description: rule.map(|rule| Text { text: rule.summary() }),
            help: rule.map(|rule| {
                let markdown = rule.document();
                Markdown { text: markdown.clone(), markdown }
            }),
            properties: rule.map(|rule| Properties { category: rule.category }),
        }
    }
}

#[derive(Serialize)]
struct Properties {
    category: Category,
}

#[derive(Serialize)]
struct Text<T = String> {
    text: T,
}

#[derive(Serialize)]
struct Markdown {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Place>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Place>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<SarifFix>,
}

impl SarifResult {
    fn new(sources: &SourceMap, diagnostic: &Diagnostic, rule_index: usize, fixes: Vec<SarifFix>) -> Self {
        let related = diagnostic.labels.iter();
        Self {
            rule_id: diagnostic.code.0,
            rule_index,
            level: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            message: Text { text: sentence(diagnostic) },
            locations: diagnostic.location.and_then(|location| place(sources, location, None)).into_iter().collect(),
            related_locations: related
                .filter_map(|label| place(sources, label.location, Some(label.text.clone())))
                .collect(),
            fixes,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifFix {
    description: Text<&'static str>,
    artifact_changes: [Change; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    artifact_location: Artifact,
    replacements: Vec<Replacement>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    inserted_content: Text,
}

fn place(sources: &SourceMap, location: Location, text: Option<String>) -> Option<Place> {
    let physical = Physical {
        artifact_location: Artifact { uri: uri(sources.get(location.source)?.name()) },
        region: region(sources, location)?,
    };
    Some(Place { physical_location: physical, message: text.map(|text| Text { text }) })
}

fn region(sources: &SourceMap, location: Location) -> Option<Region> {
    let source = sources.get(location.source)?;
    let (start, end) = (source.line_column(location.span.start), source.line_column(location.span.end));
    Some(Region { start_line: start.line, start_column: start.column, end_line: end.line, end_column: end.column })
}

fn fixes(sources: &SourceMap, finding: &Finding) -> Vec<SarifFix> {
    let change = || {
        let (fix, location) = (finding.fix.as_ref()?, finding.diagnostic.location?);
        let replacements = fix
            .edits
            .iter()
            .map(|edit| {
                Some(Replacement {
                    deleted_region: region(sources, Location::new(location.source, edit.span))?,
                    inserted_content: Text { text: String::from_utf8_lossy(&edit.text).into_owned() },
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let artifact_location = Artifact { uri: uri(sources.get(location.source)?.name()) };
        let text = match fix.applicability {
            Applicability::Safe => "keeps the meaning of the profile",
            Applicability::Unsafe => "changes the meaning of the profile",
        };
        Some(SarifFix { description: Text { text }, artifact_changes: [Change { artifact_location, replacements }] })
    };
    change().into_iter().collect()
}

/// A path as a relative or absolute URI reference.
fn uri(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Message and hints on one line.
fn sentence(diagnostic: &Diagnostic) -> String {
    let parts = std::iter::once(&diagnostic.message).chain(&diagnostic.notes).chain(&diagnostic.help);
    parts.map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// One line for a GitHub workflow, which shows it beside the changed lines.
pub fn github(sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let mut properties = Vec::new();
    if let Some((location, source)) =
        diagnostic.location.and_then(|location| Some((location, sources.get(location.source)?)))
    {
        let (start, end) = (source.line_column(location.span.start), source.line_column(location.span.end));
        properties.push(format!("file={},line={},endLine={}", property(source.name()), start.line, end.line));
        // Columns are only shown for findings within one line.
        if start.line == end.line {
            properties.push(format!("col={},endColumn={}", start.column, end.column));
        }
    }
    let title = match super::rule(diagnostic.code.0) {
        Some(rule) => format!("{} {}", rule.code, rule.name),
        None => diagnostic.code.to_string(),
    };
    properties.push(format!("title={}", property(&title)));
    format!("::{command} {}::{}", properties.join(","), escape(&sentence(diagnostic)))
}
