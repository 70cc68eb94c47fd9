//! The lexer: the only module that knows nom.
//!
//! One parser per token class, chosen by the first byte; each takes at least one byte, so lexing always ends. Facts:
//! `spec/sbpl-language.md` §2, which was checked there against TinyScheme's reader.

use memchr::{memchr, memchr2};
use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_till, take_while};
use nom::combinator::{rest, value};
use nom::{IResult, Parser};

use super::Span;
use super::atom;
use super::token::{AtomKind, LexError, QuoteKind, Token, TokenKind};

type Scan<'a, T = TokenKind> = IResult<&'a [u8], T>;

const SPACE: u8 = 1;
const DELIMITER: u8 = 2;
const NUL: u8 = 4;

/// What each byte is between data and at the end of an atom. `\f` and `\v` are white space, but end no atom.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    table[b' ' as usize] = SPACE | DELIMITER;
    table[b'\t' as usize] = SPACE | DELIMITER;
    table[b'\n' as usize] = SPACE | DELIMITER;
    table[b'\r' as usize] = SPACE | DELIMITER;
    table[0x0b] = SPACE;
    table[0x0c] = SPACE;
    table[b'(' as usize] = DELIMITER;
    table[b')' as usize] = DELIMITER;
    table[b';' as usize] = DELIMITER;
    table[0] = NUL;
    table
};

fn is(byte: u8, classes: u8) -> bool {
    CLASS[usize::from(byte)] & classes != 0
}

fn one(input: &[u8], kind: TokenKind) -> Scan<'_> {
    value(kind, take(1usize)).parse(input)
}

fn token(input: &[u8]) -> Scan<'_> {
    match input.first() {
        Some(b'(') => one(input, TokenKind::LParen),
        Some(b')') => one(input, TokenKind::RParen),
        Some(b'"') => string(input),
        Some(b';') => value(TokenKind::Comment, to_end_of_line).parse(input),
        Some(b'#') => sharp(input),
        Some(b'\'') => one(input, TokenKind::Quote(QuoteKind::Quote)),
        Some(b'`') => one(input, TokenKind::Quote(QuoteKind::Quasiquote)),
        Some(b',') => alt((
            value(TokenKind::Quote(QuoteKind::UnquoteSplicing), tag(&b",@"[..])),
            value(TokenKind::Quote(QuoteKind::Unquote), take(1usize)),
        ))
        .parse(input),
        Some(b'.') if matches!(input.get(1), Some(b' ' | b'\n' | b'\t')) => one(input, TokenKind::Dot),
        Some(&byte) if is(byte, SPACE) => value(TokenKind::Whitespace, take_while(|b| is(b, SPACE))).parse(input),
        _ => plain_atom(input),
    }
}

fn to_end_of_line(input: &[u8]) -> Scan<'_, &[u8]> {
    let end = memchr(b'\n', input).unwrap_or(input.len());
    take(end).parse(input)
}

/// Bytes up to the next delimiter, and whether a NUL is among them.
fn atom_bytes(input: &[u8]) -> Scan<'_, (&[u8], bool)> {
    let (rest, bytes) = take_till(|b| is(b, DELIMITER | NUL)).parse(input)?;
    if rest.first() != Some(&0) {
        return Ok((rest, (bytes, false)));
    }
    let (rest, bytes) = take_till(|b| is(b, DELIMITER)).parse(input)?;
    Ok((rest, (bytes, true)))
}

fn plain_atom(input: &[u8]) -> Scan<'_> {
    // What lets `#\(` be a character also makes a lone backslash take the delimiter after it.
    if let [b'\\', delimiter, ..] = input
        && is(*delimiter, DELIMITER)
    {
        return value(TokenKind::Atom(AtomKind::Symbol), take(2usize)).parse(input);
    }
    let (rest, (bytes, nul)) = atom_bytes(input)?;
    let kind = match bytes.first() {
        _ if nul => TokenKind::Error(LexError::NulInAtom),
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') if atom::is_number(bytes) => TokenKind::Atom(AtomKind::Number),
        _ => TokenKind::Atom(AtomKind::Symbol),
    };
    Ok((rest, kind))
}

/// `"…"`. Escapes are checked here, so that decoding a string token cannot fail.
fn string(input: &[u8]) -> Scan<'_> {
    let mut kind = TokenKind::Atom(AtomKind::String);
    let (mut input, _) = take(1usize).parse(input)?;
    loop {
        let Some(stop) = memchr2(b'"', b'\\', input) else {
            return value(TokenKind::Error(LexError::UnterminatedString), rest).parse(input);
        };
        let (at, _) = take(stop).parse(input)?;
        if at.first() == Some(&b'"') {
            return one(at, kind);
        }
        match atom::escape(at) {
            Some((_, length)) => (input, _) = take(length).parse(at)?,
            None if at.len() < 2 => {
                return value(TokenKind::Error(LexError::UnterminatedString), rest).parse(at);
            }
            None => {
                kind = TokenKind::Error(LexError::BadEscape);
                (input, _) = take(2usize).parse(at)?;
            }
        }
    }
}

/// Everything that starts with `#`.
fn sharp(input: &[u8]) -> Scan<'_> {
    match input.get(1) {
        Some(b'(') => value(TokenKind::VectorOpen, take(2usize)).parse(input),
        Some(b'!') => value(TokenKind::Shebang, to_end_of_line).parse(input),
        Some(b'"') => raw_string(input),
        Some(b'\\') => character(input),
        _ => {
            let (rest, (bytes, nul)) = atom_bytes(input)?;
            let kind = match bytes {
                _ if nul => TokenKind::Error(LexError::NulInAtom),
                b"#t" | b"#f" => TokenKind::Atom(AtomKind::Bool),
                [b'#', b'd' | b'o' | b'x' | b'b', ..] => TokenKind::Atom(AtomKind::Number),
                _ => TokenKind::Error(LexError::UndefinedSharp),
            };
            Ok((rest, kind))
        }
    }
}

/// `#"…"`: up to the next quote, whatever stands before it.
fn raw_string(input: &[u8]) -> Scan<'_> {
    let (body, _) = take(2usize).parse(input)?;
    match memchr(b'"', body) {
        Some(length) => value(TokenKind::Atom(AtomKind::RawString), take(length + 1)).parse(body),
        None => value(TokenKind::Error(LexError::UnterminatedRawString), rest).parse(body),
    }
}

/// `#\…`: one byte if that is a delimiter, else the atom up to the next delimiter.
fn character(input: &[u8]) -> Scan<'_> {
    let (name, _) = take(2usize).parse(input)?;
    if name.first().is_some_and(|&byte| is(byte, DELIMITER)) {
        return one(name, TokenKind::Atom(AtomKind::Char));
    }
    let (rest, (bytes, nul)) = atom_bytes(name)?;
    let kind = match atom::character(bytes) {
        _ if nul => TokenKind::Error(LexError::NulInAtom),
        Some(_) => TokenKind::Atom(AtomKind::Char),
        None => TokenKind::Error(LexError::UndefinedSharp),
    };
    Ok((rest, kind))
}

/// The tokens of a text, one by one. They tile it: the first starts at 0, each starts where the one before ended.
///
/// Positions are 32 bits; of a longer text the part after 4 GiB − 1 is not read.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    rest: &'a [u8],
    at: u32,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        let end = text.len().min(u32::MAX as usize);
        Self { rest: &text[..end], at: 0 }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    #[inline]
    fn next(&mut self) -> Option<Token> {
        if self.rest.is_empty() {
            return None;
        }
        // No parser above fails on a text that is not empty; should one ever, what is left is one unreadable token.
        let (rest, kind) = token(self.rest).unwrap_or((&[], TokenKind::Error(LexError::Unread)));
        let start = self.at;
        self.at += (self.rest.len() - rest.len()) as u32;
        self.rest = rest;
        Some(Token { kind, span: Span::new(start, self.at) })
    }
}

/// All tokens of `text`; see [`Lexer`]. Memory is 12 bytes a token; hostile input goes through
/// [`parse`](super::parse()), which has limits.
pub fn lex(text: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len() / 4);
    tokens.extend(Lexer::new(text));
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &[u8], expected: Expect) {
        let mut out = String::new();
        for token in lex(text) {
            let kind = match token.kind {
                TokenKind::Error(error) => format!("error({error:?})"),
                kind => kind.name().to_owned(),
            };
            out += &format!("{kind} {}\n", text[token.span.range()].escape_ascii());
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn only_eight_delimiters_end_an_atom() {
        check(
            b"foo\"bar\" filter' a,b a|b a[0] x#y a;b",
            expect![[r#"
                symbol foo\"bar\"
                whitespace  
                symbol filter\'
                whitespace  
                symbol a,b
                whitespace  
                symbol a|b
                whitespace  
                symbol a[0]
                whitespace  
                symbol x#y
                whitespace  
                symbol a
                comment ;b
            "#]],
        );
    }

    #[test]
    fn form_feed_and_vertical_tab_separate_but_do_not_end_atoms() {
        check(
            b"\x0ca\x0bb \x0c",
            expect![[r#"
                whitespace \x0c
                symbol a\x0bb
                whitespace  \x0c
            "#]],
        );
    }

    #[test]
    fn characters_may_be_delimiters() {
        check(
            br#"#\(#\)#\; #\" #\space #\x #\x41 #\xZZ #\ab #\"#,
            expect![[r##"
                char #\\(
                char #\\)
                char #\\;
                whitespace  
                char #\\\"
                whitespace  
                char #\\space
                whitespace  
                char #\\x
                whitespace  
                char #\\x41
                whitespace  
                error(UndefinedSharp) #\\xZZ
                whitespace  
                error(UndefinedSharp) #\\ab
                whitespace  
                error(UndefinedSharp) #\\
            "##]],
        );
    }

    #[test]
    fn a_backslash_alone_takes_the_delimiter_after_it() {
        check(
            b"\\;a \\( \\a(",
            expect![[r#"
            symbol \\;
            symbol a
            whitespace  
            symbol \\(
            whitespace  
            symbol \\a
            lparen (
        "#]],
        );
    }

    #[test]
    fn strings_need_no_delimiter_after_them() {
        check(
            br##""a""b"#"c\"d"\x41\1" "\19""##,
            expect![[r##"
                string \"a\"
                string \"b\"
                raw-string #\"c\\\"
                symbol d\"\\x41\\1\"
                whitespace  
                error(BadEscape) \"\\19\"
            "##]],
        );
    }

    #[test]
    fn a_dot_is_a_dot_only_before_space_newline_tab() {
        check(
            b". .\n.\t.\r.(.;\n.x .",
            expect![[r#"
                dot .
                whitespace  
                dot .
                whitespace \n
                dot .
                whitespace \t
                symbol .
                whitespace \r
                symbol .
                lparen (
                symbol .
                comment ;
                whitespace \n
                symbol .x
                whitespace  
                symbol .
            "#]],
        );
    }

    #[test]
    fn unreadable_text_is_a_token_too() {
        check(
            b"#| #; #true a\0b \0 \"\\",
            expect![[r##"
                error(UndefinedSharp) #|
                whitespace  
                error(UndefinedSharp) #
                comment ; #true a\x00b \x00 \"\\
            "##]],
        );
        check(
            b"#true a\0b \0 #t\0 \"\\",
            expect![[r##"
                error(UndefinedSharp) #true
                whitespace  
                error(NulInAtom) a\x00b
                whitespace  
                error(NulInAtom) \x00
                whitespace  
                error(NulInAtom) #t\x00
                whitespace  
                error(UnterminatedString) \"\\
            "##]],
        );
    }
}
