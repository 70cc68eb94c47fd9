//! Regexes of SBPL: syntax, folding, and their compiled code.
//!
//! The dialect is the POSIX-like one of `spec/sbpl-language.md` §13.6, over bytes. A regex is searched unanchored in the
//! whole subject: it matches when any part of the subject matches, `^` and `$` tie it to the ends.
//!
//! **Invariant:** a [`Regex`] never nests deeper than [`MAX_DEPTH`] and never holds more than [`MAX_NODES`] nodes, so
//! code that walks one may recurse.

pub mod code;
mod parse;
mod print;

pub use parse::{parse, parse_with_variables};

use std::sync::Arc;

use super::byteset::ByteSet;
use super::codes;
use crate::diag::{Code, Diagnostic};

/// Longest regex text in bytes.
pub const MAX_TEXT: usize = 1 << 16;
/// Deepest nesting of groups and repetitions.
pub const MAX_DEPTH: usize = 128;
/// Most nodes of one expression, after `{m,n}` is written out.
pub const MAX_NODES: usize = 1 << 16;

/// How often an expression may repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// `*`
    Star,
    /// `+`
    Plus,
    /// `?`
    Optional,
}

impl Repeat {
    /// The operator as written.
    pub fn operator(self) -> u8 {
        match self {
            Self::Star => b'*',
            Self::Plus => b'+',
            Self::Optional => b'?',
        }
    }
}

/// A bracket expression: its ranges as the regex code keeps them, ascending and not merged (`spec/blob-format.md` §8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Class {
    negated: bool,
    ranges: Vec<(u8, u8)>,
}

impl Class {
    /// A class of `ranges` (each low, high, both included; low ≤ high), sorted here; equal ranges are dropped.
    pub fn new(negated: bool, mut ranges: Vec<(u8, u8)>) -> Self {
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        ranges.dedup();
        Self { negated, ranges }
    }

    /// Whether the class matches the bytes that are *not* listed.
    pub fn negated(&self) -> bool {
        self.negated
    }

    /// The listed ranges, ascending; for a negated class the excluded ones.
    pub fn ranges(&self) -> &[(u8, u8)] {
        &self.ranges
    }

    /// The bytes that match.
    pub fn bytes(&self) -> ByteSet {
        let listed =
            self.ranges.iter().fold(ByteSet::EMPTY, |set, (low, high)| set.union(&ByteSet::range(*low, *high)));
        if self.negated { listed.complement() } else { listed }
    }

    /// ASCII letters folded to lower case. Members are folded before a negation applies, so `[^A-Z]` rejects letters of
    /// either case (`spec/versions-and-defaults.md` §6); `[A-z]` is split at the letters.
    #[must_use]
    pub fn fold_case(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len());
        for &(low, high) in &self.ranges {
            let (upper_low, upper_high) = (low.max(b'A'), high.min(b'Z'));
            if upper_low > upper_high {
                ranges.push((low, high));
                continue;
            }
            if low < upper_low {
                ranges.push((low, upper_low - 1));
            }
            ranges.push((upper_low.to_ascii_lowercase(), upper_high.to_ascii_lowercase()));
            if high > upper_high {
                ranges.push((upper_high + 1, high));
            }
        }
        Self::new(self.negated, ranges)
    }
}

/// One node of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// Matches the empty string.
    Empty,
    /// One byte.
    Byte(u8),
    /// `.`: any byte.
    Any,
    /// A bracket expression.
    Class(Class),
    /// `^`: the subject's beginning.
    Start,
    /// `$`: the subject's end.
    End,
    /// `${NAME}`: the value of a pattern variable.
    Variable(Vec<u8>),
    /// One after the other; at least two, none of them a concatenation.
    Concat(Vec<Node>),
    /// Any of several, in source order; at least two, the first no alternation.
    Alternate(Vec<Node>),
    /// A repeated expression.
    Repeat(Box<Node>, Repeat),
}

impl Node {
    /// `parts` in a row, flattened.
    pub(crate) fn concat(parts: Vec<Node>) -> Node {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Node::Empty => {}
                Node::Concat(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.pop() {
            None => Node::Empty,
            Some(only) if flat.is_empty() => only,
            Some(last) => {
                flat.push(last);
                Node::Concat(flat)
            }
        }
    }

    /// Any of `branches`; a first branch that is an alternation is flattened, because `(a|b)|c` is `a|b|c`
    /// (`spec/blob-format.md` §8.1).
    pub(crate) fn alternate(branches: Vec<Node>) -> Node {
        let mut branches = branches.into_iter();
        let mut flat = match branches.next() {
            None => return Node::Empty,
            Some(Node::Alternate(inner)) => inner,
            Some(first) => vec![first],
        };
        flat.extend(branches);
        match flat.pop() {
            Some(only) if flat.is_empty() => only,
            Some(last) => {
                flat.push(last);
                Node::Alternate(flat)
            }
            None => Node::Empty,
        }
    }

    fn fold_case(&self) -> Node {
        match self {
            Node::Byte(byte) => Node::Byte(byte.to_ascii_lowercase()),
            Node::Class(class) => Node::Class(class.fold_case()),
            Node::Variable(name) => Node::Variable(name.to_ascii_lowercase()),
            Node::Concat(parts) => Node::Concat(parts.iter().map(Node::fold_case).collect()),
            Node::Alternate(branches) => Node::Alternate(branches.iter().map(Node::fold_case).collect()),
            Node::Repeat(body, repeat) => Node::Repeat(Box::new(body.fold_case()), *repeat),
            other => other.clone(),
        }
    }
}

/// A regex within the limits of this module. Copies share the tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regex(Arc<Node>);

impl Regex {
    /// Wraps an expression tree.
    ///
    /// # Errors
    /// [`RegexErrorKind::TooDeep`], [`RegexErrorKind::TooLarge`].
    pub fn new(node: Node) -> Result<Self, RegexError> {
        let mut todo = vec![(&node, 1usize)];
        let mut count = 0usize;
        while let Some((node, depth)) = todo.pop() {
            count += 1;
            if depth > MAX_DEPTH {
                return Err(RegexError { kind: RegexErrorKind::TooDeep, offset: 0 });
            }
            if count > MAX_NODES {
                return Err(RegexError { kind: RegexErrorKind::TooLarge, offset: 0 });
            }
            match node {
                Node::Concat(inner) | Node::Alternate(inner) => todo.extend(inner.iter().map(|node| (node, depth + 1))),
                Node::Repeat(body, _) => todo.push((body, depth + 1)),
                _ => {}
            }
        }
        Ok(Self(Arc::new(node)))
    }

    /// The expression tree.
    pub fn node(&self) -> &Node {
        &self.0
    }

    /// Whether a pattern variable occurs in it.
    pub fn has_variables(&self) -> bool {
        !self.variable_names().is_empty()
    }

    /// The names of the pattern variables in it, in order.
    pub fn variable_names(&self) -> Vec<&[u8]> {
        let mut names = Vec::new();
        let mut todo: Vec<&Node> = vec![&self.0];
        while let Some(node) = todo.pop() {
            match node {
                Node::Variable(name) => names.push(name.as_slice()),
                Node::Concat(inner) | Node::Alternate(inner) => todo.extend(inner.iter().rev()),
                Node::Repeat(body, _) => todo.push(body),
                _ => {}
            }
        }
        names
    }

    /// ASCII letters folded to lower case, after parsing: `[A-Z]` becomes `[a-z]`.
    #[must_use]
    pub fn fold_case(&self) -> Self {
        Self(Arc::new(self.0.fold_case()))
    }

    /// SBPL regex source that parses back to the same tree.
    pub fn to_source(&self) -> Vec<u8> {
        print::source(&self.0)
    }
}

/// What is wrong with a regex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegexErrorKind {
    /// Apple's wording (`spec/versions-and-defaults.md` §6).
    #[error("unexpected ^ operator in middle of expression")]
    CaretInside,
    /// `(` without `)`.
    #[error("missing ) in regex")]
    MissingParenthesis,
    /// `)` without `(`.
    #[error("unexpected ) in regex")]
    UnexpectedParenthesis,
    /// `[` without `]`.
    #[error("missing ] in regex")]
    MissingBracket,
    /// `[z-a]`.
    #[error("range in brackets runs backwards")]
    ReversedRange,
    /// `*` or `+` at the start of an alternative.
    #[error("nothing to repeat")]
    NothingToRepeat,
    /// `\` as the last byte.
    #[error("backslash at the end of a regex")]
    TrailingBackslash,
    /// `{3,2}` or a bound above 255.
    #[error("bad bounds in braces")]
    BadBounds,
    /// `[[:alpha:]]` and its kin; no profile has them.
    #[error("unsupported syntax: named class in brackets")]
    NamedClass,
    /// Longer than [`MAX_TEXT`].
    #[error("regex is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// Deeper than [`MAX_DEPTH`].
    #[error("regex nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_NODES`] nodes.
    #[error("regex has more than {MAX_NODES} parts")]
    TooLarge,
}

/// A regex that cannot be used, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct RegexError {
    /// What is wrong.
    pub kind: RegexErrorKind,
    /// Byte offset into the regex text (after the string's own escapes are resolved).
    pub offset: usize,
}

impl RegexError {
    /// The stable code.
    pub fn code(&self) -> Code {
        use RegexErrorKind as K;
        match self.kind {
            K::CaretInside => codes::CARET_INSIDE,
            K::MissingParenthesis | K::UnexpectedParenthesis => codes::PARENTHESIS,
            K::MissingBracket | K::ReversedRange => codes::BRACKET,
            K::NothingToRepeat => codes::NOTHING_TO_REPEAT,
            K::TrailingBackslash => codes::BACKSLASH,
            K::BadBounds => codes::BOUNDS,
            K::NamedClass => codes::UNSUPPORTED,
            K::TooLong | K::TooDeep | K::TooLarge => codes::LIMIT,
        }
    }

    /// What to do about it, where that is not plain from the message.
    pub fn hint(&self) -> Option<&'static str> {
        use RegexErrorKind as K;
        match self.kind {
            K::CaretInside => Some("Put `^` first; write `\\^` for the character. `(?i)` is not part of this dialect."),
            K::NothingToRepeat => Some("Write a backslash in front to match the character itself."),
            K::TrailingBackslash => Some("Write `\\\\` for a backslash."),
            K::NamedClass => Some("Write the ranges out, e.g. `[A-Za-z]`."),
            _ => None,
        }
    }

    /// The same as a diagnostic without position; callers add the position of the string.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic =
            Diagnostic::error(self.code(), self.to_string()).with_note(format!("at byte {} of the regex", self.offset));
        match self.hint() {
            Some(hint) => diagnostic.with_help(hint),
            None => diagnostic,
        }
    }
}
