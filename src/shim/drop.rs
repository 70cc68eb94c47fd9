//! Dropping and replacing rules.
//!
//! A rule stands for every pair of one of its operations and one of its filters (several filters of a rule are an "or"), so
//! a pattern may match a part of a rule only; then that part goes and the rest of the rule stays.

use super::apply::{Edit, EditKind};
use super::file::Pattern;
use super::form::{Form, RuleForm};
use crate::diag::Span;
use crate::syntax::{NodeId, NodeKind, Token, TokenKind, Tree};

/// True when some rule of `tree`, or a part of one, matches.
pub(super) fn matches_any(tree: &Tree, shim: &Tree, pattern: &Pattern) -> bool {
    rules(tree).any(|(_, rule)| Part::of(&rule, shim, pattern).is_some())
}

/// Edits that take away what matches `pattern` and put the rules `new` (texts) in its place. Rules that the shim itself
/// appends stay: a shim may drop every rule of an operation and then append its own.
pub(super) fn replace(tree: &Tree, shim: &Tree, pattern: &Pattern, new: &[&[u8]], own: &[Form<'_>]) -> Vec<Edit> {
    let kind = if new.is_empty() { EditKind::Drop } else { EditKind::Replace };
    let mut edits = Vec::new();
    for (node, rule) in rules(tree) {
        let Some(part) = Part::of(&rule, shim, pattern) else { continue };
        if own.iter().any(|form| form.same(Form::new(tree, node))) {
            continue;
        }
        // A rule that already is its own replacement stays.
        if let [only] = new
            && part.is_whole(&rule)
            && tree.source(node) == *only
        {
            continue;
        }
        let mut spans: Vec<(Span, Vec<u8>)> = Vec::new();
        if part.is_whole(&rule) {
            spans.push(whole(tree, node, new));
        } else {
            let mut rest: Vec<Vec<u8>> = new.iter().map(|text| text.to_vec()).collect();
            if part.operations.len() == rule.operations.len() {
                spans.extend(part.filters.iter().map(|form| (with_space_before(tree, *form), Vec::new())));
            } else {
                spans.extend(part.operations.iter().map(|form| (with_space_before(tree, *form), Vec::new())));
                rest.extend(part.left_for_its_operations(&rule));
            }
            spans.extend(beside(tree, node, &rest));
        }
        edits.extend(spans.into_iter().map(|(span, new)| Edit { kind, span, new }));
    }
    edits
}

/// The operations and filters of one rule that a pattern matches.
struct Part<'a> {
    operations: Vec<Form<'a>>,
    filters: Vec<Form<'a>>,
}

impl<'a> Part<'a> {
    fn of(rule: &RuleForm<'a>, shim: &Tree, pattern: &Pattern) -> Option<Self> {
        if pattern.action.is_some_and(|action| action != rule.action) {
            return None;
        }
        let wanted = |form: &&Form<'a>| {
            pattern.operation.as_ref().is_none_or(|name| form.tree.source(form.node) == name.as_bytes())
        };
        let operations: Vec<_> = rule.operations.iter().filter(wanted).copied().collect();
        let filters: Vec<_> = match &pattern.filters {
            None => rule.filters.clone(),
            Some(wanted) => {
                let is = |form: &&Form<'a>| wanted.iter().any(|&node| form.same(Form::new(shim, node)));
                let found: Vec<_> = rule.filters.iter().filter(is).copied().collect();
                let every = wanted.iter().all(|&node| found.iter().any(|form| form.same(Form::new(shim, node))));
                if !every || wanted.is_empty() != rule.filters.is_empty() {
                    return None;
                }
                found
            }
        };
        (!operations.is_empty()).then_some(Self { operations, filters })
    }

    fn is_whole(&self, rule: &RuleForm<'_>) -> bool {
        self.operations.len() == rule.operations.len() && self.filters.len() == rule.filters.len()
    }

    /// What stays of the rule for the operations that were taken out of it: the filters that were not matched.
    fn left_for_its_operations(&self, rule: &RuleForm<'_>) -> Option<Vec<u8>> {
        let left = rule.filters.iter().filter(|form| !self.filters.iter().any(|gone| gone.node == form.node));
        let left: Vec<_> = left.collect();
        if left.is_empty() {
            return None;
        }
        let mut text = format!("({}", rule.action).into_bytes();
        for form in self.operations.iter().chain(left).chain(&rule.modifiers) {
            text.push(b' ');
            text.extend_from_slice(form.tree.source(form.node));
        }
        text.push(b')');
        Some(text)
    }
}

/// Every rule of a tree, those inside `when`, `define` and other forms too; not what is quoted and not the rules of a
/// message filter.
fn rules(tree: &Tree) -> impl Iterator<Item = (NodeId, RuleForm<'_>)> {
    let mut skip_to = 0;
    tree.nodes().filter_map(move |node| {
        if node.index() < skip_to {
            return None;
        }
        let closed = match tree.kind(node) {
            NodeKind::Quoted(_) | NodeKind::Vector => true,
            _ => matches!(tree.head(node), Some(b"allow" | b"deny" | b"quote" | b"apply-message-filter")),
        };
        if closed {
            skip_to = node.index() + tree.subtree(node).len();
        }
        Some((node, Form::new(tree, node).rule()?))
    })
}

/// The edit for a whole rule. At top level it takes its line along when nothing else is on it; inside another form something
/// must stay in its place.
fn whole(tree: &Tree, node: NodeId, new: &[&[u8]]) -> (Span, Vec<u8>) {
    let span = tree.span(node);
    match (tree.parent(node), new) {
        (None, []) => (line_of(tree, span), Vec::new()),
        (None, new) => (span, new.join(&b'\n')),
        (Some(_), []) => (span, b"#f".to_vec()),
        (Some(_), [one]) => (span, one.to_vec()),
        (Some(_), new) => (span, [b"(begin ", new.join(&b' ').as_slice(), b")"].concat()),
    }
}

/// Edits that put rules behind a rule that stays.
fn beside(tree: &Tree, node: NodeId, rules: &[Vec<u8>]) -> Vec<(Span, Vec<u8>)> {
    let span = tree.span(node);
    if rules.is_empty() {
        return Vec::new();
    }
    if tree.parent(node).is_none() {
        return vec![(Span::point(span.end), [b"\n", rules.join(&b'\n').as_slice()].concat())];
    }
    let behind = [b" ", rules.join(&b' ').as_slice(), b")"].concat();
    vec![(Span::point(span.start), b"(begin ".to_vec()), (Span::point(span.end), behind)]
}

/// The line of a form that stands on lines of its own, with its line end; else the form alone.
fn line_of(tree: &Tree, span: Span) -> Span {
    let text = tree.text();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let start = text.iter().take(span.start as usize).rev().take_while(|byte| blank(byte)).count();
    let start = span.start as usize - start;
    let end = span.end as usize;
    let end = end + text.get(end..).unwrap_or_default().iter().take_while(|byte| blank(byte)).count();
    let first_on_line = start == 0 || text.get(start - 1) == Some(&b'\n');
    let rest = text.get(end..).unwrap_or_default();
    if !first_on_line || !matches!(rest.first(), None | Some(b'\n')) {
        return span;
    }
    // The last form leaves the white space after it to whoever appends.
    if rest.iter().all(u8::is_ascii_whitespace) {
        return Span::new(start.saturating_sub(1) as u32, span.end);
    }
    Span::new(start as u32, end as u32 + 1)
}

/// A form with the white space before it; after a comment, whose end that white space is, with the white space behind it.
fn with_space_before(tree: &Tree, form: Form<'_>) -> Span {
    let span = tree.span(form.node);
    let range = tree.token_range(form.node);
    let before = |back: usize| range.start.checked_sub(back).and_then(|index| tree.tokens().get(index));
    let space =
        |token: Option<&Token>| token.filter(|token| token.kind == TokenKind::Whitespace).map(|token| token.span);
    let ends_comment = before(2).is_some_and(|token| token.kind.is_comment());
    let space = if ends_comment { space(tree.tokens().get(range.end)) } else { space(before(1)) };
    space.map_or(span, |space| span.cover(space))
}
