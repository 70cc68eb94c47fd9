//! String arguments as far as the text tells them.

use std::borrow::Cow;

use super::index::Index;
use crate::syntax::{Atom, AtomKind, NodeId, NodeKind, Tree};

/// Definitions looked through on the way to a string; a longer chain is given up.
const MAX_LOOKUPS: usize = 8;

/// A part of a string argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Known bytes, from the string literal `node` or the given parameter that `node` asks for.
    Bytes { node: NodeId, bytes: Cow<'a, [u8]> },
    /// The value of `(param …)`.
    Param { node: NodeId },
    /// Something that went through `regex-quote`.
    Quoted,
    /// Anything else.
    Unknown { node: NodeId },
}

/// The parts of one string argument, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a> {
    pub(super) pieces: Vec<Piece<'a>>,
    /// False when it is written in place: one literal, or a `string-append` of them.
    pub(super) indirect: bool,
}

impl<'a> Text<'a> {
    /// The string that `node` evaluates to.
    pub(super) fn of(tree: &'a Tree, index: &Index<'a>, node: NodeId) -> Self {
        let mut text = Self { pieces: Vec::new(), indirect: false };
        let mut todo = vec![node];
        let mut lookups = 0;
        while let Some(node) = todo.pop() {
            if let Some(Atom::String(bytes)) = tree.datum(node) {
                text.pieces.push(Piece::Bytes { node, bytes });
            } else if let Some(name) = tree.symbol(node) {
                match index.value(name).filter(|_| lookups < MAX_LOOKUPS) {
                    Some(value) => {
                        lookups += 1;
                        text.indirect = true;
                        todo.push(value);
                    }
                    None => text.pieces.push(Piece::Unknown { node }),
                }
            } else {
                match tree.head(node).filter(|head| !index.binds(head) || *head == b"param") {
                    Some(b"string-append") => {
                        let from = todo.len();
                        todo.extend(tree.children(node).skip(1));
                        todo[from..].reverse();
                    }
                    Some(b"param" | b"getenv") => match index.parameter(tree, node) {
                        Some(value) => {
                            text.indirect = true;
                            text.pieces.push(Piece::Bytes { node, bytes: Cow::Borrowed(value) });
                        }
                        None => text.pieces.push(Piece::Param { node }),
                    },
                    Some(b"regex-quote") => text.pieces.push(Piece::Quoted),
                    _ => text.pieces.push(Piece::Unknown { node }),
                }
            }
        }
        text
    }

    /// The whole string, when every part is known.
    pub(super) fn known(&self) -> Option<Cow<'_, [u8]>> {
        match &self.pieces[..] {
            [Piece::Bytes { bytes, .. }] => Some(Cow::Borrowed(bytes)),
            pieces => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Bytes { bytes, .. } => Some(&bytes[..]),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
                .map(|parts| Cow::Owned(parts.concat())),
        }
    }

    /// The known bytes that it starts with.
    pub(super) fn head(&self) -> &[u8] {
        match self.pieces.first() {
            Some(Piece::Bytes { bytes, .. }) => bytes,
            _ => b"",
        }
    }

    /// The literal that it starts with.
    pub(super) fn head_node(&self) -> Option<NodeId> {
        match self.pieces.first() {
            Some(&Piece::Bytes { node, .. }) => Some(node),
            _ => None,
        }
    }
}

/// True for `#"…"`.
pub(super) fn is_raw(tree: &Tree, node: NodeId) -> bool {
    tree.kind(node) == NodeKind::Atom(AtomKind::RawString)
}

/// A string literal of the value `bytes`, raw when `raw` says so and the value allows it.
pub(super) fn literal(bytes: &[u8], raw: bool) -> Vec<u8> {
    if raw && !bytes.contains(&b'"') {
        return [b"#\"", bytes, b"\""].concat();
    }
    let mut out = Vec::new();
    crate::syntax::write_string(&mut out, bytes);
    out
}

/// Bytes for people, in a message.
pub(super) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    let text = String::from_utf8_lossy(bytes);
    if text.chars().count() <= MOST { text.into_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}
