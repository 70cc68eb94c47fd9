//! Width of each node on one line, and whether it can be on one line.

use crate::syntax::token::TokenKind;
use crate::syntax::tree::{NodeId, NodeKind, Tree};

/// For each node, by index.
#[derive(Debug)]
pub(super) struct Measures {
    /// Characters of the node on one line.
    widths: Vec<u32>,
    /// True when the author broke it: it holds a comment, or a line end between two elements of a list in it.
    broken: Vec<bool>,
}

impl Measures {
    pub(super) fn new(tree: &Tree) -> Self {
        let mut this = Self { widths: vec![0; tree.len()], broken: vec![false; tree.len()] };
        // Children have larger indices than their parents.
        for index in (0..tree.len()).rev() {
            let node = NodeId(index as u32);
            let (width, broken) = this.measure(tree, node);
            this.widths[index] = width;
            this.broken[index] = broken;
        }
        this
    }

    pub(super) fn width(&self, node: NodeId) -> usize {
        self.widths.get(node.index()).map_or(0, |width| *width as usize)
    }

    pub(super) fn broken(&self, node: NodeId) -> bool {
        self.broken.get(node.index()).is_some_and(|broken| *broken)
    }

    fn measure(&self, tree: &Tree, node: NodeId) -> (u32, bool) {
        let kind = tree.kind(node);
        let mut width = match kind {
            NodeKind::Atom(_) | NodeKind::Error => return (characters(tree.source(node)) as u32, false),
            NodeKind::Quoted(quote) => quote.mark().len() as u32,
            NodeKind::Vector => 3,
            NodeKind::List => 2,
            // Parentheses and the dot with its blank.
            NodeKind::DottedList => 4,
        };
        // A line end before the only argument of a call is no choice either.
        let mut elements = tree.children(node);
        let named = elements.next().is_some_and(|first| tree.symbol(first).is_some());
        let one_argument = kind == NodeKind::List && named && elements.nth(1).is_none();
        let mut broken = false;
        let mut end = None;
        for child in tree.children(node) {
            let tokens = tree.token_range(child);
            width = width.saturating_add(self.widths[child.index()]);
            broken |= self.broken[child.index()];
            if let Some(end) = end {
                width = width.saturating_add(1);
                let gap = end..tokens.start;
                broken |= if one_argument { has_comment(tree, gap) } else { has_break(tree, gap) };
            } else {
                // A line end after the parenthesis or the quote mark is no choice, a comment there is.
                broken |= has_comment(tree, tree.token_range(node).start..tokens.start);
            }
            end = Some(tokens.end);
        }
        broken |= has_comment(tree, end.unwrap_or(tree.token_range(node).start)..tree.token_range(node).end);
        (width, broken)
    }
}

fn has_comment(tree: &Tree, range: std::ops::Range<usize>) -> bool {
    tree.tokens().get(range).unwrap_or_default().iter().any(|token| token.kind.is_comment())
}

/// True when there is a comment or a line end in `range`.
pub(super) fn has_break(tree: &Tree, range: std::ops::Range<usize>) -> bool {
    tree.tokens().get(range).unwrap_or_default().iter().any(|token| {
        token.kind.is_comment()
            || token.kind == TokenKind::Whitespace && memchr::memchr(b'\n', tree.slice(token.span)).is_some()
    })
}

/// Characters of a text; a byte that is not UTF-8 counts as one.
pub(super) fn characters(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}
