//! What holds for every text.

use proptest::prelude::*;
use sbpl::syntax::{NodeKind, SyntaxLimits, Token, Tree, lex, parse};

/// Texts of pieces that meet at every edge of the lexical grammar.
pub(crate) fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(
        [
            "(",
            ")",
            "(",
            ")",
            "#(",
            "'",
            "`",
            ",",
            ",@",
            "@",
            " ",
            "\n",
            "\t",
            "\r\n",
            "\x0b",
            "\x0c",
            ".",
            ";",
            "; c\n",
            "#!",
            "#!x\n",
            "\"",
            "\"a\"",
            "\\",
            "\\n",
            "\\x4",
            "\\x41",
            "\\12",
            "\\7",
            "#\"",
            "#\"r\"",
            "#\\",
            "#\\a",
            "#\\space",
            "#\\x",
            "41",
            "#t",
            "#f",
            "#true",
            "#",
            "#o17",
            "#x",
            "#b1",
            "#d9",
            "#|",
            "|#",
            "1",
            "-",
            "+",
            "e",
            "E",
            ".5",
            "a",
            "allow",
            "file-read*",
            "\0",
            "\u{a0}",
            "é",
        ]
        .as_slice(),
    );
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

pub(crate) fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => pieces(), 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn check_tiling(text: &[u8], tokens: &[Token]) {
    let mut at = 0;
    for token in tokens {
        assert_eq!(token.span.start, at);
        assert!(!token.span.is_empty());
        at = token.span.end;
    }
    assert_eq!(at as usize, text.len());
}

/// Children lie inside their parent, in order, without overlap; leaves and roots are what they claim to be.
fn check_tree(tree: &Tree) {
    for node in tree.nodes() {
        let mut at = tree.span(node).start;
        for child in tree.children(node) {
            assert_eq!(tree.parent(child), Some(node));
            assert!(tree.span(child).start >= at);
            at = tree.span(child).end;
        }
        assert!(at <= tree.span(node).end);
        match tree.kind(node) {
            NodeKind::Atom(_) => assert!(tree.datum(node).is_some() && tree.children(node).count() == 0),
            NodeKind::Error => assert_eq!(tree.children(node).count(), 0),
            NodeKind::Quoted(_) => assert!(tree.children(node).count() <= 1),
            NodeKind::DottedList => assert!(tree.children(node).count() >= 2 && tree.close(node).is_some()),
            NodeKind::List | NodeKind::Vector => {}
        }
    }
    assert!(tree.roots().all(|root| tree.parent(root).is_none()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_prints_as_it_was(text in any_text(), max_depth in 0u32..6, max_tokens in 0u32..40) {
        check_tiling(&text, &lex(&text));
        for limits in [SyntaxLimits::default(), SyntaxLimits { max_depth, max_tokens, ..SyntaxLimits::default() }] {
            let parsed = parse(text.clone(), &limits);
            check_tiling(&text, parsed.tree.tokens());
            check_tree(&parsed.tree);
            prop_assert_eq!(parsed.tree.print(), &text[..]);
            prop_assert!(parsed.errors.iter().all(|error| error.span.end as usize <= text.len()));
        }
    }

    /// An error node or a missing parenthesis is never silent.
    #[test]
    fn no_errors_means_a_whole_tree(text in any_text()) {
        let parsed = parse(text, &SyntaxLimits::default());
        let tree = &parsed.tree;
        let whole = tree.nodes().all(|node| match tree.kind(node) {
            NodeKind::Error => false,
            NodeKind::List | NodeKind::DottedList | NodeKind::Vector => tree.close(node).is_some(),
            NodeKind::Quoted(_) => tree.children(node).count() == 1,
            NodeKind::Atom(_) => true,
        });
        prop_assert!(whole || !parsed.errors.is_empty());
    }
}
