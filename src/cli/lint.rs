//! `sbpl lint`: what is probably wrong with profiles.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{files, input, parallel, render};
use crate::diag::{Code, Diagnostic, Location, Severity, Source, SourceId, SourceMap};
use crate::lint::{self, Config, Finding, Input, report};
use crate::policy::Policy;
use crate::{profile, syntax};

const CODE_CONFIG: Code = Code("E0760");
const CODE_FIX_STDIN: Code = Code("E0762");

/// The file that is looked for beside a profile and in the directories above it.
const CONFIG_NAME: &str = ".sbpl-lint.json";

/// Report what is probably wrong with profiles, although they can be read. `sbpl rule` lists the rules.
///
/// Errors of syntax and evaluation are reported too, and end with 65. A profile whose imports cannot be found, or a fragment without (version n), is checked without evaluation.
///
/// A finding is allowed by a comment on its line, or on the line before its form: `;; sbpl-lint: allow SBPL003 -- reason`.
///
/// The nearest `.sbpl-lint.json` beside or above a profile configures its check: {"select": [SELECTOR…], "ignore": [SELECTOR…], "severity": {SELECTOR: "note"|"warning"|"error"}}. A SELECTOR is
/// a code (SBPL003), the front of codes (SBPL01), a rule's name (dead-path), a category (paths), or `all`; the most exact one counts.
///
/// With --json, or --format json: {"errors": […], "findings": [{"code", "name", "category", "severity", "message", "file", "start", "end", "line", "column", "labels", "help", "notes", "fix":
/// null|{"applicability", "edits": [{"start", "end", "text"}]}}], "fixed": NUMBER}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profiles; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Apply the fixes that keep the meaning; with `-` the text goes to standard output.
    #[arg(long)]
    fix: bool,
    /// Apply the fixes that change the meaning too.
    #[arg(long)]
    unsafe_fixes: bool,
    /// How to show findings.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
    /// Use these rules beside the default set; may be repeated, or separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "SELECTOR")]
    select: Vec<String>,
    /// Do not use these rules; may be repeated, or separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "SELECTOR")]
    ignore: Vec<String>,
    /// Read this configuration and look for no other.
    #[arg(long, value_name = "FILE.json")]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
    Github,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let format = if context.json { Format::Json } else { self.format };
        let fixing = self.fix || self.unsafe_fixes;
        if fixing && format != Format::Text && self.files.iter().any(|path| path == Path::new("-")) {
            let message = "the fixed text and the findings cannot both go to standard output";
            return Err(Failure::new(Exit::Usage, CODE_FIX_STDIN, message).with_help("leave --fix or the format out"));
        }
        let mut exit = Exit::Fine;
        let mut sources = SourceMap::new();
        let (mut errors, mut findings, mut fixed, mut texts) = (Vec::new(), Vec::new(), 0, Vec::new());
        let mut configs = Configs { args: &self, known: HashMap::new() };
        for path in &self.files {
            let source = match input::text(context, path) {
                Ok(source) => source,
                Err(failure) => {
                    context.report(&failure.sources, &failure.diagnostics);
                    exit = worse(exit, failure.exit);
                    continue;
                }
            };
            let config = configs.of(context, path)?;
            let source = if fixing {
                let outcome =
                    lint::fix_text(source.text(), context.target, &context.params, &config, self.unsafe_fixes);
                fixed += outcome.fixed;
                if outcome.fixed > 0 || path == Path::new("-") {
                    files::write_atomically(context, path, &outcome.text, &[])?;
                }
                Source::new(source.name(), outcome.text)
            } else {
                source
            };
            texts.push((source, config));
        }
        let shared: &Context = context;
        for checked in parallel::map(texts, |(source, config)| check(shared, source, &config)) {
            if !checked.errors.is_empty() {
                exit = worse(exit, Exit::BadInput);
            }
            if !checked.findings.is_empty() {
                exit = worse(exit, Exit::No);
            }
            let ids: Vec<SourceId> = checked.sources.iter().map(|(_, source)| sources.add(source.clone())).collect();
            errors.extend(checked.errors.into_iter().map(|error| moved(error, &ids)));
            findings.extend(checked.findings.into_iter().map(|finding| {
                let diagnostic = moved(finding.diagnostic, &ids);
                Finding { diagnostic, ..finding }
            }));
        }
        show(context, format, &sources, &errors, &findings, fixed);
        Ok(exit)
    }
}

/// What was found in one file; its text is the first of the sources.
struct Checked {
    sources: SourceMap,
    errors: Vec<Diagnostic>,
    findings: Vec<Finding>,
}

fn check(context: &Context, source: Source, config: &Config) -> Checked {
    let parsed = syntax::parse(source.shared_text(), &context.syntax_limits());
    let mut sources = SourceMap::new();
    let id = sources.add(source.clone());
    let mut errors: Vec<Diagnostic> = parsed.errors.iter().map(|error| error.to_diagnostic(id)).collect();
    let mut policy = None;
    if errors.is_empty() && parsed.tree.roots().any(|root| parsed.tree.head(root) == Some(b"version")) {
        match evaluate(context, &source, &parsed.tree, id, &mut sources) {
            Ok(evaluated) => policy = evaluated,
            Err(found) => errors = found,
        }
    }
    let input = Input {
        tree: &parsed.tree,
        source: id,
        target: context.target,
        parameters: &context.params,
        policy: policy.as_ref(),
    };
    let findings = lint::lint(input, config);
    Checked { sources, errors, findings }
}

/// The policy, or what the compiler would stop at whatever the parameters that are not given: the profile is then evaluated with
/// stand-ins too, and what goes wrong in both is told. A profile whose imports are not here is not judged.
fn evaluate(
    context: &Context,
    source: &Source,
    tree: &syntax::Tree,
    id: SourceId,
    sources: &mut SourceMap,
) -> Result<Option<Policy>, Vec<Diagnostic>> {
    let options = input::options(context);
    let first = match input::evaluate_with(context, source.clone(), &options) {
        Ok(evaluation) => return Ok(Some(evaluation.policy)),
        Err(failure) => failure,
    };
    let is_import = |error: &Diagnostic| profile::IMPORT_CODES.contains(&error.code);
    if first.diagnostics.iter().any(is_import) {
        return Ok(None);
    }
    let mut complete = options;
    let params = complete.params.get_or_insert_default();
    let asked = tree.nodes().filter(|&node| tree.head(node) == Some(b"param"));
    for name in asked.filter_map(|node| tree.children(node).nth(1)) {
        if let Some(syntax::Atom::String(name)) = tree.datum(name) {
            let name = String::from_utf8_lossy(&name).into_owned();
            params.entry(name.clone()).or_insert_with(|| format!("/{name}"));
        }
    }
    let Err(second) = input::evaluate_with(context, source.clone(), &complete) else { return Ok(None) };
    let alike = |error: &Diagnostic| {
        second.diagnostics.iter().any(|other| (other.code, other.location) == (error.code, error.location))
    };
    let errors = first.diagnostics.iter().filter(|error| error.severity == Severity::Error && alike(error));
    let errors: Vec<Diagnostic> = errors.cloned().collect();
    if errors.is_empty() { Ok(None) } else { Err(adopt(errors, &first.sources, id, sources)) }
}

/// The diagnostics with their places in `sources`, which gets the imported texts; the profile itself is there as `id`.
fn adopt(errors: Vec<Diagnostic>, from: &SourceMap, id: SourceId, sources: &mut SourceMap) -> Vec<Diagnostic> {
    let ids: Vec<SourceId> = from
        .iter()
        .enumerate()
        .map(|(index, (_, source))| if index == 0 { id } else { sources.add(source.clone()) })
        .collect();
    errors.into_iter().map(|error| moved(error, &ids)).collect()
}

/// `diagnostic` about other sources: `ids` says what each is there.
fn moved(mut diagnostic: Diagnostic, ids: &[SourceId]) -> Diagnostic {
    let moved = |location: &mut Location| {
        if let Some(&id) = ids.get(location.source.0 as usize) {
            location.source = id;
        }
    };
    diagnostic.location.iter_mut().for_each(moved);
    diagnostic.labels.iter_mut().for_each(|label| moved(&mut label.location));
    diagnostic.backtrace.iter_mut().for_each(|frame| moved(&mut frame.location));
    diagnostic
}

/// A file that cannot be read outweighs one that is bad, which outweighs findings.
fn worse(a: Exit, b: Exit) -> Exit {
    let weight = |exit| match exit {
        Exit::Fine => 0,
        Exit::No => 1,
        Exit::BadInput => 2,
        _ => 3,
    };
    if weight(b) > weight(a) { b } else { a }
}

fn show(
    context: &mut Context,
    format: Format,
    sources: &SourceMap,
    errors: &[Diagnostic],
    findings: &[Finding],
    fixed: usize,
) {
    match format {
        Format::Text => {
            context.report(sources, errors);
            let diagnostics: Vec<Diagnostic> = findings.iter().map(|finding| finding.diagnostic.clone()).collect();
            context.report(sources, &diagnostics);
            let fixable = findings.iter().filter(|finding| finding.fix.is_some()).count();
            let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
            if fixed > 0 {
                context.tell(format!("{} fixed", counted(fixed, "finding")));
            }
            if !findings.is_empty() {
                let hint = if fixable > 0 { format!(", {fixable} with a fix") } else { String::new() };
                context.tell(format!("{}{hint}; `sbpl rule CODE` explains", counted(findings.len(), "finding")));
            }
        }
        Format::Json => {
            let rows: Vec<Value> = findings.iter().map(|finding| row(sources, finding)).collect();
            let errors: Vec<Value> = errors.iter().map(|error| render::json(sources, error)).collect();
            context.print_json(&json!({ "errors": errors, "findings": rows, "fixed": fixed }));
        }
        Format::Sarif => context.print_json(&report::sarif(sources, errors, findings)),
        Format::Github => {
            for diagnostic in errors.iter().chain(findings.iter().map(|finding| &finding.diagnostic)) {
                context.print(report::github(sources, diagnostic) + "\n");
            }
        }
    }
}

fn row(sources: &SourceMap, finding: &Finding) -> Value {
    let mut row = render::json(sources, &finding.diagnostic);
    row["name"] = json!(finding.rule.name);
    row["category"] = json!(finding.rule.category);
    row["fix"] = match &finding.fix {
        None => Value::Null,
        Some(fix) => {
            let edits = fix.edits.iter().map(|edit| {
                json!({
                    "start": edit.span.start,
                    "end": edit.span.end,
                    "text": String::from_utf8_lossy(&edit.text),
                })
            });
            json!({ "applicability": fix.applicability, "edits": edits.collect::<Vec<_>>() })
        }
    };
    row
}

/// Configurations by the folder that they are for.
struct Configs<'a> {
    args: &'a Args,
    known: HashMap<PathBuf, Config>,
}

impl Configs<'_> {
    fn of(&mut self, context: &Context, path: &Path) -> Result<Config, Box<Failure>> {
        let folder = folder(path);
        if let Some(config) = self.known.get(&folder) {
            return Ok(config.clone());
        }
        let file = self.args.config.clone().or_else(|| {
            folder.ancestors().map(|folder| folder.join(CONFIG_NAME)).find(|candidate| candidate.is_file())
        });
        let mut config = Config::default();
        if let Some(file) = &file {
            let text = files::read(context, file)?;
            config = Config::from_json(text.text())
                .map_err(|error| Failure::new(Exit::Usage, CODE_CONFIG, format!("{}: {error}", file.display())))?;
        }
        let added = config.select(self.args.select.clone()).and_then(|()| config.ignore(self.args.ignore.clone()));
        added.map_err(|error| Failure::new(Exit::Usage, CODE_CONFIG, error.to_string()))?;
        self.known.insert(folder, config.clone());
        Ok(config)
    }
}

/// The folder of a profile; of standard input, the current one.
fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    parent.canonicalize().unwrap_or_else(|_| parent.to_path_buf())
}
