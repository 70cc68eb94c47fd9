//! What can be wrong with a text, typed.

use thiserror::Error;

use super::Span;
use super::token::QuoteKind;
use crate::diag::{Code, Diagnostic, Location, SourceId};

/// Every code of this room with its meaning in one line.
pub const CODES: [(Code, &str); 12] = [
    (UNCLOSED_LIST, "the text ends inside a list"),
    (UNEXPECTED_CLOSE, "a ')' closes nothing"),
    (ILLEGAL_DOT, "a '.' stands where no tail of a list can be"),
    (UNTERMINATED_STRING, "the text ends inside a string"),
    (BAD_ESCAPE, "a string holds an escape that cannot be read"),
    (UNDEFINED_SHARP, "a '#' starts nothing that SBPL knows"),
    (NUL_IN_ATOM, "an atom holds a NUL byte"),
    (MISSING_DATUM, "nothing follows a quote mark or a '.'"),
    (TOO_DEEP, "lists are nested deeper than the limit"),
    (TOO_LARGE, "the text is larger than the limit"),
    (TOO_MANY_TOKENS, "the text has more tokens than the limit"),
    (TOO_MANY_ERRORS, "there are more errors than are shown"),
];

const UNCLOSED_LIST: Code = Code("E0101");
const UNEXPECTED_CLOSE: Code = Code("E0102");
const ILLEGAL_DOT: Code = Code("E0103");
const UNTERMINATED_STRING: Code = Code("E0104");
const BAD_ESCAPE: Code = Code("E0105");
const UNDEFINED_SHARP: Code = Code("E0106");
const NUL_IN_ATOM: Code = Code("E0107");
const MISSING_DATUM: Code = Code("E0108");
const TOO_DEEP: Code = Code("E0109");
const TOO_LARGE: Code = Code("E0110");
const TOO_MANY_TOKENS: Code = Code("E0111");
const TOO_MANY_ERRORS: Code = Code("E0112");

/// What the author may have meant by a `#…` that SBPL does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SharpHint {
    /// `#| … |#`
    BlockComment,
    /// `#;`
    DatumComment,
    /// `#true`, `#T` and the like.
    Boolean,
    /// `#if`, `#include` and the like at the start of a line.
    Preprocessor,
    /// `#\name` with a name that no character has.
    CharacterName,
}

impl SharpHint {
    const fn help(self) -> &'static str {
        match self {
            Self::BlockComment => "SBPL has no block comments; start each line with ';'.",
            Self::DatumComment => "SBPL has no datum comments; start each line with ';'.",
            Self::Boolean => "The only booleans are '#t' and '#f'.",
            Self::Preprocessor => "This looks like C preprocessor lines: run `cpp` first.",
            Self::CharacterName => {
                "A character is '#\\' and one byte, 'space', 'newline', 'return', 'tab', or 'x' and hex digits."
            }
        }
    }
}

/// The list that was probably left open: the innermost list that was open when a line started with a `(` no further
/// right than the line on which that list starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnclosedSuspect {
    /// Its opening parenthesis.
    pub open: Span,
    /// The line of that, from 1.
    pub line: u32,
    /// The line, from 1, before which the list should have ended.
    pub next_line: u32,
}

/// What is wrong. The display text is Apple's wording where it is known (`spec/sbpl-language.md` §14).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SyntaxErrorKind {
    /// The text ends inside a list. Reported once, for all open lists.
    #[error("syntax error: expecting ')'")]
    UnclosedList {
        /// The opening parenthesis of the innermost open list.
        open: Span,
        /// The list that, to judge by the indentation, was left open.
        suspect: Option<UnclosedSuspect>,
    },
    /// A `)` at top level.
    #[error("syntax error: illegal token")]
    UnexpectedClose {
        /// An earlier `)` that, to judge by the indentation after it, closes its form too soon. Only looked for once a text.
        suspect: Option<Span>,
    },
    /// A `.` that is first in its list, in a vector, after a quote mark, at top level, or not before the last element.
    #[error("syntax error: illegal dot expression")]
    IllegalDot,
    /// The text ends inside a string.
    #[error("Error reading string")]
    UnterminatedString {
        /// An earlier string that holds a line end: its closing quote may be the one that is missing.
        suspect: Option<Span>,
    },
    /// `\x` without two hex digits or `\` with a single octal digit.
    #[error("Error reading string")]
    BadEscape,
    /// `#` before something that SBPL does not have.
    #[error("undefined sharp expression")]
    UndefinedSharp {
        /// What it looks like.
        hint: Option<SharpHint>,
    },
    /// An atom with a NUL byte. Apple's reader cuts the atom there; we reject it.
    #[error("NUL byte in an atom")]
    NulInAtom,
    /// A quote mark with nothing to quote.
    #[error("syntax error: illegal token")]
    QuoteWithoutDatum(QuoteKind),
    /// A `.` before the closing parenthesis.
    #[error("syntax error: illegal token")]
    DotWithoutDatum,
    /// Nested deeper than [`SyntaxLimits::max_depth`](super::SyntaxLimits::max_depth). Reported once.
    #[error("lists are nested deeper than {limit}")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// Larger than [`SyntaxLimits::max_bytes`](super::SyntaxLimits::max_bytes); nothing was read.
    #[error("the text has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the text.
        size: u64,
        /// The limit.
        limit: u32,
    },
    /// More tokens than [`SyntaxLimits::max_tokens`](super::SyntaxLimits::max_tokens); the rest was not read.
    #[error("the text has more than {limit} tokens")]
    TooManyTokens {
        /// The limit.
        limit: u32,
    },
    /// More errors than [`SyntaxLimits::max_errors`](super::SyntaxLimits::max_errors).
    #[error("{more} more syntax errors are not shown")]
    TooManyErrors {
        /// How many were left out.
        more: u64,
    },
}

impl SyntaxErrorKind {
    /// The stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::UnclosedList { .. } => UNCLOSED_LIST,
            Self::UnexpectedClose { .. } => UNEXPECTED_CLOSE,
            Self::IllegalDot => ILLEGAL_DOT,
            Self::UnterminatedString { .. } => UNTERMINATED_STRING,
            Self::BadEscape => BAD_ESCAPE,
            Self::UndefinedSharp { .. } => UNDEFINED_SHARP,
            Self::NulInAtom => NUL_IN_ATOM,
            Self::QuoteWithoutDatum(_) | Self::DotWithoutDatum => MISSING_DATUM,
            Self::TooDeep { .. } => TOO_DEEP,
            Self::TooLarge { .. } => TOO_LARGE,
            Self::TooManyTokens { .. } => TOO_MANY_TOKENS,
            Self::TooManyErrors { .. } => TOO_MANY_ERRORS,
        }
    }

    fn help(&self) -> Option<&'static str> {
        match self {
            Self::UnexpectedClose { .. } => {
                Some("No list is open here: remove this ')', or look for a '(' lost before it.")
            }
            Self::IllegalDot => {
                Some("A '.' between spaces stands before the last element of a list, after at least one other.")
            }
            Self::BadEscape => Some("'\\x' takes two hex digits, '\\' before a digit takes two to four octal digits."),
            Self::UndefinedSharp { hint } => hint.map(SharpHint::help),
            Self::NulInAtom => Some("Text holds no NUL bytes; UTF-16 must be saved as UTF-8."),
            Self::QuoteWithoutDatum(_) => Some("A quote mark must be followed by what it quotes."),
            Self::DotWithoutDatum => Some("A '.' must be followed by the tail of the list."),
            _ => None,
        }
    }
}

/// A syntax error and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct SyntaxError {
    /// What is wrong.
    pub kind: SyntaxErrorKind,
    /// Where; the empty span at the end of the text when something is missing there.
    pub span: Span,
}

impl SyntaxError {
    /// The same as a diagnostic about the text `source`.
    pub fn to_diagnostic(&self, source: SourceId) -> Diagnostic {
        let at = |span| Location::new(source, span);
        let mut diagnostic = Diagnostic::error(self.kind.code(), self.kind.to_string()).at(at(self.span));
        match self.kind {
            SyntaxErrorKind::UnclosedList { open, suspect: None } => {
                diagnostic = diagnostic.with_label(at(open), "this list is still open");
            }
            SyntaxErrorKind::UnclosedList {
                open,
                suspect: Some(UnclosedSuspect { open: suspect, line, next_line }),
            } => {
                if open != suspect {
                    diagnostic = diagnostic.with_label(at(open), "this list is still open");
                }
                diagnostic = diagnostic
                    .with_label(at(suspect), "by the indentation, this list misses its ')'")
                    .with_help(format!(
                        "By the indentation, the list that starts on line {line} should end before line {next_line}."
                    ));
            }
            SyntaxErrorKind::UnexpectedClose { suspect: Some(suspect) } => {
                diagnostic = diagnostic.with_label(
                    at(suspect),
                    "this ')' ends the form, but the lines after it are indented as part of it",
                );
            }
            SyntaxErrorKind::UnterminatedString { suspect: Some(suspect) } => {
                diagnostic =
                    diagnostic.with_label(at(suspect), "this string runs over a line end; is its '\"' missing?");
            }
            _ => {}
        }
        match self.kind.help() {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_order() {
        let codes: Vec<_> = CODES.iter().map(|(code, _)| code.0).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }
}
