//! Any bytes at any width: formatting keeps the tokens and is idempotent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbpl::syntax::format::{Style, format};
use sbpl::syntax::{SyntaxLimits, TokenKind, lex, parse};

fuzz_target!(|input: (u16, &[u8])| {
    let (width, text) = input;
    let kept = |text: &[u8]| -> Vec<(TokenKind, Vec<u8>)> {
        let tokens = lex(text).into_iter().filter(|token| token.kind != TokenKind::Whitespace);
        tokens.map(|token| (token.kind, text[token.span.range()].trim_ascii_end().to_vec())).collect()
    };
    let read = |text: &[u8]| parse(text, &SyntaxLimits::default());
    if let Some(once) = format(&read(text), Style { width }) {
        assert_eq!(kept(text), kept(&once));
        assert_eq!(format(&read(&once), Style { width }), Some(once));
    }
});
