//! `sbpl shim --learn`: the smallest shim for what was refused.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::changes::request_text;
use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::{files, input};
use super::{Args, Generalize};
use crate::decide::{Answer, Engine, PATH, Request, World, operation_named};
use crate::diag::{Code, Diagnostic, Source, SourceMap};
use crate::probe::artifact::RuntimeResults;
use crate::probe::bundle;
use crate::probe::registry::Decision;
use crate::sandbox::log::{self, Layer, Verdict};
use crate::shim::learn::{Denial, LearnError, Learned, Step, Unlearnable, learn};
use crate::vocab::Target;

const CODE_SOURCE: Code = Code("E0723");
const CODE_EXPECT: Code = Code("E0724");
const CODE_NOT_LEARNED: Code = Code("E0725");

/// Name of the document's format.
const SCHEMA: &str = "sbpl.shim_learn.v1";

/// What shall be let through, as far as it is known.
#[derive(Default)]
struct Wishes {
    requests: Vec<Request>,
    /// Refusals of which no request can be made.
    unclear: Vec<(String, Unlearnable)>,
    /// Lines that are not about the profile: what it allowed, what the platform refused.
    skipped: usize,
    /// Requests that shall stay refused.
    refused: Vec<Request>,
}

impl Wishes {
    fn add(&mut self, request: Request) {
        if !self.requests.contains(&request) {
            self.requests.push(request);
        }
    }

    fn add_denial(&mut self, target: &Target, denial: &Denial) {
        match denial.request(target) {
            Ok(request) => self.add(request),
            Err(reason) => {
                let shown = format!("{} {}", denial.operation, denial.argument.as_deref().unwrap_or_default());
                let row = (shown.trim_end().to_owned(), reason);
                if !self.unclear.contains(&row) {
                    self.unclear.push(row);
                }
            }
        }
    }

    /// A request as a program makes it: the path is walked, and each link on the way that may not be read is wanted too.
    fn add_walked(&mut self, engine: &Engine, request: Request, path: &str) -> Result<(), String> {
        let world = World::macos_14();
        let verdict = engine.decide_path(&request, path.as_bytes(), &world, None).map_err(|error| error.to_string())?;
        if let Some(metadata) = engine.policy().target().operation_named("file-read-metadata") {
            for (link, _) in verdict.links.iter().filter(|(_, verdict)| verdict.answer != Answer::Allow) {
                self.add(Request::new(metadata).with_path(link.clone()));
            }
        }
        self.add(request.with_path(verdict.resolved.path));
        Ok(())
    }
}

pub(super) fn run(args: &Args, file: &Path, context: &mut Context) -> Result<Exit, Box<Failure>> {
    let profile = input::text(context, file)?;
    let evaluation = input::evaluate(context, profile.clone())?;
    let target = evaluation.policy.target();
    let engine = Engine::new(evaluation.policy.clone());
    let mut wishes = Wishes::default();
    for source in &args.learn {
        read_source(context, args, &engine, source, &mut wishes)?;
    }
    for text in &args.expect {
        expected(&engine, text, &mut wishes)?;
    }
    let step = match args.generalize {
        Generalize::File => Step::File,
        Generalize::Directory => Step::Directory,
        Generalize::Subpath => Step::Subpath,
    };
    let options = input::options(context);
    let evaluate = |text: &[u8]| {
        let source = Source::new(profile.name(), text);
        input::evaluate_with(context, source, &options).map(|each| each.policy).map_err(|failure| failure.to_string())
    };
    let name = args.name.as_str();
    let learned = learn(name, profile.text(), &evaluation.policy, &wishes.requests, step, &options, evaluate)
        .map_err(|error| not_made(&profile, &error))?;
    let opened: Vec<&Request> = match learned.shim.as_deref() {
        None => Vec::new(),
        Some(shim) => still_refused(context, &profile, shim, &wishes)?,
    };
    let outcome = Outcome { target, wishes: &wishes, learned: &learned, opened };
    let shown = outcome.shim_text();
    if let Some(output) = &args.output {
        files::write_atomically(context, output, shown.as_bytes(), &[file])?;
    }
    outcome.warn(context);
    if context.json {
        context.print_json(&outcome.json(&profile, name, step));
    } else if args.output.is_none() {
        context.print(shown);
    }
    Ok(outcome.exit())
}

/// The requests that shall stay refused and are not with the shim.
fn still_refused<'w>(
    context: &Context,
    profile: &Source,
    shim: &[u8],
    wishes: &'w Wishes,
) -> Result<Vec<&'w Request>, Box<Failure>> {
    if wishes.refused.is_empty() {
        return Ok(Vec::new());
    }
    let mut text = profile.text().to_vec();
    for shim in crate::shim::parse(shim).unwrap_or_default() {
        text = crate::shim::apply(&shim, text, None).map_err(|error| not_made(profile, &error.into()))?.text;
    }
    let options = input::options(context);
    let after = input::evaluate_with(context, Source::new(profile.name(), text), &options)
        .map_err(|failure| Failure::from_diagnostics(Exit::BadInput, failure.diagnostics, failure.sources))?;
    let engine = Engine::new(after.policy);
    Ok(wishes.refused.iter().filter(|request| engine.decide(request).answer != Answer::Deny).collect())
}

fn not_made(profile: &Source, error: &LearnError) -> Box<Failure> {
    let mut sources = SourceMap::new();
    let id = sources.add(profile.clone());
    let diagnostic = match error {
        LearnError::Apply(crate::shim::ApplyError::Profile(errors)) => {
            return Failure::from_diagnostics(
                Exit::BadInput,
                errors.iter().map(|error| error.to_diagnostic(id)).collect(),
                sources,
            );
        }
        other => Diagnostic::error(CODE_NOT_LEARNED, other.to_string()),
    };
    Failure::from_diagnostics(Exit::BadInput, vec![diagnostic], SourceMap::new())
}

/// A line of `sbpl exec --log-denials`.
#[derive(Deserialize)]
struct Line {
    operation: String,
    #[serde(default)]
    argument: Option<String>,
}

/// A run bundle, lines of JSON that `exec` writes, or a log of macOS.
fn read_source(
    context: &Context,
    args: &Args,
    engine: &Engine,
    path: &Path,
    wishes: &mut Wishes,
) -> Result<(), Box<Failure>> {
    if path.is_dir() {
        return read_bundle(context, args, engine, path, wishes);
    }
    let target = engine.policy().target();
    let source = files::read(context, path)?;
    let text = String::from_utf8_lossy(source.text());
    let lines: Option<Vec<Line>> =
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).ok()).collect();
    if let Some(lines) = lines {
        for line in lines {
            wishes.add_denial(target, &Denial { operation: line.operation, argument: line.argument, local: false });
        }
        return Ok(());
    }
    for entry in log::read(&text).entries {
        if entry.layer != Layer::Sandbox || entry.verdict != Verdict::Deny {
            wishes.skipped += 1;
            continue;
        }
        let denial = Denial { operation: entry.operation, argument: entry.argument, local: entry.local };
        wishes.add_denial(target, &denial);
    }
    Ok(())
}

/// The probes of a run that were expected to be allowed and were not.
fn read_bundle(
    context: &Context,
    args: &Args,
    engine: &Engine,
    path: &Path,
    wishes: &mut Wishes,
) -> Result<(), Box<Failure>> {
    let bad = |message: String| Failure::new(Exit::BadInput, CODE_SOURCE, format!("{}: {message}", path.display()));
    let folder = bundle::locate(path).map_err(|error| bad(error.to_string()))?;
    let source = files::read(context, &folder.join("runtime_results.json"))?;
    let results: RuntimeResults = serde_json::from_slice(source.text()).map_err(|error| bad(error.to_string()))?;
    let known = || results.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let profile = match (&args.key, results.len()) {
        (Some(key), _) => {
            results.get(key.as_str()).ok_or_else(|| bad(format!("no profile {key}; it has {}", known())))?
        }
        (None, 1) => results.values().next().ok_or_else(|| bad("no profile".to_owned()))?,
        (None, _) => {
            return Err(bad(format!("it has several profiles: {}", known())).with_help("--key says which one FILE is"));
        }
    };
    for probe in &profile.probes {
        if (probe.expected, probe.actual) != (Some(Decision::Allow), Some(Decision::Deny)) {
            wishes.skipped += 1;
            continue;
        }
        let denial = Denial { operation: probe.operation.clone(), argument: probe.path.clone(), local: false };
        match (&probe.path, denial.request(engine.policy().target())) {
            (Some(path), Ok(request)) if path.starts_with('/') => {
                let request = Request::new(request.operation);
                wishes.add_walked(engine, request, path).map_err(bad)?;
            }
            _ => wishes.add_denial(engine.policy().target(), &denial),
        }
    }
    Ok(())
}

/// `allow OPERATION [PATH] [FILTER=VALUE]…`
fn expected(engine: &Engine, text: &str, wishes: &mut Wishes) -> Result<(), Box<Failure>> {
    let target = engine.policy().target();
    let bad = |message: String| {
        Failure::new(Exit::Usage, CODE_EXPECT, format!("--expect '{text}': {message}"))
            .with_help("expected 'allow|deny OPERATION [PATH] [FILTER=VALUE]…'")
    };
    let mut words = text.split_ascii_whitespace();
    let allow = match words.next() {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Err(bad("neither allow nor deny".to_owned())),
    };
    let name = words.next().ok_or_else(|| bad("no operation".to_owned()))?;
    let mut request = Request::new(operation_named(target, name).map_err(|error| bad(error.to_string()))?);
    let mut path = None;
    for word in words {
        match word.starts_with('/') && target.accepts(request.operation, PATH) {
            true => path = Some(word),
            false => request.add_argument(target, word).map_err(|error| bad(error.to_string()))?,
        }
    }
    match (allow, path) {
        (true, Some(path)) => wishes.add_walked(engine, request, path).map_err(bad)?,
        (true, None) => wishes.add(request),
        (false, Some(path)) => {
            let resolved = World::macos_14().resolve(path.as_bytes(), true).map_err(|error| bad(error.to_string()))?;
            wishes.refused.push(request.with_path(resolved.path));
        }
        (false, None) => wishes.refused.push(request),
    }
    Ok(())
}

/// What was learned, ready to be shown.
struct Outcome<'a> {
    target: &'static Target,
    wishes: &'a Wishes,
    learned: &'a Learned,
    /// Requests that shall stay refused and do not.
    opened: Vec<&'a Request>,
}

impl Outcome<'_> {
    /// Whether the shim does what it says; there may be requests that it is not about.
    fn is_proved(&self) -> bool {
        self.learned.unproved.is_empty() && self.learned.kept.is_proved() && self.opened.is_empty()
    }

    fn exit(&self) -> Exit {
        let learned = self.learned;
        let complete = learned.unlearnable.is_empty()
            && learned.unproved.is_empty()
            && learned.kept.broken.is_empty()
            && self.wishes.unclear.is_empty()
            && self.opened.is_empty();
        match (complete, learned.kept.undecided.is_empty()) {
            (false, _) => Exit::No,
            (true, false) => Exit::Depends,
            (true, true) => Exit::Fine,
        }
    }

    fn request(&self, request: &Request) -> String {
        format!("{} {}", self.target.operation(request.operation).name, request_text(self.target, request))
    }

    fn asked(&self, place: usize) -> String {
        self.wishes.requests.get(place).map_or_else(String::new, |request| self.request(request))
    }

    /// The shim file, with what it is for in comments.
    fn shim_text(&self) -> String {
        let learned = self.learned;
        let Some(shim) = &learned.shim else { return String::new() };
        let proved = match self.is_proved() {
            true => "proved over all requests: it allows them and nothing that its contract does not say",
            false => "not proved; see the warnings",
        };
        let requests: usize = learned.rules.iter().map(|rule| rule.requests.len()).sum();
        let noun = if requests == 1 { "request" } else { "requests" };
        let mut text = format!(";; Learned from {requests} {noun}, {proved}.\n");
        for rule in &learned.rules {
            text.push_str(&format!(";; {}\n", rule.rule));
            for place in &rule.requests {
                text.push_str(&format!(";;   lets through {}\n", self.asked(*place)));
            }
            for wider in &rule.wider {
                let opens = match &wider.opens {
                    Some(request) => format!("would also open {}", self.request(request)),
                    None => "would open nothing else".to_owned(),
                };
                text.push_str(&format!(";;   wider ({}): {} {opens}\n", wider.step.name(), wider.rule));
            }
        }
        text.push_str(&String::from_utf8_lossy(shim));
        text
    }

    fn warn(&self, context: &mut Context) {
        let learned = self.learned;
        let unlearnable = learned.unlearnable.iter().map(|(place, reason)| (self.asked(*place), reason));
        let unclear = self.wishes.unclear.iter().map(|(shown, reason)| (shown.clone(), reason));
        let mut texts: Vec<String> =
            unclear.chain(unlearnable).map(|(shown, reason)| format!("not learned: {shown}: {reason}")).collect();
        texts.extend(learned.unproved.iter().map(|place| format!("not proved to be allowed: {}", self.asked(*place))));
        texts.extend(self.opened.iter().map(|request| format!("no longer refused: {}", self.request(request))));
        let breaches = learned.kept.broken.iter().chain(&learned.kept.undecided);
        texts.extend(breaches.map(|breach| match &breach.found {
            Ok(request) => format!("the shim opens more than was asked for: {}", self.request(request)),
            Err(reason) => format!("not decided for {}: {reason}", self.target.operation(breach.operation).name),
        }));
        let warnings: Vec<Diagnostic> =
            texts.into_iter().map(|text| Diagnostic::warning(CODE_NOT_LEARNED, text)).collect();
        context.report(&SourceMap::new(), &warnings);
        if learned.shim.is_none() {
            context.tell(match learned.allowed_before.len() {
                0 if self.wishes.requests.is_empty() => "nothing to learn: no refusal was found".to_owned(),
                1 => "nothing to learn: the request is allowed already".to_owned(),
                count => format!("nothing to learn: {count} requests are allowed already"),
            });
        }
    }

    fn json(&self, profile: &Source, name: &str, step: Step) -> Value {
        let learned = self.learned;
        let row = |request: &Request| json!({ "operation": self.target.operation(request.operation).name, "values": request.words(self.target) });
        let place = |place: &usize| self.wishes.requests.get(*place).map(row);
        let rules: Vec<Value> = learned
            .rules
            .iter()
            .map(|rule| {
                let wider = rule.wider.iter().map(|wider| {
                    json!({
                        "step": wider.step.name(),
                        "rule": wider.rule,
                        "covers": wider.covers,
                        "opens": wider.opens.as_ref().map(row),
                    })
                });
                json!({
                    "rule": rule.rule,
                    "requests": rule.requests.iter().filter_map(place).collect::<Vec<_>>(),
                    "wider": wider.collect::<Vec<_>>(),
                })
            })
            .collect();
        let unlearnable = learned.unlearnable.iter().map(|(place, reason)| (self.asked(*place), reason));
        let unclear = self.wishes.unclear.iter().map(|(shown, reason)| (shown.clone(), reason));
        let not_learned =
            unclear.chain(unlearnable).map(|(shown, reason)| json!({ "request": shown, "reason": reason.to_string() }));
        json!({
            "schema_version": SCHEMA,
            "file": profile.name(),
            "target": self.target.name(),
            "name": name,
            "step": step.name(),
            "proved": self.is_proved(),
            "shim": learned.shim.as_ref().map(|shim| String::from_utf8_lossy(shim)),
            "rules": rules,
            "allowed_before": learned.allowed_before.iter().filter_map(place).collect::<Vec<_>>(),
            "not_learned": not_learned.collect::<Vec<_>>(),
            "unproved": learned.unproved.iter().filter_map(place).collect::<Vec<_>>(),
            "no_longer_refused": self.opened.iter().map(|request| row(request)).collect::<Vec<_>>(),
            "skipped": self.wishes.skipped,
        })
    }
}
