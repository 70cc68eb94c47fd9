//! Any bytes: the tokens tile them, the tree prints them back, and every error lies inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbpl::syntax;

fuzz_target!(|text: &[u8]| {
    let mut end = 0;
    for token in syntax::lex(text) {
        assert_eq!(token.span.start, end);
        end = token.span.end;
    }
    assert_eq!(end as usize, text.len());
    let parse = syntax::parse(text, &syntax::SyntaxLimits::default());
    assert_eq!(parse.tree.print(), text);
    assert!(parse.errors.iter().all(|error| error.span.end as usize <= text.len()));
});
