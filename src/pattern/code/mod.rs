//! Pattern code: how a compiled profile stores string tests that need no regex engine (`spec/blob-format.md` §7).
//!
//! A pattern is a [`PatternTree`]: an ordered list of alternatives with common beginnings factored out. [`decode`] and
//! [`encode`] go between a tree and the bytes of a record (without its length word); [`run`] executes the bytes as the
//! kernel does; [`PatternTree::to_patterns`] says it in SBPL's terms again.
//!
//! **Invariants:** a decoded or built tree never nests deeper than [`MAX_DEPTH`], so code that walks one may recurse.
//! `encode(decode(bytes))` gives the bytes of every pattern Apple's compiler is known to have written.

mod decode;
mod encode;
mod run;
mod sources;

pub use decode::decode;
pub use encode::{Style, encode};
pub use run::run;

use super::codes;
use crate::diag::{Code, Diagnostic};

/// Deepest nesting of a pattern tree.
pub const MAX_DEPTH: usize = 256;
/// Longest code, a limit of the format: the record's length is a `u16`.
pub const MAX_CODE: usize = 0xffff;
/// Longest literal of one instruction.
pub const MAX_LITERAL: usize = 320;
/// Most ranges of one set.
pub const MAX_RANGES: usize = 128;

/// Byte ranges (low, high, both included), ascending.
pub type Ranges = Vec<(u8, u8)>;

/// What must be met before a list of alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// These bytes.
    Literal(Vec<u8>),
    /// The value of variable number n of the blob's variable table.
    Variable(u16),
    /// Everything up to and with the next such byte: `[^b]*b`.
    SkipTo(u8),
    /// The beginning of an unanchored pattern: any later such byte may do.
    Search(u8),
    /// One byte of the set.
    Set(Ranges),
    /// Any number of bytes of the set, as many as there are.
    SetRepeat(Ranges),
}

/// One alternative of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Alternative {
    /// The subject ends here.
    End,
    /// Anything may follow.
    All,
    /// A step, then one of the list.
    Then(Step, Vec<Alternative>),
    /// Lists that cannot be told apart by a first byte, tried in order; only as the last of a list.
    Choice(Vec<Vec<Alternative>>),
}

/// A pattern as an ordered tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatternTree(Vec<Alternative>);

impl PatternTree {
    /// Wraps a list of alternatives.
    ///
    /// # Errors
    /// [`CodeErrorKind::TooDeep`].
    pub fn new(list: Vec<Alternative>) -> Result<Self, CodeError> {
        let mut todo: Vec<(&[Alternative], usize)> = vec![(&list, 1)];
        while let Some((list, depth)) = todo.pop() {
            if depth > MAX_DEPTH {
                return Err(CodeError { kind: CodeErrorKind::TooDeep, offset: 0 });
            }
            for alternative in list {
                match alternative {
                    Alternative::Then(_, children) => todo.push((children, depth + 1)),
                    Alternative::Choice(groups) => {
                        todo.extend(groups.iter().map(|group| (group.as_slice(), depth + 1)))
                    }
                    Alternative::End | Alternative::All => {}
                }
            }
        }
        Ok(Self(list))
    }

    /// The alternatives, in order.
    pub fn alternatives(&self) -> &[Alternative] {
        &self.0
    }

    /// The numbers of the variables it refers to, with repetitions, in no order.
    pub fn variables(&self) -> impl Iterator<Item = u16> {
        let mut found = Vec::new();
        let mut todo = vec![self.0.as_slice()];
        while let Some(list) = todo.pop() {
            for alternative in list {
                match alternative {
                    Alternative::Then(step, children) => {
                        if let Step::Variable(number) = step {
                            found.push(*number);
                        }
                        todo.push(children);
                    }
                    Alternative::Choice(groups) => todo.extend(groups.iter().map(Vec::as_slice)),
                    Alternative::End | Alternative::All => {}
                }
            }
        }
        found.into_iter()
    }

    /// Whether the pattern may begin anywhere in the subject. Such a pattern is never united with another: none of the 12 in
    /// the iOS 17, macOS 15.2 and iOS 26 platform profiles has a sibling, and what a failed search does inside a choice is
    /// unknown.
    pub fn is_search(&self) -> bool {
        matches!(self.0.first(), Some(Alternative::Then(Step::Search(_), _)))
    }

    /// The number of end-points: the measure of a pattern's cost (`spec/codegen-rules.md` §5.3; literal 1, subpath 2).
    pub fn end_points(&self) -> usize {
        end_points(&self.0)
    }
}

/// The end-points below a list; see [`PatternTree::end_points`].
pub(crate) fn end_points(list: &[Alternative]) -> usize {
    list.iter()
        .map(|alternative| match alternative {
            Alternative::End | Alternative::All => 1,
            Alternative::Then(_, children) => end_points(children),
            Alternative::Choice(groups) => groups.iter().map(|group| end_points(group)).sum(),
        })
        .sum()
}

/// What is wrong with pattern or regex code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeErrorKind {
    /// The code ends inside an instruction or before the pattern is complete.
    #[error("code ends too early")]
    Truncated,
    /// A byte that starts no instruction.
    #[error("unknown instruction 0x{0:02x}")]
    UnknownInstruction(u8),
    /// A jump to nowhere, backwards or into an instruction.
    #[error("jump to a wrong place")]
    BadJump,
    /// Correct instructions in an order no compiler writes.
    #[error("instructions do not form a pattern")]
    Shape,
    /// Bytes behind the end of the pattern.
    #[error("bytes behind the end of the code")]
    Trailing,
    /// Not version 3 regex code.
    #[error("regex code of an unknown version")]
    Version,
    /// The record's length and the code's length disagree.
    #[error("length words disagree")]
    Length,
    /// Deeper than the limit.
    #[error("pattern nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Longer than the format or a limit allows.
    #[error("pattern is too large")]
    TooLarge,
    /// A variable that the blob does not name.
    #[error("variable {0} has no name")]
    UnknownVariable(u16),
}

/// Why code cannot be read or written, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct CodeError {
    /// What is wrong.
    pub kind: CodeErrorKind,
    /// Byte offset into the code; 0 when writing.
    pub offset: usize,
}

impl CodeError {
    pub(crate) fn new(kind: CodeErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        use CodeErrorKind as K;
        match self.kind {
            K::TooDeep | K::TooLarge => codes::LIMIT,
            K::UnknownVariable(_) => codes::CODE_VARIABLE,
            K::Version => codes::CODE_VERSION,
            _ => codes::CODE_SHAPE,
        }
    }

    /// The same as a diagnostic; the caller adds where the record stands.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error(self.code(), self.to_string()).with_note(format!("at byte 0x{:x} of the code", self.offset))
    }
}
