//! What the author put between two data: comments and line ends.

use crate::syntax::token::{Token, TokenKind};
use crate::syntax::tree::Tree;

/// A comment between two data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comment {
    /// The token.
    pub(super) token: Token,
    /// Line ends between it and what is before it; 0 means that it stands on the same line.
    pub(super) newlines: usize,
}

/// The white space and comments of a range of tokens.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pub(super) comments: Vec<Comment>,
    /// Line ends after the last comment, or all of them.
    pub(super) newlines: usize,
}

impl Gap {
    /// Reads the tokens in `range` again into this value. Tokens that are no trivia (a `.`) are passed over.
    pub(super) fn read(&mut self, tree: &Tree, range: std::ops::Range<usize>) {
        self.comments.clear();
        self.newlines = 0;
        for token in tree.tokens().get(range).unwrap_or_default() {
            match token.kind {
                TokenKind::Whitespace => {
                    self.newlines += memchr::memchr_iter(b'\n', tree.slice(token.span)).count();
                }
                TokenKind::Comment | TokenKind::Shebang => {
                    self.comments.push(Comment { token: *token, newlines: self.newlines });
                    self.newlines = 0;
                }
                _ => {}
            }
        }
    }

    /// True when the author broke the line here.
    pub(super) fn breaks(&self) -> bool {
        self.newlines > 0 || !self.comments.is_empty()
    }
}
