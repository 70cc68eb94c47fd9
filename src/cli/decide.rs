//! `sbpl decide`: may this operation happen?

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::context::Context;
use super::decided::{Asked, Judge};
use super::exit::{Exit, Failure};
use super::question::Question;
use super::side::{self, Side};
use super::{files, parallel};
use crate::decide::{Answer, Engine, Graph, Request, World};
use crate::diag::{Code, Diagnostic, SourceMap};
use crate::profile::Evaluation;

const CODE_FOLDER: Code = Code("E0748");

/// Say whether a profile allows an operation, by which rule, and where that rule stands.
///
/// What is not given is unknown. Exit status 0: allowed; 1: denied; 3: it depends on what was not given.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profile or compiled profile; `-` is standard input.
    file: PathBuf,
    /// Operation, e.g. `file-read-data`. A wildcard such as `file-read*` asks that operation's own entry.
    operation: String,
    #[command(flatten)]
    question: Question,
    /// Show every rule that was asked with the value of each test, and the way that the path takes.
    #[arg(long)]
    explain: bool,
    /// FILE is a folder: ask every `.sb` file in it. What they import is looked for there too.
    #[arg(long, conflicts_with = "explain")]
    all: bool,
    /// Which profile of a collection.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

fn exit(answer: Answer) -> Exit {
    match answer {
        Answer::Allow => Exit::Fine,
        Answer::Deny => Exit::No,
        Answer::Depends => Exit::Depends,
    }
}

/// An answer, its text, its document, and what is to be said of the profile besides.
struct Outcome {
    answer: Answer,
    text: String,
    document: Value,
    sources: SourceMap,
    warnings: Vec<Diagnostic>,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let world = self.question.world(context)?;
        if self.all {
            return self.run_all(context, &world);
        }
        let outcome = self.ask(context, &self.file, &world)?;
        context.report(&outcome.sources, &outcome.warnings);
        if context.json {
            context.print_json(&outcome.document);
        } else {
            context.print(outcome.text);
        }
        Ok(exit(outcome.answer))
    }

    /// Asks every profile of a folder, several at a time. A file that cannot be evaluated is reported and does not stop the others.
    fn run_all(&self, context: &mut Context, world: &World) -> Result<Exit, Box<Failure>> {
        let failure = |what: &str| Failure::new(Exit::NoInput, CODE_FOLDER, format!("{}: {what}", self.file.display()));
        let entries = std::fs::read_dir(&self.file).map_err(|error| failure(&files::describe(&error)))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "sb"));
        paths.sort();
        if paths.is_empty() {
            return Err(failure("no file in this folder ends in .sb"));
        }
        context.import_dirs.push(self.file.clone());
        let asked: &Context = context;
        let outcomes = parallel::map(paths, |path| {
            let outcome = self.ask(asked, &path, world);
            (path, outcome)
        });
        let mut worst = Exit::Fine;
        let mut rows = Vec::new();
        for (path, outcome) in outcomes {
            let shown = path.display().to_string();
            let (word, status) = match outcome {
                Ok(outcome) => {
                    context.report(&outcome.sources, &outcome.warnings);
                    (outcome.answer.name(), exit(outcome.answer))
                }
                Err(failure) if failure.exit == Exit::BadInput => {
                    context.report(&failure.sources, &failure.diagnostics);
                    ("bad", Exit::BadInput)
                }
                Err(failure) => return Err(failure),
            };
            if !context.json {
                context.print(format!("{word:8} {shown}\n"));
            }
            rows.push(json!({ "file": shown, "answer": word }));
            let rank =
                |exit: Exit| [Exit::Fine, Exit::Depends, Exit::No, Exit::BadInput].iter().position(|e| *e == exit);
            if rank(status) > rank(worst) {
                worst = status;
            }
        }
        if context.json {
            context.print_json(&json!({ "operation": self.operation, "profiles": rows }));
        }
        Ok(worst)
    }

    fn ask(&self, context: &Context, file: &Path, world: &World) -> Result<Outcome, Box<Failure>> {
        match side::load(context, file)? {
            Side::Profile(evaluation) => {
                let Evaluation { policy, sources, warnings, .. } = *evaluation;
                let request = self.question.request(policy.target(), &self.operation, world)?;
                let engine = Engine::new(policy);
                let (answer, text, document) = self.judge(&Judge::Policy(&engine, &sources), &request, world)?;
                Ok(Outcome { answer, text, document, sources, warnings })
            }
            Side::Blob(program) => {
                side::profile_of(file, &program, self.profile.as_deref(), "--profile")?;
                let graph = Graph::new(&program, self.profile.as_deref());
                let graph = graph.map_err(|error| side::graph_failure(file, &error))?;
                let request = self.question.request(graph.target(), &self.operation, world)?;
                let (answer, text, document) = self.judge(&Judge::Graph(&graph, &program), &request, world)?;
                Ok(Outcome { answer, text, document, sources: SourceMap::new(), warnings: Vec::new() })
            }
        }
    }

    fn judge(
        &self,
        judge: &Judge<'_>,
        request: &Request,
        world: &World,
    ) -> Result<(Answer, String, Value), Box<Failure>> {
        let asked = Asked {
            request,
            path: self.question.path.as_deref(),
            world,
            follow: self.question.follow(),
            explain: self.explain,
        };
        judge
            .ask(&asked)
            .map_err(|error| Failure::from_diagnostics(Exit::Usage, vec![error.diagnostic()], SourceMap::new()))
    }
}
