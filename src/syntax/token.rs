//! What the lexer yields.

use serde::Serialize;

use super::Span;

/// What kind of value an atom is. Decided by the lexer alone (`spec/sbpl-language.md` §2, "numbers first").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtomKind {
    /// Any atom that is nothing else: `file-read*`, `foo"bar"`, `...`, `->x`.
    Symbol,
    /// `"…"` with escapes.
    String,
    /// `#"…"` without escapes.
    RawString,
    /// `#\c`, `#\space`, `#\x41`.
    Char,
    /// `#t`, `#f`.
    Bool,
    /// `12`, `-1.5`, `1e+`, `#o17`, `#x2f`, `#b01`, `#d9`.
    Number,
}

/// The quote family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuoteKind {
    /// `'x`
    Quote,
    /// `` `x ``
    Quasiquote,
    /// `,x`
    Unquote,
    /// `,@x`
    UnquoteSplicing,
}

impl QuoteKind {
    /// The symbol that the reader puts in front: `'x` reads as `(quote x)`.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Quasiquote => "quasiquote",
            Self::Unquote => "unquote",
            Self::UnquoteSplicing => "unquote-splicing",
        }
    }

    /// The mark as written.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Quote => "'",
            Self::Quasiquote => "`",
            Self::Unquote => ",",
            Self::UnquoteSplicing => ",@",
        }
    }
}

/// Why a token is not readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LexError {
    /// `"…` up to the end of the text.
    UnterminatedString,
    /// `#"…` up to the end of the text.
    UnterminatedRawString,
    /// A string with `\x` before anything but two hex digits, or a single octal digit.
    BadEscape,
    /// `#` before anything but `t f d o x b \ ( ! "`, or a constant that does not exist such as `#true`.
    UndefinedSharp,
    /// An atom with a NUL byte, at which Apple's reader would cut it short.
    NulInAtom,
    /// Text that was not read because a limit was reached.
    Unread,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// `(`
    LParen,
    /// `)`
    RParen,
    /// `#(`
    VectorOpen,
    /// `.` before a space, a newline or a tab.
    Dot,
    /// `'`, `` ` ``, `,` or `,@`.
    Quote(QuoteKind),
    /// An atom.
    Atom(AtomKind),
    /// Bytes between data: space, `\t`, `\n`, `\r`, `\f`, `\v`.
    Whitespace,
    /// `;` to the end of the line, without the line end.
    Comment,
    /// `#!` to the end of the line, without the line end; a comment anywhere.
    Shebang,
    /// Not readable.
    Error(LexError),
}

impl TokenKind {
    /// True for whitespace and comments: what the reader skips.
    pub const fn is_trivia(self) -> bool {
        matches!(self, Self::Whitespace | Self::Comment | Self::Shebang)
    }

    /// True for `;…` and `#!…`.
    pub const fn is_comment(self) -> bool {
        matches!(self, Self::Comment | Self::Shebang)
    }

    /// A short stable name, as shown by `sbpl parse --tokens`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LParen => "lparen",
            Self::RParen => "rparen",
            Self::VectorOpen => "vector-open",
            Self::Dot => "dot",
            Self::Quote(kind) => kind.symbol(),
            Self::Atom(kind) => kind.name(),
            Self::Whitespace => "whitespace",
            Self::Comment => "comment",
            Self::Shebang => "shebang",
            Self::Error(_) => "error",
        }
    }
}

impl AtomKind {
    /// A short stable name, as in the JSON tree.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Symbol => "symbol",
            Self::String => "string",
            Self::RawString => "raw-string",
            Self::Char => "char",
            Self::Bool => "bool",
            Self::Number => "number",
        }
    }
}

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is; never empty.
    pub span: Span,
}
