//! Applying fixes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::{Applicability, Edit, Finding, Fix};
use super::{Config, Input, Parameters, lint};
use crate::diag::SourceId;
use crate::syntax::{SyntaxLimits, parse};
use crate::vocab::Target;

/// How often a text is fixed and checked again. Fixes that call for each other end here.
pub const MAX_ROUNDS: usize = 10;

/// What fixing a text gave.
#[derive(Debug, Clone)]
pub struct FixOutcome {
    /// The text, fixed.
    pub text: Vec<u8>,
    /// How many findings were fixed.
    pub fixed: usize,
}

/// The text with as many of `fixes` as do not overlap, and how many those are. The first of two that overlap is taken.
pub fn apply<'f>(text: &[u8], fixes: impl IntoIterator<Item = &'f Fix>) -> (Vec<u8>, usize) {
    let mut edits: BTreeMap<u32, &Edit> = BTreeMap::new();
    let mut applied = 0;
    for fix in fixes {
        let free = |edit: &Edit| {
            let before = edits.range(..=edit.span.start).next_back();
            let after = edits.range(edit.span.start..).next();
            before.is_none_or(|(&start, other)| start < edit.span.start && other.span.end <= edit.span.start)
                && after.is_none_or(|(&start, _)| edit.span.end <= start)
        };
        if fix.edits.iter().all(free) {
            edits.extend(fix.edits.iter().map(|edit| (edit.span.start, edit)));
            applied += 1;
        }
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for edit in edits.values() {
        let range = edit.span.range();
        out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(&edit.text);
        at = range.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    (out, applied)
}

/// Applies the fixes of the rules in `config` until none is left or [`MAX_ROUNDS`] is reached. A round whose result has more
/// syntax errors than the text before it is taken back.
pub fn fix_text(
    text: &[u8],
    target: &'static Target,
    parameters: &Parameters,
    config: &Config,
    unsafe_too: bool,
) -> FixOutcome {
    let limits = SyntaxLimits::default();
    let mut outcome = FixOutcome { text: text.to_vec(), fixed: 0 };
    let mut parsed = parse(Arc::<[u8]>::from(&outcome.text[..]), &limits);
    for _ in 0..MAX_ROUNDS {
        let findings =
            lint(Input { tree: &parsed.tree, source: SourceId(0), target, parameters, policy: None }, config);
        let wanted = |finding: &Finding| {
            let fix = finding.fix.clone()?;
            (unsafe_too || fix.applicability == Applicability::Safe).then_some(fix)
        };
        let fixes: Vec<Fix> = findings.iter().filter_map(wanted).collect();
        let (fixed, count) = apply(&outcome.text, &fixes);
        if count == 0 {
            break;
        }
        let again = parse(Arc::<[u8]>::from(&fixed[..]), &limits);
        if again.errors.len() > parsed.errors.len() {
            break;
        }
        outcome.text = fixed;
        outcome.fixed += count;
        parsed = again;
    }
    outcome
}
