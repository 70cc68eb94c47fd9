//! What is left of a text, and what can be cut from it in one piece.

use std::sync::Arc;

use crate::diag::Span;
use crate::syntax::{NodeId, NodeKind, TokenKind, Tree};

/// What is left of a text: the bytes, and where in the original they stood.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    pub(super) text: Arc<[u8]>,
    /// Ranges of the original, ascending; together they are `text`.
    pub(super) kept: Vec<Span>,
}

impl Rest {
    pub(super) fn whole(text: Arc<[u8]>) -> Self {
        let kept = vec![Span::new(0, u32::try_from(text.len()).unwrap_or(u32::MAX))];
        Self { text, kept }
    }

    /// This without the ranges `gone`, which are places in `text`.
    pub(super) fn without(&self, gone: impl IntoIterator<Item = Span>) -> Self {
        let mut gone: Vec<Span> = gone.into_iter().collect();
        gone.sort_unstable_by_key(|span| span.start);
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let mut left = Vec::new();
        let mut at = 0;
        for span in gone {
            if span.start > at {
                left.push(Span::new(at, span.start));
            }
            at = at.max(span.end);
        }
        if at < end {
            left.push(Span::new(at, end));
        }
        let text: Vec<u8> = left.iter().flat_map(|span| self.slice(*span)).copied().collect();
        let kept = left.iter().flat_map(|span| self.originals(*span)).collect();
        Self { text: text.into(), kept: joined(kept) }
    }

    fn slice(&self, span: Span) -> &[u8] {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Where the bytes `span` of this text stood in the original.
    pub(super) fn originals(&self, span: Span) -> Vec<Span> {
        let mut before = 0;
        let mut found = Vec::new();
        for piece in &self.kept {
            let here = Span::new(before, before + (piece.end - piece.start));
            let (start, end) = (span.start.max(here.start), span.end.min(here.end));
            if start < end {
                found.push(Span::new(piece.start + (start - here.start), piece.start + (end - here.start)));
            }
            before = here.end;
        }
        joined(found)
    }
}

/// Ranges that touch as one.
fn joined(spans: Vec<Span>) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => out.push(span),
        }
    }
    out
}

/// What can be cut out in one piece: one range for a form, two for what is around a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) gone: Vec<Span>,
}

impl Unit {
    pub(super) fn bytes(&self) -> u32 {
        self.gone.iter().map(|span| span.end - span.start).sum()
    }
}

/// The elements of `parent` (`None`: of the text) that can be cut out one by one: all but the word that a list starts with and
/// what a quote mark quotes. Comments above an element and behind it on its line go with it.
fn elements(tree: &Tree, parent: Option<NodeId>) -> Vec<Unit> {
    let nodes: Vec<NodeId> = match parent {
        None => tree.roots().collect(),
        Some(parent) if matches!(tree.kind(parent), NodeKind::Quoted(_)) => Vec::new(),
        Some(parent) => tree.children(parent).collect(),
    };
    // One past the last byte that belongs to what stands before.
    let first = parent.map_or(0, |parent| tree.token_range(parent).start + 1);
    let mut before = first.checked_sub(1).and_then(|token| tree.tokens().get(token)).map_or(0, |token| token.span.end);
    let mut units = Vec::new();
    for (place, node) in nodes.into_iter().enumerate() {
        let end = trailing(tree, node);
        let is_head = place == 0 && parent.is_some_and(|parent| tree.head(parent).is_some());
        if !is_head {
            // A form that takes its line end along leaves the one before it.
            let takes = end > tree.span(node).end;
            let start = before + if takes { newline(tree, before) } else { 0 };
            units.push(Unit { gone: vec![Span::new(start, end)] });
        }
        before = end;
    }
    units
}

/// Where `node` ends, or the comment behind it on its line. A comment takes the end of its line along: what is behind it must not
/// get into it.
fn trailing(tree: &Tree, node: NodeId) -> u32 {
    let end = tree.span(node).end;
    for token in tree.tokens().iter().skip(tree.token_range(node).end) {
        match token.kind {
            kind if kind.is_comment() => {
                return token.span.end + newline(tree, token.span.end);
            }
            TokenKind::Whitespace if !tree.slice(token.span).contains(&b'\n') => {}
            _ => break,
        }
    }
    end
}

/// The length of the line end at byte `at`, if there is one.
fn newline(tree: &Tree, at: u32) -> u32 {
    let rest = tree.text().get(at as usize..).unwrap_or_default();
    let ends = [&b"\r\n"[..], b"\n", b"\r"];
    ends.into_iter().find(|end| rest.starts_with(end)).map_or(0, |end| end.len() as u32)
}

/// The forms of `tree` that are `depth` lists deep, 0 for those at top level.
pub(super) fn level(tree: &Tree, depth: usize) -> Vec<Unit> {
    if depth == 0 {
        return elements(tree, None);
    }
    let depths = depths(tree);
    let parents = tree.nodes().filter(|node| depths.get(node.index()).is_some_and(|found| found + 1 == depth));
    parents.flat_map(|node| elements(tree, Some(node))).collect()
}

/// How many lists are around each node.
fn depths(tree: &Tree) -> Vec<usize> {
    let mut depths: Vec<usize> = Vec::with_capacity(tree.len());
    for node in tree.nodes() {
        // Parents come first in preorder.
        let depth = tree.parent(node).and_then(|parent| depths.get(parent.index())).map_or(0, |depth| depth + 1);
        depths.push(depth);
    }
    depths
}

/// For each list, and each list directly inside it: what is around the inner one.
pub(super) fn wrappers(tree: &Tree) -> Vec<Unit> {
    let mut units = Vec::new();
    for outer in tree.nodes().filter(|node| tree.kind(*node) == NodeKind::List) {
        let around = tree.span(outer);
        for inner in tree.children(outer).filter(|node| tree.kind(*node) == NodeKind::List) {
            let inside = tree.span(inner);
            let gone = vec![Span::new(around.start, inside.start), Span::new(inside.end, around.end)];
            units.push(Unit { gone });
        }
    }
    units
}

/// White space at the start, and comments with an empty line between them and the next form.
pub(super) fn loose(tree: &Tree) -> Unit {
    let mut gone: Vec<Span> = Vec::new();
    // Comments since the last form or the last empty line, with the white space around them.
    let mut group: Option<Span> = None;
    let (mut at_start, mut same_line) = (true, false);
    for token in tree.tokens() {
        match token.kind {
            TokenKind::Whitespace if at_start && group.is_none() => gone.push(token.span),
            TokenKind::Whitespace => {
                let lines = tree.slice(token.span).iter().filter(|byte| **byte == b'\n').count();
                same_line &= lines == 0;
                if lines > 1 {
                    gone.extend(group.take().map(|span| if at_start { span.cover(token.span) } else { span }));
                }
            }
            // Behind a form on its line.
            kind if kind.is_comment() && same_line => {}
            kind if kind.is_comment() => group = Some(group.map_or(token.span, |span| span.cover(token.span))),
            _ => (group, at_start, same_line) = (None, false, true),
        }
    }
    gone.extend(group);
    Unit { gone }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{SyntaxLimits, parse};

    fn tree(text: &str) -> Tree {
        parse(text.as_bytes(), &SyntaxLimits::default()).tree
    }

    /// The text without each unit in turn.
    fn without(text: &str, units: impl Fn(&Tree) -> Vec<Unit>) -> Vec<String> {
        let whole = Rest::whole(text.as_bytes().into());
        let cut = |unit: &Unit| String::from_utf8(whole.without(unit.gone.clone()).text.to_vec()).unwrap();
        units(&tree(text)).iter().map(cut).collect()
    }

    #[test]
    fn comments_go_with_their_form() {
        let text = "; about a\n(a) ; a too\n; about b\n(b)\n(c)\n";
        assert_eq!(
            without(text, |tree| level(tree, 0)),
            ["; about b\n(b)\n(c)\n", "; about a\n(a) ; a too\n\n(c)\n", "; about a\n(a) ; a too\n; about b\n(b)\n"]
        );
    }

    #[test]
    fn a_comment_swallows_nothing() {
        assert_eq!(without("(a b ; c\n d)", |tree| level(tree, 1)), ["(a d)", "(a b ; c\n)"]);
    }

    #[test]
    fn elements_without_their_head_and_lists_without_what_is_around() {
        let text = "(a b (c 'd) #(e))";
        assert_eq!(without(text, |tree| level(tree, 1)), ["(a (c 'd) #(e))", "(a b #(e))", "(a b (c 'd))"]);
        assert_eq!(without(text, |tree| level(tree, 2)), ["(a b (c) #(e))", "(a b (c 'd) #())"]);
        assert_eq!(without(text, wrappers), ["(c 'd)"]);
    }

    #[test]
    fn loose_comments_are_those_before_an_empty_line() {
        let text = "\n; licence\n\n; about a\n(a)\n; end of part\n\n(b) ; b\n\n; last\n";
        assert_eq!(without(text, |tree| vec![loose(tree)]), ["; about a\n(a)\n\n\n(b) ; b\n\n\n"]);
    }

    #[test]
    fn originals_are_known_after_several_cuts() {
        let whole = Rest::whole(b"abcdefgh".as_slice().into());
        let rest = whole.without([Span::new(4, 5), Span::new(1, 2)]);
        assert_eq!(&*rest.text, b"acdfgh");
        let rest = rest.without([Span::new(1, 4)]);
        assert_eq!(&*rest.text, b"agh");
        assert_eq!(rest.kept, [Span::new(0, 1), Span::new(6, 8)]);
        assert_eq!(rest.originals(Span::new(0, 2)), [Span::new(0, 1), Span::new(6, 7)]);
    }
}
