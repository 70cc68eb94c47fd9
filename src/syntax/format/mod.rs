//! The formatter: one style, described with examples in `docs/format.md`.
//!
//! A tree in, text out. It keeps every token, every comment, the order of everything and the groups that blank lines make;
//! it only chooses where lines break and how far they are indented. The author has one say: a list with a line break
//! between two of its elements stays broken.
//!
//! **Invariants**
//! - *Tokens are kept*: the output is read again and compared; a top-level form whose tokens would change (`.` before a
//!   carriage return is a symbol, before a newline it is not) is left as it was written.
//! - *Idempotent*: formatting the output changes nothing.
//! - Nothing recurses: lists that are being written are on an explicit stack.

mod forms;
mod gap;
mod layout;
mod measure;
mod out;

use super::lex::Lexer;
use super::parse::Parse;
use super::token::{Token, TokenKind};
use super::tree::Tree;

/// How wide lines may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Characters on a line before a list is broken. What cannot be broken may be longer, and so may comments.
    pub width: u16,
}

impl Default for Style {
    fn default() -> Self {
        Self { width: 100 }
    }
}

/// The text of `parse` in the one style; `None` when it has syntax errors, for then its structure is not known.
pub fn format(parse: &Parse, style: Style) -> Option<Vec<u8>> {
    if !parse.errors.is_empty() {
        return None;
    }
    let out = layout::file(&parse.tree, style);
    // Each form was compared already; this guards what is between them.
    Some(if same_tokens(&parse.tree, &out) { out } else { parse.tree.print() })
}

/// True when `text` has the tokens of `tree`; white space, and blanks at the end of comments, may differ.
fn same_tokens(tree: &Tree, text: &[u8]) -> bool {
    fn matter(token: &Token) -> bool {
        token.kind != TokenKind::Whitespace
    }
    let mut left = tree.tokens().iter().copied().filter(matter);
    let mut right = Lexer::new(text).filter(matter);
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) => {
                let after = text.get(b.span.range()).unwrap_or_default();
                if a.kind != b.kind || shown(a.kind, tree.slice(a.span)) != shown(b.kind, after) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// The part of a token that is kept: comments lose blanks (and a carriage return) at their end.
fn shown(kind: TokenKind, text: &[u8]) -> &[u8] {
    if kind.is_comment() { text.trim_ascii_end() } else { text }
}
