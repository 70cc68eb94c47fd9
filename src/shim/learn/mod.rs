//! The smallest shim for what was denied.
//!
//! Each refused request becomes a rule that allows it and nothing else; requests that share their filter or their operations
//! share a rule. That is the shim, and its contract says the same. Wider rules are stated steps from there, [`Step::Directory`]
//! and [`Step::Subpath`], each with a request that it would open besides; none is taken unless it is asked for.
//!
//! **Invariant:** what [`learn`] returns is proved, not meant: the shim was applied, what it made was evaluated, every request
//! asked again, and the contract held against all requests. What could not be proved is in [`Learned::unproved`].

mod denial;
mod rules;

pub use denial::{Denial, Unlearnable};

use rules::{Draft, contract_scopes, drafts};

use super::contract::Kept;
use super::error::ShimError;
use super::{ApplyError, Shim, apply, parse};
use crate::decide::{Answer, Budget, Engine, Request};
use crate::diff::semantic::{Comparison, Side};
use crate::policy::Policy;
use crate::policy::print::Printer;
use crate::profile::EvalOptions;

/// How far rules may go beyond what was asked for. Each step holds the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Exactly the requests.
    File,
    /// Of two or more files in one directory: every file directly in it.
    Directory,
    /// Of two or more files in one directory: the directory and all below it.
    Subpath,
}

impl Step {
    /// The word for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Subpath => "subpath",
        }
    }
}

/// A wider rule in the place of one or more of the shim's, not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wider {
    /// Which step it is.
    pub step: Step,
    /// The rule.
    pub rule: String,
    /// How many of the requests it covers.
    pub covers: usize,
    /// A shortest request that it would open besides; `None` when that is none, or was not decided.
    pub opens: Option<Request>,
}

/// A rule of the shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedRule {
    /// As it stands in the shim.
    pub rule: String,
    /// The requests that it is for, by their place among those given.
    pub requests: Vec<usize>,
    /// What is one and two steps wider.
    pub wider: Vec<Wider>,
}

/// What was learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The shim file; `None` when there was nothing to learn.
    pub shim: Option<Vec<u8>>,
    /// Its rules, in order.
    pub rules: Vec<LearnedRule>,
    /// Requests that were allowed before.
    pub allowed_before: Vec<usize>,
    /// Requests of which no rule can be made, and why.
    pub unlearnable: Vec<(usize, Unlearnable)>,
    /// Requests for which it is not proved that the shim allows them.
    pub unproved: Vec<usize>,
    /// What holding the contract against all requests gave.
    pub kept: Kept,
}

/// Why nothing can be learned for a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// The shim that was made cannot be applied to the profile.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The contract that was written means nothing.
    #[error(transparent)]
    Contract(#[from] ShimError),
    /// The shimmed profile does not evaluate.
    #[error("the shimmed profile does not evaluate: {0}")]
    Evaluate(String),
}

/// Most wider rules that are worked out.
const MAX_WIDER: usize = 64;

/// Makes and proves the shim called `name` that lets `requests` through, for the profile `text` whose rules are `before`.
/// `evaluate` gives the rules of a changed text.
///
/// # Errors
/// [`LearnError`].
pub fn learn(
    name: &str,
    text: &[u8],
    before: &Policy,
    requests: &[Request],
    step: Step,
    options: &EvalOptions,
    evaluate: impl Fn(&[u8]) -> Result<Policy, String>,
) -> Result<Learned, LearnError> {
    let mut learned = Learned {
        shim: None,
        rules: Vec::new(),
        allowed_before: Vec::new(),
        unlearnable: Vec::new(),
        unproved: Vec::new(),
        kept: Kept::default(),
    };
    let engine = Engine::new(before.clone());
    let mut wanted = Vec::new();
    for (place, request) in requests.iter().enumerate() {
        match rules::filter(before.target(), request) {
            _ if engine.decide(request).answer == Answer::Allow => learned.allowed_before.push(place),
            Ok(filter) => wanted.push((place, request.operation, filter)),
            Err(reason) => learned.unlearnable.push((place, reason)),
        }
    }
    let drafts = drafts(before.target(), &wanted, step);
    if drafts.is_empty() {
        return Ok(learned);
    }
    let printer = Printer::new(before.target(), before.version());
    let rules: Vec<String> = drafts.iter().map(|draft| shown(&printer.rule(&draft.rule()))).collect();
    let mut file = shim_file(name, &contract_scopes(&printer, &drafts), &rules);
    let mut changed = text.to_vec();
    for shim in &parsed(&file)? {
        changed = apply(shim, changed, None)?.text;
    }
    let after = evaluate(&changed).map_err(LearnError::Evaluate)?;
    let added = rules::added_by_the_compiler(before, &after);
    if !added.is_empty() {
        let all: Vec<Draft> = drafts.iter().cloned().chain(added).collect();
        file = shim_file(name, &contract_scopes(&printer, &all), &rules);
    }
    for shim in &parsed(&file)? {
        learned.kept = shim.check_contract(before, &after, options, Budget::default())?;
    }
    let engine = Engine::new(after.clone());
    let proved = |place: &usize| requests.get(*place).is_some_and(|each| engine.decide(each).answer == Answer::Allow);
    learned.unproved = wanted.iter().map(|(place, ..)| *place).filter(|place| !proved(place)).collect();
    let mut left = MAX_WIDER;
    for (draft, rule) in drafts.iter().zip(rules) {
        let wider = wider(&printer, draft, step, &after, &mut left);
        learned.rules.push(LearnedRule { rule, requests: draft.requests.clone(), wider });
    }
    learned.shim = Some(file);
    Ok(learned)
}

fn shim_file(name: &str, scopes: &[Vec<u8>], rules: &[String]) -> Vec<u8> {
    let mut file = format!("(shim {name}\n  (widens").into_bytes();
    for scope in scopes {
        file.extend_from_slice(b"\n    ");
        file.extend_from_slice(scope);
    }
    file.extend_from_slice(b")\n  (narrows nothing)\n  (append");
    for rule in rules {
        file.extend_from_slice(format!("\n    {rule}").as_bytes());
    }
    file.extend_from_slice(b"))\n");
    file
}

fn parsed(file: &[u8]) -> Result<Vec<Shim>, LearnError> {
    parse(file).map_err(|mut errors| LearnError::Contract(errors.remove(0)))
}

/// A printed form without needless lines.
fn shown(form: &[u8]) -> String {
    String::from_utf8_lossy(form).lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn wider(printer: &Printer, draft: &Draft, taken: Step, after: &Policy, left: &mut usize) -> Vec<Wider> {
    let mut out = Vec::new();
    for (step, one) in draft.wider(taken) {
        if *left == 0 {
            break;
        }
        *left -= 1;
        let mut with = after.clone();
        with.push(one.rule());
        let comparison = Comparison::new(Side::Policy(after), Side::Policy(&with), Budget::default());
        let opens = comparison.ok().and_then(|mut comparison| {
            one.operations.iter().find_map(|operation| comparison.widened(*operation).ok()?)
        });
        out.push(Wider { step, rule: shown(&printer.rule(&one.rule())), covers: one.requests.len(), opens });
    }
    out
}

#[cfg(test)]
mod tests;
