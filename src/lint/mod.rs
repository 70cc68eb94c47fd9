//! What is probably wrong with a profile, although it can be read: findings with codes, hints and fixes.
//!
//! One rule, one file under `rules/`; the rule's documentation comment *is* its page ([`Rule::page`]). [`RULES`] is the only
//! registry. A rule asks the text's [`index`](self) (which forms are rules, filters, definitions) and, when the profile could be
//! evaluated, the policy; it returns findings and changes nothing.
//!
//! The room knows the tree, `vocab`, `pattern` and `policy`. It reads no file and prints nothing; output formats are values
//! ([`report`]).
//!
//! **Invariants**
//! - *Quiet by default*: a rule is in the default set only if its findings on real profiles are worth a maintainer's time
//!   (`docs/lint-measurements.md`).
//! - *No finding without a place* in the file that is checked, except for what the command line gave.
//! - *Fixed text can be read again*: a fix that would add a syntax error is not applied ([`fix_text`]).
//! - *Linear*: a rule walks the index; none walks the tree once per node.

mod config;
mod context;
mod finding;
mod fix;
mod index;
mod names;
mod order;
pub mod report;
mod rule;
mod rules;
mod suppress;
mod text;

pub use config::{Config, ConfigError, Selection};
pub use finding::{Applicability, Edit, Finding, Fix};
pub use fix::{FixOutcome, MAX_ROUNDS, apply, fix_text};
pub use rule::{Category, FixKind, Rule};
pub use rules::RULES;

use indexmap::IndexMap;

use crate::diag::SourceId;
use crate::policy::Policy;
use crate::syntax::Tree;
use crate::vocab::Target;

use context::Context;

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The text, read.
    pub tree: &'a Tree,
    /// Its number in the caller's source map; findings point into it.
    pub source: SourceId,
    /// The system whose names and defaults are meant.
    pub target: &'static Target,
    /// The parameters that are given. Their values stand in for `(param …)`; others are taken as unknown.
    pub parameters: &'a Parameters,
    /// What the text evaluates to with these parameters, when it does; the text is the first of that evaluation's sources.
    pub policy: Option<&'a Policy>,
}

/// Parameters with their values, in the order given.
pub type Parameters = IndexMap<String, String>;

/// The rule called `name`: a code as `SBPL001` or a name as `dead-path`.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.code.0.eq_ignore_ascii_case(name) || rule.name == name)
}

/// All findings of the rules that `config` selects, in the order of the text, suppressed ones left out.
pub fn lint(input: Input<'_>, config: &Config) -> Vec<Finding> {
    let context = Context::new(input);
    let mut findings = Vec::new();
    for rule in RULES.iter().filter(|rule| config.enabled(rule)) {
        let mut found = finding::Findings::new(rule, &context);
        (rule.check)(&context, &mut found);
        findings.append(&mut found.into_vec());
    }
    suppress::apply(&context, config, &mut findings);
    for finding in &mut findings {
        finding.diagnostic.severity = config.severity(finding.rule);
    }
    findings.sort_by_key(|finding| (finding.span(), finding.rule.code));
    findings
}

#[cfg(test)]
mod tests;
