//! `sbpl coverage`: which rules decide, and which never can.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::decided::one_line;
use super::exit::{Exit, Failure};
use super::run::failure as run_failure;
use super::{files, input};
use crate::decide::coverage::{Reason, deciders, deciders_on_the_way, never_decides};
use crate::decide::{Budget, Decider, Engine, PATH, Request, World, operation_named};
use crate::diag::{Code, Diagnostic, Source, SourceMap};
use crate::policy::print::Printer;
use crate::policy::{RuleId, RuleSource};
use crate::probe::{self, artifact::DecidedBy};
use crate::profile::Evaluation;
use crate::vocab::Target;

const CODE_REQUESTS: Code = Code("E0774");
const CODE_RUN: Code = Code("E0775");

/// Count which rules of a profile decide requests or the probes of a run, and prove which can never decide any.
///
/// Exit status 1 when a rule can never decide. A request whose answer hangs on what it does not give counts for no rule.
///
/// With --json: {"file", "requests", "rules": [{"rule", "file", "line", "column", "decided", "never": null|"contradiction"|"shadowed"|"covered"|"replaced", "by"}], "summary"}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profile; `-` is standard input.
    file: PathBuf,
    /// Requests, one JSON object a line: {"operation": "file-read-data", "path": "/tmp/x", "args": ["vnode-type=DIRECTORY"],
    /// "absent": true}. All but the operation may be left out; they mean what the options of `decide` mean.
    #[arg(long, value_name = "FILE.jsonl")]
    requests: Option<PathBuf>,
    /// Bundle of a run, or the folder of its LATEST: counts what decided the probes of FILE, which is known by its name.
    #[arg(long, value_name = "BUNDLE")]
    run: Option<PathBuf>,
    /// Links and case of the file system, as JSON; without it what every macOS 14 has.
    #[arg(long, value_name = "FILE.json")]
    world: Option<PathBuf>,
}

/// One line of a request list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    operation: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    absent: bool,
}

/// A rule of the profile and what became of it.
struct Line {
    text: String,
    place: Option<(String, u32, u32)>,
    decided: usize,
    never: Option<(&'static str, Option<String>)>,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let evaluation = input::profile(context, &self.file)?;
        let engine = Engine::new(evaluation.policy.clone());
        let mut counts: BTreeMap<RuleId, usize> = BTreeMap::new();
        let mut asked = 0;
        if let Some(path) = &self.requests {
            let world = super::world::read(context, self.world.as_deref())?;
            let source = files::read(context, path)?;
            asked += ask(&engine, &source, &world, &mut counts)?;
        }
        if let Some(folder) = &self.run {
            asked += self.of_run(&evaluation, folder, &mut counts)?;
        }
        let lines = lines(&evaluation, &counts);
        let counted = self.requests.is_some() || self.run.is_some();
        if context.json {
            context.print_json(&document(&self.file, &lines, counted.then_some(asked)));
        } else {
            context.print(text(&lines, counted));
        }
        Ok(if lines.iter().any(|line| line.never.is_some()) { Exit::No } else { Exit::Fine })
    }

    /// Adds the rules that decided the probes of this profile in a run, by the place that the run recorded.
    fn of_run(
        &self,
        evaluation: &Evaluation,
        folder: &Path,
        counts: &mut BTreeMap<RuleId, usize>,
    ) -> Result<usize, Box<Failure>> {
        let folder = probe::bundle::locate(folder).map_err(run_failure)?;
        probe::bundle::verify(&folder).map_err(run_failure)?;
        let results = probe::bundle::results(&folder).map_err(run_failure)?;
        let name = |path: &str| Path::new(path).file_name().map(std::ffi::OsStr::to_owned);
        let ours = self.file.file_name();
        let places = Places::of(evaluation);
        let (mut found, mut asked) = (false, 0);
        for result in results.values() {
            let base = result.base_profile_path.as_deref().or(result.profile_path.as_deref());
            if base.and_then(name).as_deref() != ours {
                continue;
            }
            found = true;
            for by in result.probes.iter().filter_map(|probe| probe.decided_by.as_ref()) {
                asked += 1;
                if let Some(id) = places.find(by, result.profile_path.as_deref()) {
                    *counts.entry(id).or_default() += 1;
                }
            }
        }
        if !found {
            let message = format!("{}: no profile of this run is {}", folder.display(), self.file.display());
            return Err(Failure::new(Exit::BadInput, CODE_RUN, message));
        }
        Ok(asked)
    }
}

/// Where the rules of a profile stand and how they are written there. Shims move rules, so that the place alone does not say which
/// one a run means.
struct Places(BTreeMap<String, Vec<(Place, RuleId)>>);

/// The imported file, `None` for the profile itself; line and column.
type Place = (Option<String>, u32, u32);

impl Places {
    fn of(evaluation: &Evaluation) -> Self {
        let mut places: BTreeMap<String, Vec<(Place, RuleId)>> = BTreeMap::new();
        for (id, rule) in evaluation.policy.iter() {
            let Some(location) = rule.origin.as_ref().map(|origin| origin.location) else { continue };
            let Some((file, at)) = evaluation.sources.position(location) else { continue };
            let Some(source) = evaluation.sources.get(location.source) else { continue };
            let form = String::from_utf8_lossy(source.slice(location.span)).into_owned();
            let file = (location.source.0 != 0).then(|| file.to_owned());
            let words: Vec<&str> = form.split_whitespace().collect();
            places.entry(words.join(" ")).or_default().push(((file, at.line, at.column), id));
        }
        Self(places)
    }

    /// The rule that a run recorded: of those that are written so the one at that place, else the only one.
    fn find(&self, by: &DecidedBy, profile: Option<&str>) -> Option<RuleId> {
        let alike = self.0.get(by.rule.as_deref()?)?;
        let file = by.file.clone().filter(|file| Some(file.as_str()) != profile);
        let place = by.line.zip(by.column).map(|(line, column)| (file, line, column));
        let exact = alike.iter().find(|(each, _)| Some(each) == place.as_ref());
        let only = if let [only] = alike.as_slice() { Some(only) } else { None };
        exact.or(only).map(|(_, id)| *id)
    }
}

/// Asks every request of a list; gives their number.
fn ask(
    engine: &Engine,
    source: &Source,
    world: &World,
    counts: &mut BTreeMap<RuleId, usize>,
) -> Result<usize, Box<Failure>> {
    let mut asked = 0;
    let mut errors = Vec::new();
    let text = String::from_utf8_lossy(source.text());
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match ask_one(engine, line, world) {
            Err(reason) => {
                let message = format!("{}:{}: {reason}", source.name(), number + 1);
                errors.push(Diagnostic::error(CODE_REQUESTS, message));
            }
            Ok(found) => {
                asked += 1;
                for (decider, count) in found {
                    if let Decider::Rule(id) = decider {
                        *counts.entry(id).or_default() += count;
                    }
                }
            }
        }
    }
    if errors.is_empty() { Ok(asked) } else { Err(Failure::from_diagnostics(Exit::BadInput, errors, SourceMap::new())) }
}

fn ask_one(engine: &Engine, line: &str, world: &World) -> Result<BTreeMap<Decider, usize>, String> {
    let row: Row = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let target = engine.policy().target();
    let operation = operation_named(target, &row.operation).map_err(|error| error.to_string())?;
    let mut request = Request::new(operation);
    request.closed = row.absent;
    for argument in &row.args {
        request.add_argument(target, argument).map_err(|error| error.to_string())?;
    }
    request.take_variables(world);
    match &row.path {
        None => Ok(deciders(engine, [&request])),
        Some(_) if !target.accepts(operation, PATH) => Err(format!("{} takes no path", row.operation)),
        Some(path) => {
            let verdict = engine.decide_path(&request, path.as_bytes(), world, None);
            Ok(deciders_on_the_way(&verdict.map_err(|error| error.to_string())?))
        }
    }
}

fn lines(evaluation: &Evaluation, counts: &BTreeMap<RuleId, usize>) -> Vec<Line> {
    let policy = &evaluation.policy;
    let target: &Target = policy.target();
    let printer = Printer::new(target, policy.version());
    let never: BTreeMap<RuleId, Reason> = never_decides(policy, Budget::default()).into_iter().collect();
    let place = |id: RuleId| {
        let location = policy.get(id)?.origin.as_ref()?.location;
        let (file, at) = evaluation.sources.position(location)?;
        Some((file.to_owned(), at.line, at.column))
    };
    let shown = |id: RuleId| match place(id) {
        Some((file, line, column)) => format!("{file}:{line}:{column}"),
        None => policy.get(id).map_or_else(String::new, |rule| one_line(&printer.rule(rule))),
    };
    let own = policy.iter().filter(|(_, rule)| rule.source == RuleSource::Profile);
    let line = |(id, rule)| Line {
        text: one_line(&printer.rule(rule)),
        place: place(id),
        decided: counts.get(&id).copied().unwrap_or(0),
        never: never.get(&id).map(|reason| match reason {
            Reason::Contradiction => ("contradiction", None),
            Reason::Shadowed(by) => ("shadowed", Some(shown(*by))),
            Reason::Covered => ("covered", None),
            Reason::Replaced(by) => ("replaced", Some(shown(*by))),
        }),
    };
    own.map(line).collect()
}

fn sentence(word: &str, by: Option<&str>) -> String {
    match (word, by) {
        ("contradiction", _) => "no request meets its filter".to_owned(),
        ("shadowed", Some(by)) => format!("{by} matches whatever it matches"),
        ("covered", _) => "later rules together match whatever it matches".to_owned(),
        (_, Some(by)) => format!("{by} takes its place"),
        (word, None) => word.to_owned(),
    }
}

fn text(lines: &[Line], counted: bool) -> String {
    let mut text = String::new();
    for line in lines {
        let count = match (&line.never, counted) {
            (Some(_), _) => "never".to_owned(),
            (None, true) => line.decided.to_string(),
            (None, false) => "can".to_owned(),
        };
        let place =
            line.place.as_ref().map_or_else(String::new, |(file, at, column)| format!("{file}:{at}:{column}: "));
        text.push_str(&format!("{count:>7}  {place}{}\n", line.text));
        if let Some((word, by)) = &line.never {
            text.push_str(&format!("         {}\n", sentence(word, by.as_deref())));
        }
    }
    let never = lines.iter().filter(|line| line.never.is_some()).count();
    let decided = lines.iter().filter(|line| line.decided > 0).count();
    let of = if counted { format!("{decided} decided, ") } else { String::new() };
    text.push_str(&format!("{} rules: {of}{never} can never decide\n", lines.len()));
    text
}

fn document(file: &Path, lines: &[Line], requests: Option<usize>) -> Value {
    let rows: Vec<Value> = lines
        .iter()
        .map(|line| {
            let (word, by) = line.never.as_ref().map(|(word, by)| (*word, by.as_deref())).unzip();
            json!({
                "rule": line.text,
                "file": line.place.as_ref().map(|place| &place.0),
                "line": line.place.as_ref().map(|place| place.1),
                "column": line.place.as_ref().map(|place| place.2),
                "decided": requests.is_some().then_some(line.decided),
                "never": word,
                "by": by.flatten(),
            })
        })
        .collect();
    json!({
        "file": file.display().to_string(),
        "requests": requests,
        "rules": rows,
        "summary": {
            "rules": lines.len(),
            "decided": requests.is_some().then(|| lines.iter().filter(|line| line.decided > 0).count()),
            "never": lines.iter().filter(|line| line.never.is_some()).count(),
        },
    })
}
