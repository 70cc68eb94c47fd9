//! The options that every verb takes, and what verbs get to work with.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use anstream::AutoStream;
use clap::{Args, ValueEnum};
use indexmap::IndexMap;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::{files, render};
use crate::diag::{Code, Diagnostic, SourceMap};
use crate::profile::Limits;
use crate::syntax::SyntaxLimits;
use crate::vocab::{self, Target};

/// Options that mean the same for every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// System whose names, defaults and format are meant.
    #[arg(long, global = true, value_name = "TARGET", default_value = vocab::DEFAULT_TARGET)]
    target: String,
    /// Parameter for the profile, as `sandbox-exec -D`; may be repeated.
    #[arg(short = 'D', global = true, value_name = "KEY=VALUE")]
    define: Vec<String>,
    /// Parameters from a JSON object of strings; `-D` wins over it.
    #[arg(long, global = true, value_name = "FILE.json")]
    params: Option<PathBuf>,
    /// Entitlements of an app from a JSON object: binds `*entitlements*`.
    #[arg(long, global = true, value_name = "FILE.json")]
    entitlements: Option<PathBuf>,
    /// Directory searched for imports, before the system ones; may be repeated.
    #[arg(short = 'I', long = "import-dir", global = true, value_name = "DIR")]
    import_dirs: Vec<PathBuf>,
    /// Let profiles import files by absolute path from anywhere.
    #[arg(long, global = true)]
    allow_absolute_imports: bool,
    /// Raise or lower a limit, e.g. `input-bytes=200000000`; may be repeated. An unknown name lists all of them.
    #[arg(long, global = true, value_name = "NAME=NUMBER")]
    limit: Vec<String>,
    /// Print one JSON document on standard output and nothing else.
    #[arg(long, global = true)]
    json: bool,
    /// When to colour.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
    /// Print no warnings and no progress.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

const CODE_TARGET: Code = Code("E0701");
const CODE_DEFINE: Code = Code("E0702");
const CODE_LIMIT: Code = Code("E0703");
const CODE_PARAMS: Code = Code("E0704");

/// Largest input that is read, in bytes, unless `--limit input-bytes=…` says otherwise.
const DEFAULT_INPUT_BYTES: u64 = 256 << 20;

/// Names for `--limit`, what they bound and their defaults; rooms look theirs up by name.
pub(super) const LIMITS: &[(&str, &str, u64)] = &[
    ("input-bytes", "size of one input", DEFAULT_INPUT_BYTES),
    ("text-bytes", "size of one profile", SyntaxLimits::DEFAULT.max_bytes as u64),
    ("tokens", "tokens of one profile", SyntaxLimits::DEFAULT.max_tokens as u64),
    ("nesting", "lists inside each other in one profile", SyntaxLimits::DEFAULT.max_depth as u64),
    ("syntax-errors", "syntax errors shown of one profile", SyntaxLimits::DEFAULT.max_errors as u64),
    ("steps", "steps of an evaluation", Limits::DEFAULT.steps),
    ("heap-bytes", "memory of an evaluation", Limits::DEFAULT.heap_bytes as u64),
    ("call-depth", "calls inside each other", Limits::DEFAULT.depth as u64),
    ("imports", "files imported", Limits::DEFAULT.imports as u64),
    ("import-depth", "imports inside each other", Limits::DEFAULT.import_depth as u64),
    ("import-bytes", "size of all imported files", Limits::DEFAULT.import_bytes as u64),
    ("rules", "rules of a policy", Limits::DEFAULT.rules as u64),
    ("filter-tests", "tests in all filters of a policy", Limits::DEFAULT.filter_tests as u64),
    ("warnings", "warnings shown of one profile", Limits::DEFAULT.warnings as u64),
    ("minimize-tests", "texts that `sbpl minimize` tries", crate::minimize::Options::TESTS as u64),
    ("filter-depth", "filters inside each other, at most 256", Limits::DEFAULT.filter_depth as u64),
];

/// What a verb works with: resolved common options and the two output streams.
pub(super) struct Context {
    pub(super) target: &'static Target,
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) import_dirs: Vec<PathBuf>,
    pub(super) allow_absolute_imports: bool,
    /// Parameters in the order given: `--params` first, then `-D`.
    pub(super) params: IndexMap<String, String>,
    /// Entitlements, when the profile is that of an app.
    pub(super) entitlements: Option<serde_json::Map<String, serde_json::Value>>,
    limits: BTreeMap<&'static str, u64>,
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    written: io::Result<()>,
}

impl Context {
    pub(super) fn new(common: Common) -> Result<Self, Box<Failure>> {
        let target =
            vocab::target(&common.target).map_err(|error| Failure::new(Exit::Usage, CODE_TARGET, error.to_string()))?;
        let limits = parse_limits(&common.limit)?;
        let choice = match common.color {
            Colour::Auto => anstream::ColorChoice::Auto,
            Colour::Always => anstream::ColorChoice::Always,
            Colour::Never => anstream::ColorChoice::Never,
        };
        let mut context = Self {
            target,
            json: common.json,
            quiet: common.quiet,
            import_dirs: common.import_dirs,
            allow_absolute_imports: common.allow_absolute_imports,
            params: IndexMap::new(),
            entitlements: None,
            limits,
            out: AutoStream::new(io::stdout(), choice),
            err: AutoStream::new(io::stderr(), choice),
            written: Ok(()),
        };
        if let Some(path) = &common.params {
            context.params = read_params(&context, path)?;
        }
        if let Some(path) = &common.entitlements {
            context.entitlements = Some(read_entitlements(&context, path)?);
        }
        for definition in &common.define {
            let Some((key, value)) = definition.split_once('=').filter(|(key, _)| !key.is_empty()) else {
                let message = format!("-D {definition}: expected KEY=VALUE");
                return Err(Failure::new(Exit::Usage, CODE_DEFINE, message));
            };
            context.params.insert(key.to_owned(), value.to_owned());
        }
        Ok(context)
    }

    /// The bound called `name` of [`LIMITS`].
    pub(super) fn limit(&self, name: &str) -> u64 {
        let default = LIMITS.iter().find(|(known, ..)| *known == name).map_or(u64::MAX, |row| row.2);
        self.limits.get(name).copied().unwrap_or(default)
    }

    /// How much of a profile's text is read.
    pub(super) fn syntax_limits(&self) -> SyntaxLimits {
        let limit = |name| u32::try_from(self.limit(name)).unwrap_or(u32::MAX);
        SyntaxLimits {
            max_bytes: limit("text-bytes"),
            max_tokens: limit("tokens"),
            max_depth: limit("nesting"),
            max_errors: limit("syntax-errors"),
        }
    }

    /// Writes text to standard output. A failure is remembered and ends the command with 74.
    pub(super) fn print(&mut self, text: impl AsRef<[u8]>) {
        if self.written.is_ok() {
            self.written = self.out.write_all(text.as_ref());
        }
    }

    /// Writes bytes to standard output as they are, escape sequences included.
    pub(super) fn print_raw(&mut self, bytes: &[u8]) {
        if self.written.is_ok() {
            self.written = self.out.as_inner().write_all(bytes);
        }
    }

    /// Writes one JSON document and a newline to standard output.
    pub(super) fn print_json(&mut self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.print(text + "\n"),
            Err(error) => self.written = Err(io::Error::other(error)),
        }
    }

    /// Shows diagnostics on standard error; warnings and notes not with `-q`.
    pub(super) fn report(&mut self, sources: &SourceMap, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            if self.quiet && diagnostic.severity < crate::diag::Severity::Error {
                continue;
            }
            render::write(&mut self.err, sources, diagnostic);
        }
    }

    /// One line of progress on standard error; nothing with `-q`.
    pub(super) fn tell(&mut self, line: impl std::fmt::Display) {
        if !self.quiet {
            // Progress that cannot be shown is no reason to stop.
            let _ = writeln!(self.err, "{line}");
        }
    }

    /// One line on standard error that was asked for: also with `-q`.
    pub(super) fn tell_always(&mut self, line: impl std::fmt::Display) {
        // When standard error is gone there is nobody to tell.
        let _ = writeln!(self.err, "{line}");
    }

    /// Flushes, reports a failure, and gives the exit status.
    pub(super) fn finish(mut self, outcome: Result<Exit, Box<Failure>>) -> Exit {
        let exit = match outcome {
            Ok(exit) => exit,
            Err(failure) => {
                self.report(&failure.sources, &failure.diagnostics);
                failure.exit
            }
        };
        let flushed = std::mem::replace(&mut self.written, Ok(())).and_then(|()| self.out.flush());
        match flushed {
            Ok(()) => exit,
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit,
            Err(error) => {
                let message = format!("standard output: {}", files::describe(&error));
                render::write(&mut self.err, &SourceMap::new(), &Diagnostic::error(files::CODE_WRITE, message));
                Exit::CannotWrite
            }
        }
    }
}

fn parse_limits(given: &[String]) -> Result<BTreeMap<&'static str, u64>, Box<Failure>> {
    let mut limits = BTreeMap::new();
    for text in given {
        let parsed = text.split_once('=').and_then(|(name, number)| {
            let row = LIMITS.iter().find(|(known, ..)| *known == name)?;
            Some((row.0, number.parse::<u64>().ok()?))
        });
        let Some((name, number)) = parsed else {
            let known = LIMITS.iter().map(|(name, what, default)| format!("{name} ({what}; {default})"));
            let message = format!("--limit {text}: expected NAME=NUMBER");
            return Err(Failure::new(Exit::Usage, CODE_LIMIT, message)
                .with_help(format!("known limits: {}", known.collect::<Vec<_>>().join(", "))));
        };
        limits.insert(name, number);
    }
    Ok(limits)
}

fn read_params(context: &Context, path: &std::path::Path) -> Result<IndexMap<String, String>, Box<Failure>> {
    let source = files::read(context, path)?;
    serde_json::from_slice(source.text()).map_err(|error| {
        let message = format!("{}: expected a JSON object whose values are strings: {error}", path.display());
        Failure::new(Exit::BadInput, CODE_PARAMS, message)
    })
}

fn read_entitlements(
    context: &Context,
    path: &std::path::Path,
) -> Result<serde_json::Map<String, serde_json::Value>, Box<Failure>> {
    let source = files::read(context, path)?;
    serde_json::from_slice(source.text()).map_err(|error| {
        let message = format!("{}: expected a JSON object: {error}", path.display());
        Failure::new(Exit::BadInput, CODE_PARAMS, message)
    })
}
