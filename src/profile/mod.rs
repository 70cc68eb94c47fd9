//! From a profile to its policy: the forms of SBPL on top of Scheme.
//!
//! [`evaluate`] runs a profile once, as the compiler does, and gives the [`Policy`] that it leaves: versions and their
//! preludes, rules, filters, modifiers, imports, parameters, entitlements, implicit rules. Tree in, policy out. The room
//! knows nothing of blobs and opens no file: imported texts come through a [`Loader`].
//!
//! ```
//! use sbpl::diag::Source;
//! use sbpl::policy::print;
//! use sbpl::profile::{EvalOptions, NoImports, evaluate};
//!
//! let text = br#"(version 1) (define (reads . paths) (allow file-read* (apply subpath paths))) (reads "/a" "/b")"#;
//! let evaluation = evaluate(Source::new("p.sb", &text[..]), &NoImports, &EvalOptions::default())?;
//! let flat = b"(version 1)\n(allow file-read* (subpath \"/a\") (subpath \"/b\"))\n";
//! assert_eq!(print::policy(&evaluation.policy, false), flat);
//! # Ok::<(), Box<sbpl::profile::EvalFailure>>(())
//! ```
//!
//! **Invariants:** every evaluation ends within its [`Limits`]; the first error stops it, as it stops the compiler; equal
//! inputs give equal policies and equal warnings; every rule of the profile says where it was written.

mod codes;
mod data;
mod direct;
mod directive;
mod error;
mod filters;
mod hints;
mod host;
mod implicit;
mod library;
mod limits;
mod loader;
mod network;
mod object;
mod report;
mod rules;

pub(crate) use codes::OBSOLETE_OPERATION;
pub use codes::{CODES, IMPORT_CODES};
pub use error::ProfileError;
pub(crate) use implicit::{has_flow_divert, implicit_self};
pub use limits::Limits;
pub use loader::{ImportError, ImportRequest, Loader, MemoryLoader, NoImports};
pub use report::apple_text;

use indexmap::IndexMap;

use crate::diag::{Diagnostic, Source, SourceMap};
use crate::policy::Policy;
use crate::scheme::{Machine, Value};
use crate::syntax::parse;
use crate::vocab::{Target, default_target};
use host::Evaluator;

/// Parameters, in the order given.
pub type Params = IndexMap<String, String>;

/// What decides, besides its text, what a profile means.
#[derive(Debug, Clone)]
pub struct EvalOptions {
    /// The system whose names and defaults apply.
    pub target: &'static Target,
    /// Parameters. `None` is a compiler called without a parameter object, where pattern variables are on
    /// (`spec/versions-and-defaults.md` section 1.1.5); an empty object is the usual case.
    pub params: Option<Params>,
    /// The entitlements of an app; `None`: no app profile, `*entitlements*` is not bound.
    pub entitlements: Option<serde_json::Map<String, serde_json::Value>>,
    /// The lowest SBPL version that is accepted.
    pub minimum_version: Option<u8>,
    /// Bounds.
    pub limits: Limits,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            target: default_target(),
            params: Some(Params::new()),
            entitlements: None,
            minimum_version: None,
            limits: Limits::default(),
        }
    }
}

impl EvalOptions {
    /// Whether `${…}` in paths stands for a variable.
    pub fn has_pattern_variables(&self) -> bool {
        self.params.as_ref().is_none_or(|params| params.contains_key("ENABLE_PATTERN_VARIABLES"))
    }
}

/// What an evaluation gives.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The rules.
    pub policy: Policy,
    /// The profile and all imported texts; locations point into them.
    pub sources: SourceMap,
    /// What the compiler would warn about.
    pub warnings: Vec<Diagnostic>,
    /// Parameters that the profile asked for and that were not given, in the order of asking.
    pub missing_params: Vec<String>,
    /// Steps of the machine.
    pub steps: u64,
}

/// Why an evaluation failed.
#[derive(Debug, Clone)]
pub struct EvalFailure {
    /// The errors: all syntax errors of a text, or the one error that stopped the run. Warnings come first.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that they point into.
    pub sources: SourceMap,
}

impl std::fmt::Display for EvalFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<_> = self.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for EvalFailure {}

/// Runs a profile.
///
/// # Errors
/// [`EvalFailure`]: the text cannot be read, or the first error of the run.
pub fn evaluate(source: Source, loader: &dyn Loader, options: &EvalOptions) -> Result<Evaluation, Box<EvalFailure>> {
    let mut sources = SourceMap::new();
    let parsed = parse(source.shared_text(), &options.limits.syntax);
    let id = sources.add(source);
    if !parsed.errors.is_empty() {
        let diagnostics = parsed.errors.iter().map(|error| error.to_diagnostic(id)).collect();
        return Err(Box::new(EvalFailure { diagnostics, sources }));
    }
    let evaluator = Evaluator::new(options, loader, sources, id);
    let mut machine = Machine::new(evaluator, options.limits.machine());
    match run(&mut machine, &parsed.tree, id) {
        Ok(()) => {}
        Err(error) => {
            let mut diagnostics = report::diagnostics(&machine, &error);
            let mut warnings = machine.host.take_warnings();
            warnings.append(&mut diagnostics);
            let sources = machine.host.sources;
            return Err(Box::new(EvalFailure { diagnostics: warnings, sources }));
        }
    }
    machine.host.add_implicit_rules();
    let steps = machine.heap.work();
    let warnings = machine.host.take_warnings();
    let Evaluator { policy, sources, missing_params, .. } = machine.host;
    match policy {
        Some(policy) => {
            let missing_params = missing_params.into_iter().collect();
            Ok(Evaluation { policy, sources, warnings, missing_params, steps })
        }
        None => {
            let error = ProfileError::NoVersion;
            let diagnostic =
                Diagnostic::error(error.code(), error.to_string()).with_help("A profile starts with (version 1).");
            Err(Box::new(EvalFailure { diagnostics: vec![diagnostic], sources }))
        }
    }
}

fn run<'a>(
    machine: &mut Machine<Evaluator<'a>>,
    tree: &crate::syntax::Tree,
    id: crate::diag::SourceId,
) -> Result<(), crate::scheme::Fail<Evaluator<'a>>> {
    machine.run_library()?;
    let forms = crate::scheme::read(&mut machine.heap, tree, id);
    machine.run(forms)?;
    if machine.host.policy.is_some() {
        let finalize = Value::Symbol(machine.heap.intern(b"%finalize"));
        let call = machine.heap.list(&[finalize]);
        let forms = machine.heap.list(&[call]);
        machine.run(forms)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
