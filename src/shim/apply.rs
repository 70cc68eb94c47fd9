//! Planning the edits of a shim and carrying them out.

use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use super::error::{ShimError, ShimErrorKind};
use super::file::{Pattern, Shim, Step};
use super::form::Form;
use super::{append, drop, sibling};
use crate::diag::Span;
use crate::syntax::{self, NodeId, SyntaxError, SyntaxLimits, TokenKind, Tree};

/// Why a piece of text is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// `(append …)`: rules at the end.
    Append,
    /// `(add-sibling …)`: one more string in a filter.
    AddSibling,
    /// `(rewrite-prefix …)`: another string in a filter.
    RewritePath,
    /// `(replace …)`.
    Replace,
    /// `(drop …)`.
    Drop,
}

/// One change: the bytes of `span` become `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Why.
    pub kind: EditKind,
    /// Where, in the text as the shim found it; empty for an insertion.
    pub span: Span,
    /// The bytes that stand there afterwards.
    pub new: Vec<u8>,
}

/// What applying a shim gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The whole text afterwards.
    pub text: Vec<u8>,
    /// What was changed, in the order of the text, without overlaps; empty when all was there already.
    pub edits: Vec<Edit>,
}

/// Why a shim was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The profile has syntax errors.
    #[error("the profile has syntax errors")]
    Profile(Vec<SyntaxError>),
    /// The shim does not fit; the span is in the shim file.
    #[error(transparent)]
    Shim(ShimError),
}

/// Applies `shim` to the profile `text`, for the profile called `key` (steps of `for-profile` are left out without one).
///
/// # Errors
/// [`ApplyError::Profile`] when `text` has syntax errors; [`ApplyError::Shim`] with [`ShimErrorKind::Unstable`] when the
/// shim would change its own result again.
pub fn apply(shim: &Shim, text: impl Into<Arc<[u8]>>, key: Option<&str>) -> Result<Applied, ApplyError> {
    let profile = read(text)?;
    let edits = plan(shim, &profile, key);
    let text = carry_out(profile.text(), &edits);
    if !edits.is_empty() && !plan(shim, &read(text.as_slice())?, key).is_empty() {
        let kind = ShimErrorKind::Unstable(shim.name.clone());
        return Err(ApplyError::Shim(ShimError { kind, span: shim.span }));
    }
    Ok(Applied { text, edits })
}

fn read(text: impl Into<Arc<[u8]>>) -> Result<Tree, ApplyError> {
    let parsed = syntax::parse(text, &SyntaxLimits::default());
    if parsed.errors.is_empty() { Ok(parsed.tree) } else { Err(ApplyError::Profile(parsed.errors)) }
}

fn carry_out(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + edits.iter().map(|edit| edit.new.len()).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        out.extend_from_slice(text.get(at..edit.span.start as usize).unwrap_or_default());
        out.extend_from_slice(&edit.new);
        at = edit.span.end as usize;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}

/// The edits of one shim to one profile: empty when there is nothing to do.
fn plan(shim: &Shim, profile: &Tree, key: Option<&str>) -> Vec<Edit> {
    let mut steps = Vec::new();
    collect_active(shim, &shim.steps, profile, key, &mut steps);
    let appended = steps.iter().filter_map(|step| if let Step::Append(rules) = step { Some(rules) } else { None });
    let block: Vec<Form<'_>> = appended.flatten().map(|&node| Form::new(&shim.tree, node)).collect();
    let replace = |pattern: &Pattern, rules: &[NodeId]| {
        let texts: Vec<&[u8]> = rules.iter().map(|&node| shim.rule_text(node)).collect();
        drop::replace(profile, &shim.tree, pattern, &texts, &block)
    };
    let mut edits = Vec::new();
    for step in steps {
        match step {
            Step::AddSibling(pairs) => edits.extend(sibling::add(profile, pairs)),
            Step::RewritePrefix(pairs) => edits.extend(sibling::rewrite(profile, pairs)),
            Step::Replace { pattern, rules } => edits.extend(replace(pattern, rules)),
            Step::Drop(patterns) => edits.extend(patterns.iter().flat_map(|pattern| replace(pattern, &[]))),
            Step::Append(_) | Step::ForProfile { .. } | Step::UnlessRule { .. } => {}
        }
    }
    if !block.is_empty() && !append::already_effective(profile, &block) {
        edits.push(append_edit(profile, &block));
    }
    disjoint(edits)
}

/// The steps whose conditions hold. Recursion is bounded by the nesting that [`super::parse`] accepts.
fn collect_active<'a>(shim: &Shim, steps: &'a [Step], profile: &Tree, key: Option<&str>, active: &mut Vec<&'a Step>) {
    for step in steps {
        match step {
            Step::ForProfile { keys, steps } => {
                if key.is_some_and(|key| keys.iter().any(|known| known == key)) {
                    collect_active(shim, steps, profile, key, active);
                }
            }
            Step::UnlessRule { pattern, steps } => {
                if !drop::matches_any(profile, &shim.tree, pattern) {
                    collect_active(shim, steps, profile, key, active);
                }
            }
            _ => active.push(step),
        }
    }
}

/// The text without white space at its end, a line end, the rules as they are written, a line end
/// (`spec/probe-runner.md` section 3.1).
fn append_edit(profile: &Tree, block: &[Form<'_>]) -> Edit {
    let end = profile.text().len() as u32;
    let span = match profile.tokens().last() {
        Some(token) if token.kind == TokenKind::Whitespace => token.span,
        _ => Span::point(end),
    };
    let mut new = b"\n".to_vec();
    for rule in block {
        new.extend_from_slice(rule.tree.source(rule.node));
        new.push(b'\n');
    }
    Edit { kind: EditKind::Append, span, new }
}

/// Sorts edits and settles overlaps: deletions are joined; else the edit that holds the other stays, of two equal spans the
/// one that an earlier step wanted.
fn disjoint(mut edits: Vec<Edit>) -> Vec<Edit> {
    // Stable: equal spans stay in the order of the steps.
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut kept: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match kept.last_mut() {
            Some(last) if last == &edit => {}
            Some(last) if overlap(last.span, edit.span) => {
                if last.new.is_empty() && edit.new.is_empty() {
                    last.span = last.span.cover(edit.span);
                } else if last.span != edit.span && last.span.cover(edit.span) == edit.span {
                    *last = edit;
                }
            }
            _ => kept.push(edit),
        }
    }
    kept
}

fn overlap(a: Span, b: Span) -> bool {
    a == b && !a.is_empty() || a.start < b.end && b.start < a.end
}
