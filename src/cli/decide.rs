//! `sbpl decide`: may this operation happen?

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::context::Context;
use super::decided::{Asked, Judge};
use super::exit::{Exit, Failure};
use super::files;
use super::side::{self, Side};
use crate::decide::{Answer, Engine, Graph, Request, RequestError, World, operation_named};
use crate::diag::{Code, SourceMap};
use crate::vocab::Target;

const CODE_NO_PATH: Code = Code("E0747");
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
    /// Path as a program gives it: links are followed and each one on the way is asked about.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// What is known, e.g. `global-name=com.example`, `remote=tcp:localhost:22`, `vnode-type=DIRECTORY`, `entitlement=NAME=VALUE`;
    /// FILTER= is known to be absent. May be repeated; `path=` is taken as it is, without links.
    #[arg(long = "arg", value_name = "FILTER=VALUE")]
    arguments: Vec<String>,
    /// What is not given is absent, not unknown.
    #[arg(long)]
    absent: bool,
    /// Links and case of the file system, as JSON; without it what every macOS 14 has.
    #[arg(long, value_name = "FILE.json")]
    world: Option<PathBuf>,
    /// Follow a link as last component, whatever the operation.
    #[arg(long)]
    follow: bool,
    /// Judge a link as last component itself.
    #[arg(long, conflicts_with = "follow")]
    no_follow: bool,
    /// Show every rule that was asked with the value of each test, and the way that the path takes.
    #[arg(long)]
    explain: bool,
    /// FILE is a folder: ask every `.sb` file in it.
    #[arg(long, conflicts_with = "explain")]
    all: bool,
    /// Which profile of a collection.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

fn usage(error: &RequestError) -> Box<Failure> {
    Failure::from_diagnostics(Exit::Usage, vec![error.diagnostic()], SourceMap::new())
}

fn exit(answer: Answer) -> Exit {
    match answer {
        Answer::Allow => Exit::Fine,
        Answer::Deny => Exit::No,
        Answer::Depends => Exit::Depends,
    }
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let world = self.world(context)?;
        if self.all {
            return self.run_all(context, &world);
        }
        let (answer, text, document) = self.ask(context, &self.file, &world)?;
        if context.json {
            context.print_json(&document);
        } else {
            context.print(text);
        }
        Ok(exit(answer))
    }

    fn world(&self, context: &Context) -> Result<World, Box<Failure>> {
        let Some(path) = &self.world else { return Ok(World::macos_14()) };
        let source = files::read(context, path)?;
        World::parse(source.text()).map_err(|error| {
            let mut diagnostic = error.diagnostic();
            diagnostic.message = format!("{}: {}", path.display(), diagnostic.message);
            Failure::from_diagnostics(Exit::BadInput, vec![diagnostic], SourceMap::new())
        })
    }

    /// Asks every profile of a folder. A file that cannot be evaluated is reported and does not stop the others.
    fn run_all(&self, context: &mut Context, world: &World) -> Result<Exit, Box<Failure>> {
        let entries = std::fs::read_dir(&self.file).map_err(|error| {
            Failure::new(Exit::NoInput, CODE_FOLDER, format!("{}: {}", self.file.display(), files::describe(&error)))
        })?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "sb"));
        paths.sort();
        let mut worst = Exit::Fine;
        let mut rows = Vec::new();
        for path in &paths {
            let shown = path.display().to_string();
            let (word, status) = match self.ask(context, path, world) {
                Ok((answer, _, _)) => (answer.name(), exit(answer)),
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

    fn request(&self, target: &Target) -> Result<Request, Box<Failure>> {
        let operation = operation_named(target, &self.operation).map_err(|error| usage(&error))?;
        let mut request = Request::new(operation);
        request.closed = self.absent;
        for argument in &self.arguments {
            request.add_argument(target, argument).map_err(|error| usage(&error))?;
        }
        if self.path.is_some() && !target.accepts(operation, crate::decide::PATH) {
            let message = format!("{} takes no path", target.operation(operation).name);
            return Err(Failure::new(Exit::Usage, CODE_NO_PATH, message)
                .with_help("give what it takes with --arg FILTER=VALUE"));
        }
        Ok(request)
    }

    fn ask(&self, context: &mut Context, file: &Path, world: &World) -> Result<(Answer, String, Value), Box<Failure>> {
        match side::read(context, file)? {
            Side::Profile(evaluation) => {
                let evaluation = *evaluation;
                let request = self.request(evaluation.policy.target())?;
                let engine = Engine::new(evaluation.policy);
                self.judge(&Judge::Policy(&engine, &evaluation.sources), &request, world)
            }
            Side::Blob(program) => {
                let graph = Graph::new(&program, self.profile.as_deref());
                let graph = graph.map_err(|error| side::graph_failure(file, &error))?;
                let request = self.request(graph.target())?;
                self.judge(&Judge::Graph(&graph, &program), &request, world)
            }
        }
    }

    fn judge(
        &self,
        judge: &Judge<'_>,
        request: &Request,
        world: &World,
    ) -> Result<(Answer, String, Value), Box<Failure>> {
        let follow = match (self.follow, self.no_follow) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let asked = Asked { request, path: self.path.as_deref(), world, follow, explain: self.explain };
        judge
            .ask(&asked)
            .map_err(|error| Failure::from_diagnostics(Exit::Usage, vec![error.diagnostic()], SourceMap::new()))
    }
}
