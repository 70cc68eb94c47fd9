//! `sbpl shim`: declarative changes to a profile.

mod learn;
mod report;
mod stage;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};

use stage::{Done, Stage, refuse_broken, warn_unproved};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{files, input};
use crate::diag::{Code, Diagnostic, Severity, Source, SourceMap};
use crate::shim::{self, ApplyError, Bound, Shim, ShimError};

const CODE_UNKNOWN_SHIM: Code = Code("E0720");
const CODE_NOT_APPLIED: Code = Code("E0721");

/// Apply shims to a profile, or list those that are built in.
///
/// A shim that states what it widens or narrows is held to it, over all requests: one that changes more is refused with a
/// request that shows it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profile; `-` is standard input.
    #[arg(required_unless_present = "list")]
    file: Option<PathBuf>,
    /// Name of a built-in shim, or a shim file, all of whose shims are applied; may be repeated.
    #[arg(long = "shim", value_name = "NAME|FILE", required_unless_present_any = ["list", "learn", "expect"])]
    shims: Vec<PathBuf>,
    /// Profile id, for the rules that a shim has for one profile only.
    #[arg(long, value_name = "PROFILE_ID")]
    key: Option<String>,
    /// Where to write the text; standard output without it.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Say what the shims change, operation by operation, with a request for each change, instead of printing the profile. Exit
    /// status 0: every contract is kept; 1: one is broken; 3: not all could be decided.
    #[arg(long, conflicts_with = "output")]
    report: bool,
    /// Make the smallest shim that lets through what was refused: SOURCE is a run bundle, a log of macOS, or the lines that
    /// `exec --log-denials` writes. May be repeated.
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["shims", "report"])]
    learn: Vec<PathBuf>,
    /// A request that the learned shim lets through, 'allow OPERATION [PATH] [FILTER=VALUE]…', or that stays refused, 'deny …'.
    /// May be repeated.
    #[arg(long, value_name = "REQUEST", conflicts_with_all = ["shims", "report"])]
    expect: Vec<String>,
    /// How far learned rules go where two or more files share a directory: those files, all files of the directory, or all
    /// below it.
    #[arg(long, value_enum, default_value_t = Generalize::File)]
    generalize: Generalize,
    /// What the learned shim is called.
    #[arg(long, value_name = "NAME", default_value = "learned")]
    name: String,
    /// List the built-in shims.
    #[arg(long, conflicts_with_all = ["file", "shims", "key", "output", "report", "learn", "expect"])]
    list: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Generalize {
    File,
    Directory,
    Subpath,
}

/// A shim and the file it is from.
struct Chosen {
    shim: Shim,
    source: Source,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let Some(file) = self.file.clone() else {
            list(context);
            return Ok(Exit::Fine);
        };
        if !self.learn.is_empty() || !self.expect.is_empty() {
            return learn::run(&self, &file, context);
        }
        let mut chosen = Vec::new();
        for name in &self.shims {
            chosen.extend(choose(context, name)?);
        }
        let original = input::text(context, &file)?;
        let key = self.key.as_deref();
        let mut stage = Stage::new(original.clone());
        let mut applied = Vec::new();
        for Chosen { shim, source } in chosen {
            warn_without_key(context, &shim, key);
            let (edits, contract) = stage.apply(context, &shim, &source, key)?;
            if !self.report {
                refuse_broken(&source, &contract)?;
                warn_unproved(context, &shim, &contract);
            }
            applied.push(Done { shim, edits, contract });
        }
        if self.report {
            return report::report(context, &original, &mut stage, key, &applied);
        }
        let text = stage.source.shared_text();
        if let Some(output) = &self.output {
            let inputs: Vec<&Path> =
                [file.as_path()].into_iter().chain(self.shims.iter().map(PathBuf::as_path)).collect();
            files::write_atomically(context, output, &text, &inputs)?;
        }
        if context.json {
            let reports: Vec<Value> = applied
                .iter()
                .map(|Done { shim, edits, contract }| {
                    json!({ "shim": shim.name, "contract": contract.name(), "edits": edits })
                })
                .collect();
            context.print_json(&json!({
                "file": original.name(),
                "key": key,
                "changed": &*text != original.text(),
                "shims": reports,
                "text": String::from_utf8_lossy(&text),
            }));
        } else if self.output.is_none() {
            context.print_raw(&text);
        }
        Ok(Exit::Fine)
    }
}

/// The profile's text with the shims called `names` applied, in order.
///
/// # Errors
/// An unknown shim, a shim or profile that is wrong.
pub(super) fn applied(context: &mut Context, profile: Source, names: &[PathBuf]) -> Result<Source, Box<Failure>> {
    let mut profile = profile;
    for name in names {
        for Chosen { shim, source } in choose(context, name)? {
            let applied =
                shim::apply(&shim, profile.shared_text(), None).map_err(|error| failure(&profile, &source, error))?;
            warn_without_key(context, &shim, None);
            profile = Source::new(profile.name(), applied.text);
        }
    }
    Ok(profile)
}

/// The same, each shim held to its contract: for commands that act on what comes of it.
///
/// # Errors
/// As [`applied`], and a contract that is broken.
pub(super) fn held(context: &mut Context, profile: Source, names: &[PathBuf]) -> Result<Source, Box<Failure>> {
    let mut stage = Stage::new(profile);
    for name in names {
        for Chosen { shim, source } in choose(context, name)? {
            warn_without_key(context, &shim, None);
            let (_, contract) = stage.apply(context, &shim, &source, None)?;
            refuse_broken(&source, &contract)?;
            warn_unproved(context, &shim, &contract);
        }
    }
    Ok(stage.source)
}

fn choose(context: &Context, name: &Path) -> Result<Vec<Chosen>, Box<Failure>> {
    if let Some(shim) = name.to_str().and_then(shim::built_in) {
        return Ok(vec![Chosen { shim: shim.clone(), source: Source::new(shim.name.as_str(), shim.text()) }]);
    }
    let looks_like_name = name.components().count() == 1 && name.extension().is_none() && name != Path::new("-");
    if looks_like_name && !name.exists() {
        let known: Vec<_> = shim::built_ins().iter().map(|shim| shim.name.as_str()).collect();
        return Err(Failure::new(Exit::Usage, CODE_UNKNOWN_SHIM, format!("no shim is called '{}'", name.display()))
            .with_help(format!("built in: {}; a file's name works too", known.join(", "))));
    }
    let source = files::read(context, name)?;
    match shim::parse(source.text()) {
        Ok(shims) => Ok(shims.into_iter().map(|shim| Chosen { shim, source: source.clone() }).collect()),
        Err(errors) => {
            let mut sources = SourceMap::new();
            let id = sources.add(source);
            let diagnostics = errors.iter().map(|error| error.to_diagnostic(id)).collect();
            Err(Failure::from_diagnostics(Exit::BadInput, diagnostics, sources))
        }
    }
}

fn failure(profile: &Source, shim: &Source, error: ApplyError) -> Box<Failure> {
    let mut sources = SourceMap::new();
    let diagnostics = match error {
        ApplyError::Profile(errors) => {
            let id = sources.add(profile.clone());
            errors.iter().map(|error| error.to_diagnostic(id)).collect()
        }
        ApplyError::Shim(error) => return shim_failure(shim, &error),
    };
    Failure::from_diagnostics(Exit::BadInput, diagnostics, sources)
}

fn shim_failure(shim: &Source, error: &ShimError) -> Box<Failure> {
    let mut sources = SourceMap::new();
    let id = sources.add(shim.clone());
    Failure::from_diagnostics(Exit::BadInput, vec![error.to_diagnostic(id)], sources)
}

fn warn_without_key(context: &mut Context, shim: &Shim, key: Option<&str>) {
    let profiles = shim.profiles();
    if profiles.is_empty() || key.is_some_and(|key| profiles.contains(&key)) {
        return;
    }
    let message = format!("shim '{}' has rules only for {}", shim.name, profiles.join(", "));
    let mut warning = Diagnostic::warning(CODE_NOT_APPLIED, message).with_help("give the profile's id with --key");
    warning.severity = Severity::Warning;
    context.report(&SourceMap::new(), &[warning]);
}

fn list(context: &mut Context) {
    let shims = shim::built_ins();
    if context.json {
        let rows: Vec<_> = shims.iter().map(shim_json).collect();
        context.print_json(&json!({ "shims": rows }));
        return;
    }
    let width = shims.iter().map(|shim| shim.name.len()).max().unwrap_or(0);
    for shim in shims {
        context.print(format!("{:width$}  {}\n", shim.name, shim.doc));
    }
}

fn shim_json(shim: &Shim) -> Value {
    let bound = |bound: &Option<Bound>| match bound {
        None => Value::Null,
        Some(Bound::Nothing) => json!("nothing"),
        Some(Bound::Anything) => json!("anything"),
        Some(Bound::Only(scopes)) => scopes
            .iter()
            .map(|scope| {
                let filters: Vec<_> = scope.filters.iter().map(|text| String::from_utf8_lossy(text)).collect();
                json!({ "operations": scope.operations, "filters": filters })
            })
            .collect(),
    };
    json!({
        "name": shim.name,
        "doc": shim.doc,
        "profiles": shim.profiles(),
        "widens": bound(&shim.widens),
        "narrows": bound(&shim.narrows),
        "text": String::from_utf8_lossy(shim.text()),
    })
}
