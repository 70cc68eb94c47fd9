//! `sbpl minimize`: the smallest profile that still shows a fact.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::compile::sha256;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::imports::FileLoader;
use super::question::Question;
use super::side::{self, Side};
use super::{blob_file, files, input};
use crate::decide::Budget;
use crate::diag::{Code, Diagnostic, Source, SourceMap, Span};
use crate::diff::semantic::{self, CompareError};
use crate::minimize::facts::{CompileFails, Decides, Predicate, PreflightFinds, Setting};
use crate::minimize::{Fact, Minimal, MinimizeError, Options, Remains, minimize};

const CODE_BLOB: Code = Code("E0772");
const CODE_SPENT: Code = Code("E0773");

/// Delete from a profile what a fact about it does not need.
///
/// Forms go as long as the fact holds: those at top level, then those inside them, then what is around them. What is left is a
/// part of the file as it was written. Exit status 1: the fact does not hold for the file itself.
///
/// With --json: {"fact", "status": "minimal"|"budget-spent", "tests", "input", "minimal": {"bytes", "sha256", "text", "kept"},
/// "passing_neighbor", "confirm", "trace": […]}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profile; `-` is standard input.
    file: PathBuf,
    /// The fact: 'decides allow|deny|depends OPERATION' (with --path and --arg), 'compile-fails [CODE|TEXT]' (without: as FILE
    /// fails), 'preflight-finds [SIGNATURE|NAME]', 'differs-from FILE' (in what FILE allows or refuses).
    #[arg(long, value_name = "PREDICATE")]
    until: String,
    #[command(flatten)]
    question: Question,
    /// Which profile, when the FILE that it differs from is a collection.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Where to write the smallest profile; standard output without it.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Folder for minimal_failing.sb, passing_neighbor.sb, run.json and trace.jsonl.
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// How often both results are tried again at the end.
    #[arg(long, value_name = "N", default_value_t = 1)]
    confirm: usize,
}

fn failure(file: &Path, error: &MinimizeError) -> Box<Failure> {
    let exit = if matches!(error, MinimizeError::NotShown { .. }) { Exit::No } else { Exit::Usage };
    let mut diagnostic = error.diagnostic();
    if exit == Exit::No {
        diagnostic.message = format!("{}: {}", file.display(), diagnostic.message);
    }
    Failure::from_diagnostics(exit, vec![diagnostic], SourceMap::new())
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let predicate = Predicate::parse(&self.until).map_err(|error| failure(&self.file, &error))?;
        let source = files::read(context, &self.file)?;
        if blob_file::is_blob(source.text()) {
            let message = format!("{}: only profiles can be made smaller, not compiled ones", self.file.display());
            return Err(Failure::new(Exit::Usage, CODE_BLOB, message));
        }
        let text = source.shared_text();
        let loader =
            FileLoader { directories: context.import_dirs.clone(), allow_absolute: context.allow_absolute_imports };
        let options = input::options(context);
        let setting = Setting { name: source.name().to_owned(), loader: &loader, options }.with_steps_of(&text);
        let fact = self.fact(context, predicate, setting, &text)?;
        let options = Options {
            tests: usize::try_from(context.limit("minimize-tests")).unwrap_or(usize::MAX),
            confirm: self.confirm,
            syntax: context.syntax_limits(),
        };
        let minimal = minimize(text, fact.as_ref(), &options).map_err(|error| failure(&self.file, &error))?;
        self.write(context, &source, fact.as_ref(), &minimal)?;
        if !minimal.complete {
            let message = format!("stopped after {} texts; a smaller profile may show the fact", minimal.trace.len());
            let warning =
                Diagnostic::warning(CODE_SPENT, message).with_help("go on with --limit minimize-tests=NUMBER");
            context.report(&SourceMap::new(), &[warning]);
        }
        Ok(Exit::Fine)
    }

    fn fact<'a>(
        &self,
        context: &mut Context,
        predicate: Predicate,
        setting: Setting<'a>,
        text: &Arc<[u8]>,
    ) -> Result<Box<dyn Fact + 'a>, Box<Failure>> {
        Ok(match predicate {
            Predicate::Decides { answer, operation } => {
                let world = self.question.world(context)?;
                let request = self.question.request(context.target, &operation, &world)?;
                let path = self.question.path.clone().map(|path| (path, world, self.question.follow()));
                Box::new(Decides::new(setting, request, path, answer, text))
            }
            Predicate::CompileFails { with } => Box::new(CompileFails::new(setting, with, text)),
            Predicate::PreflightFinds { finding } => {
                let none = || MinimizeError::NotShown {
                    fact: format!("the preflight scan finds {}", finding.as_deref().unwrap_or("something")),
                    detail: "it does not".to_owned(),
                };
                let fact = PreflightFinds::new(setting, finding.as_deref(), text);
                Box::new(fact.ok_or_else(|| failure(&self.file, &none()))?)
            }
            Predicate::DiffersFrom { file } => {
                let path = PathBuf::from(&file);
                let other = side::read(context, &path)?;
                let other = match &other {
                    Side::Profile(evaluation) => semantic::Side::Policy(&evaluation.policy),
                    Side::Blob(program) => {
                        side::profile_of(&path, program, self.profile.as_deref(), "--profile")?;
                        semantic::Side::Program(program, self.profile.as_deref())
                    }
                };
                // What is wrong with the profile itself is told as for any other verb.
                input::evaluate(context, Source::new(setting.name.as_str(), Arc::clone(text)))?;
                let fact =
                    Decides::unlike(setting, other, &file, text, Budget::default()).map_err(|error| match error {
                        CompareError::Graph { error, .. } => side::graph_failure(&path, &error),
                        other => Failure::new(Exit::BadInput, super::diff::CODE_TARGETS, format!("{file}: {other}")),
                    })?;
                let none = || MinimizeError::NotShown {
                    fact: format!("it differs from {file}"),
                    detail: "no request tells them apart".to_owned(),
                };
                Box::new(fact.ok_or_else(|| failure(&self.file, &none()))?)
            }
        })
    }

    fn write(
        &self,
        context: &mut Context,
        source: &Source,
        fact: &dyn Fact,
        minimal: &Minimal,
    ) -> Result<(), Box<Failure>> {
        let inputs = [self.file.as_path()];
        let document = document(source, fact, minimal, self.confirm);
        if let Some(output) = &self.output {
            files::write_atomically(context, output, &minimal.smallest.text, &inputs)?;
        }
        if let Some(folder) = &self.out_dir {
            std::fs::create_dir_all(folder).map_err(|error| {
                let message = format!("{}: {}", folder.display(), files::describe(&error));
                Failure::new(Exit::CannotCreate, files::CODE_WRITE, message)
            })?;
            let mut put =
                |name: &str, bytes: &[u8]| files::write_atomically(context, &folder.join(name), bytes, &inputs);
            put("minimal_failing.sb", &minimal.smallest.text)?;
            if let Some(neighbour) = &minimal.neighbour {
                put("passing_neighbor.sb", &neighbour.text)?;
            }
            let lines = minimal.trace.iter().filter_map(|trial| serde_json::to_string(trial).ok());
            put("trace.jsonl", lines.map(|line| line + "\n").collect::<String>().as_bytes())?;
            // Last, so that a folder with it is whole.
            put("run.json", format!("{document:#}\n").as_bytes())?;
        }
        if context.json {
            let mut document = document;
            document["trace"] = json!(minimal.trace);
            context.print_json(&document);
        } else if self.output.is_none() && self.out_dir.is_none() {
            context.print_raw(&minimal.smallest.text);
        } else {
            let (before, after) = (source.text().len(), minimal.smallest.text.len());
            context.tell(format_args!("{before} bytes to {after} in {} tests", minimal.trace.len()));
        }
        Ok(())
    }
}

fn document(source: &Source, fact: &dyn Fact, minimal: &Minimal, runs: usize) -> Value {
    let neighbour = minimal.neighbour.as_ref().map(|neighbour| {
        let mut value = remains(source, neighbour);
        value["removed"] = json!(parts(source, &removed(&minimal.smallest.kept, &neighbour.kept)));
        value
    });
    json!({
        "tool": "sbpl-minimize",
        "schema_version": 1,
        "fact": fact.describe(),
        "status": if minimal.complete { "minimal" } else { "budget-spent" },
        "tests": minimal.trace.len(),
        "input": { "name": source.name(), "bytes": source.text().len(), "sha256": sha256(source.text()) },
        "minimal": remains(source, &minimal.smallest),
        "passing_neighbor": neighbour,
        "confirm": {
            "runs": runs,
            "minimal": minimal.smallest.confirmed,
            "passing_neighbor": minimal.neighbour.as_ref().map(|neighbour| neighbour.confirmed),
        },
    })
}

fn remains(source: &Source, remains: &Remains) -> Value {
    json!({
        "bytes": remains.text.len(),
        "sha256": sha256(&remains.text),
        "outcome": remains.observation.outcome,
        "detail": remains.observation.detail,
        "text": String::from_utf8_lossy(&remains.text),
        "kept": parts(source, &remains.kept),
    })
}

/// Where parts of the input stand.
fn parts(source: &Source, spans: &[Span]) -> Vec<Value> {
    let row = |span: &Span| {
        let start = source.line_column(span.start);
        json!({ "start": span.start, "end": span.end, "line": start.line, "column": start.column })
    };
    spans.iter().map(row).collect()
}

/// What of `all` is not in `some`, which is a part of it.
fn removed(all: &[Span], some: &[Span]) -> Vec<Span> {
    let mut out = Vec::new();
    for span in all {
        let mut at = span.start;
        for kept in some.iter().filter(|kept| kept.start < span.end && kept.end > span.start) {
            if kept.start > at {
                out.push(Span::new(at, kept.start));
            }
            at = at.max(kept.end);
        }
        if at < span.end {
            out.push(Span::new(at, span.end));
        }
    }
    out
}
