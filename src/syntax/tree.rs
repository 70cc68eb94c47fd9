//! The lossless tree: flat arrays in preorder.

use std::sync::Arc;

use super::Span;
use super::atom::{Atom, decode};
use super::token::{AtomKind, QuoteKind, Token};

/// A node of one [`Tree`]. Ids count in preorder from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// The number of the node in preorder.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// `(a b c)`; its children are the elements.
    List,
    /// `(a b . c)`; its children are the elements, the last is the tail.
    DottedList,
    /// `#(a b c)`.
    Vector,
    /// `'a` and its family; one child, none when the datum is missing (which is an error).
    Quoted(QuoteKind),
    /// An atom; no children.
    Atom(AtomKind),
    /// A part that cannot be read: an unreadable token, a `)` too much, a list nested too deeply. No children.
    Error,
}

impl NodeKind {
    /// A short stable name: `list`, `dotted-list`, `vector`, `quote` and its family, the names of [`AtomKind`], `error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::DottedList => "dotted-list",
            Self::Vector => "vector",
            Self::Quoted(kind) => kind.symbol(),
            Self::Atom(kind) => kind.name(),
            Self::Error => "error",
        }
    }
}

/// One node. `end` is one past its last descendant, so a subtree is a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) end: u32,
    pub(super) parent: u32,
    /// True for a list or vector that has its `)`, which is then the token `last`.
    pub(super) closed: bool,
}

// What `SyntaxLimits` promises about memory.
const _: () = assert!(size_of::<Node>() == 20 && size_of::<Token>() == 12);

/// The parent of a root.
pub(super) const NO_PARENT: u32 = u32::MAX;

/// A text as a tree. A plain value: it owns its text, is cheap to ask and knows nothing of meaning.
///
/// Methods that take a [`NodeId`] expect one of this tree. Another tree's id gives an arbitrary answer or the answer
/// for an [`NodeKind::Error`] node without text; never a panic.
#[derive(Debug, Clone)]
pub struct Tree {
    pub(super) text: Arc<[u8]>,
    pub(super) tokens: Vec<Token>,
    pub(super) nodes: Vec<Node>,
}

impl Tree {
    /// The text that was read.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text that was read, shared.
    pub fn shared_text(&self) -> Arc<[u8]> {
        Arc::clone(&self.text)
    }

    /// All tokens in order, white space and comments included. They tile the text.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The text again, put together from the tokens: byte for byte what was read.
    pub fn print(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len());
        for token in &self.tokens {
            out.extend_from_slice(self.slice(token.span));
        }
        // Only a text over 4 GiB has bytes after its last token.
        out.extend_from_slice(self.text.get(out.len()..).unwrap_or_default());
        out
    }

    /// The bytes of `span`, cut to the text.
    pub fn slice(&self, span: Span) -> &[u8] {
        let end = (span.end as usize).min(self.text.len());
        let start = (span.start as usize).min(end);
        &self.text[start..end]
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True when the text holds no datum.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes in preorder.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// The top-level data.
    pub fn roots(&self) -> Siblings<'_> {
        Siblings { nodes: &self.nodes, next: 0, end: self.nodes.len() as u32 }
    }

    /// The children of `node`, in order.
    pub fn children(&self, node: NodeId) -> Siblings<'_> {
        let end = self.node(node).map_or(0, |n| n.end);
        Siblings { nodes: &self.nodes, next: node.0.saturating_add(1), end }
    }

    /// `node` and all its descendants in preorder.
    pub fn subtree(&self, node: NodeId) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (node.0..self.node(node).map_or(node.0, |n| n.end)).map(NodeId)
    }

    /// The list, vector or quote that `node` is a child of; `None` at top level.
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.node(node).map(|n| n.parent).filter(|&parent| parent != NO_PARENT).map(NodeId)
    }

    /// What `node` is.
    pub fn kind(&self, node: NodeId) -> NodeKind {
        self.node(node).map_or(NodeKind::Error, |n| n.kind)
    }

    /// The bytes of `node`, parentheses and quote mark included.
    pub fn span(&self, node: NodeId) -> Span {
        let Some(node) = self.node(node) else { return Span::default() };
        match (self.tokens.get(node.first as usize), self.tokens.get(node.last as usize)) {
            (Some(first), Some(last)) => first.span.cover(last.span),
            _ => Span::default(),
        }
    }

    /// The text of `node` as written.
    pub fn source(&self, node: NodeId) -> &[u8] {
        self.slice(self.span(node))
    }

    /// The token that `node` starts with: the atom itself, the opening parenthesis, the quote mark.
    pub fn token(&self, node: NodeId) -> Option<Token> {
        self.tokens.get(self.node(node)?.first as usize).copied()
    }

    /// Indices into [`Tree::tokens`] of the first token of `node` and one past its last.
    pub fn token_range(&self, node: NodeId) -> std::ops::Range<usize> {
        self.node(node).map_or(0..0, |n| n.first as usize..n.last as usize + 1)
    }

    /// The closing parenthesis of a list or vector, if it has one.
    pub fn close(&self, node: NodeId) -> Option<Token> {
        let node = self.node(node).filter(|node| node.closed)?;
        self.tokens.get(node.last as usize).copied()
    }

    /// The value of an atom; `None` for every other node.
    pub fn datum(&self, node: NodeId) -> Option<Atom<'_>> {
        match self.kind(node) {
            NodeKind::Atom(kind) => Some(decode(kind, self.source(node))),
            _ => None,
        }
    }

    /// The name, if `node` is a symbol.
    pub fn symbol(&self, node: NodeId) -> Option<&[u8]> {
        (self.kind(node) == NodeKind::Atom(AtomKind::Symbol)).then(|| self.source(node))
    }

    /// The symbol that a list starts with: `allow` of `(allow default)`.
    pub fn head(&self, node: NodeId) -> Option<&[u8]> {
        match self.kind(node) {
            NodeKind::List | NodeKind::DottedList => self.symbol(self.children(node).next()?),
            _ => None,
        }
    }

    fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node.index())
    }
}

/// Nodes with the same parent, in order.
#[derive(Debug, Clone)]
pub struct Siblings<'a> {
    nodes: &'a [Node],
    next: u32,
    end: u32,
}

impl Iterator for Siblings<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        if self.next >= self.end {
            return None;
        }
        let node = NodeId(self.next);
        self.next = self.nodes.get(node.index())?.end;
        Some(node)
    }
}
