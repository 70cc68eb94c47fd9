//! Guesses at what the author meant: where a list was left open, and texts that are not SBPL yet.

use super::Span;
use super::error::{SharpHint, UnclosedSuspect};
use super::token::{AtomKind, Token, TokenKind};
use super::tree::Node;

/// Names that start a line of the C preprocessor.
const DIRECTIVES: [&[u8]; 14] = [
    b"#if",
    b"#ifdef",
    b"#ifndef",
    b"#else",
    b"#elif",
    b"#endif",
    b"#include",
    b"#import",
    b"#define",
    b"#undef",
    b"#pragma",
    b"#error",
    b"#warning",
    b"#line",
];

/// What the unreadable `#…` at `span` may have been meant to be.
pub(super) fn sharp_hint(text: &[u8], span: Span) -> Option<SharpHint> {
    let before = text.get(..span.start as usize)?;
    let token = text.get(span.range())?;
    let starts_line = before.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t')).is_none_or(|&byte| byte == b'\n');
    if starts_line && DIRECTIVES.contains(&token) {
        return Some(SharpHint::Preprocessor);
    }
    match token {
        [b'#', b'|', ..] => Some(SharpHint::BlockComment),
        [b'#'] if text.get(span.end as usize) == Some(&b';') => Some(SharpHint::DatumComment),
        [b'#', b'\\', ..] => Some(SharpHint::CharacterName),
        _ if [&b"#true"[..], b"#false", b"#t", b"#f"].iter().any(|name| name.eq_ignore_ascii_case(token)) => {
            Some(SharpHint::Boolean)
        }
        _ => None,
    }
}

/// A symbol that shows that the text is a template or not plain SBPL. The syntax is fine, so it is not a
/// [`SyntaxError`](super::SyntaxError); whoever finds the symbol unbound can say what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateHint {
    /// `@KEY@`
    AtSigns,
    /// `__KEY__`
    Underscores,
    /// `R""`, `R"x"`: the front of a C++ raw string.
    RawStringWrapper,
    /// A byte order mark at the start of the text.
    ByteOrderMark,
}

impl TemplateHint {
    /// What to do, as a whole sentence.
    pub const fn help(self) -> &'static str {
        match self {
            Self::AtSigns | Self::Underscores => "This looks like a placeholder: fill in the template first.",
            Self::RawStringWrapper => "This looks like a C++ raw string around a profile: take the text inside it.",
            Self::ByteOrderMark => "The text starts with a byte order mark: save it as UTF-8 without one.",
        }
    }
}

/// What the symbol `name` looks like, if it looks like a template (`spec/sbpl-language.md` §16, cases 34 and 37).
pub fn template_hint(name: &[u8]) -> Option<TemplateHint> {
    let key = |bytes: &[u8]| {
        !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
    };
    if name.starts_with(b"\xef\xbb\xbf") {
        return Some(TemplateHint::ByteOrderMark);
    }
    if name.starts_with(b"R\"") {
        return Some(TemplateHint::RawStringWrapper);
    }
    let strip = |mark: &[u8]| name.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    if strip(b"@").is_some_and(key) {
        return Some(TemplateHint::AtSigns);
    }
    strip(b"__").is_some_and(key).then_some(TemplateHint::Underscores)
}

/// An open list, its line, and its column if it is the first thing on that line.
struct Open {
    span: Span,
    line: u32,
    column: Option<u32>,
}

/// The first list that the indentation shows to be left open; `None` when it shows nothing.
pub(super) fn unclosed_suspect(text: &[u8], tokens: &[Token]) -> Option<UnclosedSuspect> {
    let mut lists: Vec<Open> = Vec::new();
    let (mut line, mut line_start) = (1, 0);
    let mut starts_line = true;
    for token in tokens {
        let bytes = text.get(token.span.range()).unwrap_or_default();
        match token.kind {
            TokenKind::LParen | TokenKind::VectorOpen => {
                let head = text.get(line_start..token.span.start as usize).unwrap_or_default();
                let column = starts_line.then(|| width(head));
                if let Some(column) = column
                    && let Some(list) = lists.iter().rev().find(|list| list.column.is_some())
                    && list.column >= Some(column)
                {
                    return Some(UnclosedSuspect { open: list.span, line: list.line, next_line: line });
                }
                lists.push(Open { span: token.span, line, column });
            }
            TokenKind::RParen => {
                lists.pop();
            }
            _ => {}
        }
        starts_line &= token.kind == TokenKind::Whitespace;
        if matches!(
            token.kind,
            TokenKind::Whitespace | TokenKind::Error(_) | TokenKind::Atom(AtomKind::String | AtomKind::RawString)
        ) && let Some(last) = memchr::memrchr(b'\n', bytes)
        {
            line += memchr::memchr_iter(b'\n', bytes).count() as u32;
            line_start = token.span.start as usize + last + 1;
            starts_line = token.kind == TokenKind::Whitespace;
        }
    }
    None
}

/// The `)` that ends a form too soon: the last one before top-level data whose lines are all indented.
pub(super) fn early_close(text: &[u8], tokens: &[Token], nodes: &[Node]) -> Option<Span> {
    let mut suspect = None;
    let mut before: Option<Span> = None;
    let mut next = 0;
    while let Some(root) = nodes.get(next) {
        let (first, last) = (tokens.get(root.first as usize)?.span, tokens.get(root.last as usize)?.span);
        match indentation(text, first.start as usize) {
            Some(0) => suspect = None,
            Some(_) => suspect = suspect.or(before),
            None => {}
        }
        before = root.closed.then_some(last);
        next = root.end as usize;
    }
    suspect
}

/// Blanks before byte `at` of a line; `None` when something else is before it.
fn indentation(text: &[u8], at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    before.get(..before.len() - blanks)?.last().is_none_or(|&byte| byte == b'\n').then_some(blanks)
}

/// Columns that leading white space fills; a tab goes to the next multiple of 8.
fn width(blank: &[u8]) -> u32 {
    blank.iter().fold(0, |column, &byte| if byte == b'\t' { column / 8 * 8 + 8 } else { column + 1 })
}

/// The first string literal before `end` that holds a line end.
pub(super) fn string_over_lines(text: &[u8], tokens: &[Token], end: u32) -> Option<Span> {
    tokens
        .iter()
        .take_while(|token| token.span.end <= end)
        .filter(|token| matches!(token.kind, TokenKind::Atom(AtomKind::String | AtomKind::RawString)))
        .map(|token| token.span)
        .find(|span| text.get(span.range()).is_some_and(|bytes| memchr::memchr(b'\n', bytes).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::lex;

    fn suspect(text: &str) -> Option<(u32, u32, u32)> {
        unclosed_suspect(text.as_bytes(), &lex(text.as_bytes())).map(|it| (it.open.start, it.line, it.next_line))
    }

    #[test]
    fn indentation_tells_which_list_was_left_open() {
        assert_eq!(suspect("(allow a\n  (x)\n(deny b)\n"), Some((0, 1, 3)));
        assert_eq!(suspect("(allow a\n  (x \"1\"\n  (y \"2\"))\n(deny b)\n"), Some((11, 2, 3)));
        assert_eq!(suspect("(allow a (x\n(deny b)\n"), Some((0, 1, 2)));
        assert_eq!(suspect("(allow a\n  (x)\n"), None);
    }

    #[test]
    fn templates_are_recognised() {
        assert_eq!(template_hint(b"@HOME_DIR@"), Some(TemplateHint::AtSigns));
        assert_eq!(template_hint(b"__TMP__"), Some(TemplateHint::Underscores));
        assert_eq!(template_hint(b"R\"\""), Some(TemplateHint::RawStringWrapper));
        assert_eq!(template_hint(b"\xef\xbb\xbf"), Some(TemplateHint::ByteOrderMark));
        for name in [&b"@"[..], b"@@", b"____", b"R", b"file-read*", b"__x__"] {
            assert_eq!(template_hint(name), None);
        }
    }
}
