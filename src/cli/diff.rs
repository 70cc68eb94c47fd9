//! `sbpl diff`: what is different between two profiles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::changes::{self, names, request_text};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::side::{self, Side};
use super::{blob_file, files, input, shim};
use crate::blob::{self, BlobError, Options};
use crate::compile;
use crate::decide::{Budget, Request, Undecided};
use crate::diag::{Code, Source};
use crate::diff::blob::BlobDiff;
use crate::diff::semantic::{self, Change, Comparison};
use crate::diff::text::{Line, LineKind};
use crate::diff::{rules, text};
use crate::policy::print::Printer;
use crate::policy::{Policy, RuleId};
use crate::vocab::OpId;

const CODE_MODE: Code = Code("E0752");
pub(super) const CODE_TARGETS: Code = Code("E0751");

/// Compare two profiles: as texts, rule by rule, by what they allow, or as compiled bytes.
///
/// Exit status 0: no difference (or the check holds); 1: differences; 3: not all could be decided.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profile or compiled profile.
    a: PathBuf,
    /// Profile or compiled profile.
    b: PathBuf,
    /// What to compare; for blob a profile is compiled first. Without it: text for two profiles, blob for two compiled ones, semantic
    /// for one of each and for named profiles of collections.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Only check, over all requests: both answer alike, B allows whatever A allows, or nothing is allowed by both.
    #[arg(long, value_enum, conflicts_with = "mode")]
    check: Option<Check>,
    /// Shim applied to A first; may be repeated.
    #[arg(long, value_name = "NAME|FILE")]
    shim_a: Vec<PathBuf>,
    /// Shim applied to B first; may be repeated.
    #[arg(long, value_name = "NAME|FILE")]
    shim_b: Vec<PathBuf>,
    /// Which profile, when A is a collection.
    #[arg(long, value_name = "NAME")]
    profile_a: Option<String>,
    /// Which profile, when B is a collection.
    #[arg(long, value_name = "NAME")]
    profile_b: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Text,
    Rules,
    Semantic,
    Blob,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Check {
    Equal,
    Implies,
    Disjoint,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let standard_input = Path::new("-");
        if self.a == standard_input && self.b == standard_input {
            return Err(Failure::new(Exit::Usage, CODE_MODE, "only one side can be standard input"));
        }
        let named = self.profile_a.is_some() || self.profile_b.is_some();
        if named && self.mode.is_some_and(|mode| mode != Mode::Semantic) {
            let message = "--profile-a and --profile-b choose what --mode semantic compares";
            return Err(Failure::new(Exit::Usage, CODE_MODE, message));
        }
        let a = self.source(context, &self.a, &self.shim_a)?;
        let b = self.source(context, &self.b, &self.shim_b)?;
        let mode = match (self.mode, self.check) {
            (_, Some(_)) => Mode::Semantic,
            (Some(mode), None) => mode,
            (None, None) if named => Mode::Semantic,
            (None, None) => match [&a, &b].map(|source| blob_file::is_blob(source.text())) {
                [false, false] => Mode::Text,
                [true, true] => Mode::Blob,
                _ => Mode::Semantic,
            },
        };
        match mode {
            Mode::Text => Ok(texts(context, &a, &b)),
            Mode::Blob => self.blobs(context, a, b),
            Mode::Rules | Mode::Semantic => {
                let a = side::of_source(context, &self.a, a)?;
                let b = side::of_source(context, &self.b, b)?;
                if mode == Mode::Rules { rule_changes(context, &a, &b) } else { self.semantic(context, &a, &b) }
            }
        }
    }

    fn source(&self, context: &mut Context, path: &Path, shims: &[PathBuf]) -> Result<Source, Box<Failure>> {
        let source = files::read(context, path)?;
        if !shims.is_empty() && blob_file::is_blob(source.text()) {
            let message = format!("{}: shims are for profiles, not for compiled ones", path.display());
            return Err(Failure::new(Exit::Usage, CODE_MODE, message));
        }
        shim::applied(context, source, shims)
    }

    /// The bytes of a compiled profile; SBPL is compiled first.
    fn compiled(context: &mut Context, path: &Path, source: Source) -> Result<Arc<[u8]>, Box<Failure>> {
        match blob::detect(source.text()) {
            Err(BlobError::Text { what: blob::SBPL }) => {
                let evaluation = input::evaluate(context, source)?;
                let compiled = compile::compile(&evaluation.policy, &compile::Limits::default());
                compiled.map(|compiled| compiled.bytes.into()).map_err(|error| super::compile::failure(path, &error))
            }
            _ => Ok(source.shared_text()),
        }
    }

    fn blobs(&self, context: &mut Context, a: Source, b: Source) -> Result<Exit, Box<Failure>> {
        let (a, b) = (Self::compiled(context, &self.a, a)?, Self::compiled(context, &self.b, b)?);
        let difference = crate::diff::blob::blob(&a, &b, &Options::default()).map_err(|errors| {
            let which = if errors.a.is_some() { &self.a } else { &self.b };
            match errors.a.or(errors.b) {
                Some(error) => blob_file::failure(which, (&error).into()),
                None => Failure::new(Exit::BadInput, CODE_MODE, which.display().to_string()),
            }
        })?;
        if context.json {
            let mut document = json!({ "mode": "blob" });
            if let (Some(document), Value::Object(rows)) = (document.as_object_mut(), json!(difference)) {
                document.extend(rows);
            }
            context.print_json(&document);
        } else {
            context.print(blob_text(&difference));
        }
        Ok(if difference.identical { Exit::Fine } else { Exit::No })
    }

    fn semantic(&self, context: &mut Context, a: &Side, b: &Side) -> Result<Exit, Box<Failure>> {
        for (side, path, profile, option) in
            [(a, &self.a, &self.profile_a, "--profile-a"), (b, &self.b, &self.profile_b, "--profile-b")]
        {
            if let Side::Blob(program) = side {
                side::profile_of(path, program, profile.as_deref(), option)?;
            }
        }
        let [a, b] = [(a, &self.profile_a), (b, &self.profile_b)].map(|(side, profile)| match side {
            Side::Profile(evaluation) => semantic::Side::Policy(&evaluation.policy),
            Side::Blob(program) => semantic::Side::Program(program, profile.as_deref()),
        });
        let mut comparison = Comparison::new(a, b, Budget::default()).map_err(|error| match error {
            semantic::CompareError::Graph { side, error } => {
                side::graph_failure(if side == 0 { &self.a } else { &self.b }, &error)
            }
            other => Failure::new(Exit::BadInput, CODE_TARGETS, other.to_string())
                .with_help("--target gives the system for which profiles are evaluated"),
        })?;
        match self.check {
            Some(check) => Ok(checked(context, &mut comparison, check)),
            None => Ok(changes(context, &mut comparison)),
        }
    }
}

fn texts(context: &mut Context, a: &Source, b: &Source) -> Exit {
    let lines = text::unified((a.name(), a.text()), (b.name(), b.text()));
    if context.json {
        let rows: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        context.print_json(&json!({ "mode": "text", "equal": lines.is_empty(), "lines": rows }));
    } else {
        for Line { kind, text } in &lines {
            let style = match kind {
                LineKind::File => Style::new().bold(),
                LineKind::Hunk => AnsiColor::Cyan.on_default(),
                LineKind::Removed => AnsiColor::Red.on_default(),
                LineKind::Added => AnsiColor::Green.on_default(),
                LineKind::Same => Style::new(),
            };
            context.print(format!("{style}{text}{style:#}\n"));
        }
    }
    if lines.is_empty() { Exit::Fine } else { Exit::No }
}

fn rule_changes(context: &mut Context, a: &Side, b: &Side) -> Result<Exit, Box<Failure>> {
    let (Side::Profile(a), Side::Profile(b)) = (a, b) else {
        return Err(Failure::new(Exit::Usage, CODE_MODE, "rules are compared between profiles, not compiled ones")
            .with_help("--mode semantic compares what compiled profiles allow"));
    };
    let target = a.policy.target();
    let found = rules::rules(&a.policy, &b.policy);
    let shown = |policy: &Policy, id: Option<RuleId>| {
        let rule = policy.get(id?)?;
        Some(super::decided::one_line(&Printer::new(target, policy.version()).rule(rule)))
    };
    if context.json {
        let rows: Vec<Value> = found
            .iter()
            .map(|change| {
                json!({
                    "change": change.kind.name(),
                    "a": shown(&a.policy, change.a),
                    "b": shown(&b.policy, change.b),
                    "operations": names(target, &change.operations),
                })
            })
            .collect();
        context.print_json(&json!({ "mode": "rules", "equal": rows.is_empty(), "changes": rows }));
    } else {
        for change in &found {
            context.print(format!("{} in {}\n", change.kind.name(), names(target, &change.operations).join(", ")));
            let (old, new) = (shown(&a.policy, change.a), shown(&b.policy, change.b));
            if old == new {
                context.print(format!("    {}\n", old.unwrap_or_default()));
                continue;
            }
            old.into_iter().for_each(|old| context.print(format!("  - {old}\n")));
            new.into_iter().for_each(|new| context.print(format!("  + {new}\n")));
        }
    }
    Ok(if found.is_empty() { Exit::Fine } else { Exit::No })
}

fn changes(context: &mut Context, comparison: &mut Comparison) -> Exit {
    let target = comparison.target();
    let all = comparison.changes();
    let counts = changes::Counts::of(&all);
    if context.json {
        context.print_json(&json!({
            "mode": "semantic",
            "equal": counts.differing() + counts.undecided == 0,
            "undecided": counts.undecided,
            "operations": changes::rows(target, &all),
        }));
    } else if counts.differing() + counts.undecided == 0 {
        context.print(format!("equal: all {} operations decide alike\n", all.len()));
    } else {
        context.print(changes::text(target, &all));
    }
    match (counts.differing(), counts.undecided) {
        (0, 0) => Exit::Fine,
        (0, _) => Exit::Depends,
        _ => Exit::No,
    }
}

/// An operation with the request that was looked for, if there is one.
type Answered = (OpId, Result<Option<Request>, Undecided>);

/// The operations with a request that speaks against `check`, if there is one.
fn answers<'c>(comparison: &'c mut Comparison<'_>, check: Check) -> Box<dyn Iterator<Item = Answered> + 'c> {
    let of = move |change| match (change, check) {
        (Change::Undecided(reason), _) => Err(reason),
        (Change::Differs { widened, narrowed }, Check::Equal) => Ok(widened.or(narrowed)),
        (Change::Differs { narrowed, .. }, _) => Ok(narrowed),
        (Change::Equal, _) => Ok(None),
    };
    match check {
        Check::Disjoint => Box::new(comparison.operations().map(|operation| (operation, comparison.shared(operation)))),
        // What no diagram holds is decided here too.
        Check::Equal | Check::Implies => {
            Box::new(comparison.changes().into_iter().map(move |(operation, change)| (operation, of(change))))
        }
    }
}

fn checked(context: &mut Context, comparison: &mut Comparison, check: Check) -> Exit {
    let target = comparison.target();
    let (mut counter, mut open) = (None, Vec::new());
    for (operation, found) in answers(comparison, check) {
        match found {
            Ok(None) => {}
            Ok(Some(request)) => {
                counter = Some(request);
                break;
            }
            Err(reason) => open.push((operation, reason)),
        }
    }
    let word = check.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let holds = match (&counter, open.is_empty()) {
        (Some(_), _) => Some(false),
        (None, true) => Some(true),
        (None, false) => None,
    };
    let shown = counter.as_ref().map(|request| (target.operation(request.operation).name, request));
    if context.json {
        context.print_json(&json!({
            "check": word,
            "holds": holds,
            "counterexample": shown.map(|(name, request)| json!({ "operation": name, "values": request.words(target) })),
            "undecided": names(target, &open.iter().map(|(operation, _)| *operation).collect::<Vec<_>>()),
        }));
    } else {
        let answer = holds.map_or("undecided", |holds| if holds { "yes" } else { "no" });
        context.print(format!("{word}: {answer}\n"));
        if let Some((name, request)) = shown {
            context.print(format!("  {name} {}\n", request_text(target, request)));
        }
        for (operation, reason) in &open {
            context.print(format!("  {}: {reason}\n", target.operation(*operation).name));
        }
    }
    match holds {
        Some(true) => Exit::Fine,
        Some(false) => Exit::No,
        None => Exit::Depends,
    }
}

fn blob_text(difference: &BlobDiff) -> String {
    if difference.identical {
        return "identical\n".to_owned();
    }
    let mut text = format!("size: {} and {} bytes\n", difference.size_bytes.a, difference.size_bytes.b);
    text.push_str(&format!("sha256: {}\n        {}\n", difference.sha256.a, difference.sha256.b));
    if let Some(first) = &difference.first_difference {
        let byte = |byte: Option<u8>| byte.map_or("the end".to_owned(), |byte| format!("{byte:#04x}"));
        let section = first.section.map_or(String::new(), |section| format!(" in {section}"));
        let (a, b) = (byte(first.byte.a), byte(first.byte.b));
        text.push_str(&format!("first difference: byte {:#x}{section}: {a} and {b}\n", first.offset));
    }
    for (name, pair) in &difference.header {
        text.push_str(&format!("header {name}: {} and {}\n", pair.a, pair.b));
    }
    for (name, pair) in &difference.sections {
        text.push_str(&format!("section {name}: {} and {} bytes\n", pair.a, pair.b));
    }
    text.push_str(&format!("operation table: {} entries differ\n", difference.operations.len()));
    for (mark, only) in [("-", &difference.only_a), ("+", &difference.only_b)] {
        only.iter().for_each(|line| text.push_str(&format!("{mark} {line}\n")));
    }
    text
}
