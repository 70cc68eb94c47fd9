//! Hostile sizes: a result or a clear error, in bounded time and memory.

use expect_test::expect;
use sbpl::syntax::{NodeKind, Parse, SyntaxError, SyntaxLimits, parse};

fn errors(errors: &[SyntaxError]) -> String {
    errors.iter().map(|error| format!("{} {:?} {error}\n", error.kind.code(), error.span.range())).collect()
}

/// Ten million open lists are one error about depth and one about the end, not ten million, and take no stack.
#[test]
fn ten_megabytes_of_open_parentheses() {
    let Parse { tree, errors: found } = parse(vec![b'('; 10 << 20], &SyntaxLimits::default());
    expect![[r#"
        E0109 1000..1001 lists are nested deeper than 1000
        E0101 10485760..10485760 syntax error: expecting ')'
    "#]]
    .assert_eq(&errors(&found));
    assert_eq!(tree.len(), 1001);
    assert_eq!(tree.print().len(), 10 << 20);
}

#[test]
fn a_million_quote_marks_nest_no_deeper_than_the_limit() {
    let Parse { tree, errors: found } = parse(vec![b'\''; 1 << 20], &SyntaxLimits::default());
    assert!(found.len() <= 2, "{}", errors(&found));
    let mut depths = vec![0; tree.len()];
    for node in tree.nodes() {
        depths[node.index()] = tree.parent(node).map_or(0, |parent| depths[parent.index()] + 1);
        assert!(tree.children(node).count() <= 1);
    }
    assert_eq!(depths.iter().max(), Some(&1000));
}

/// A list at the limit is read, one level more is not, and reading goes on after it.
#[test]
fn the_depth_limit_is_exact_and_local() {
    let limits = SyntaxLimits { max_depth: 3, ..SyntaxLimits::default() };
    assert_eq!(parse(&b"((('a)))"[..], &SyntaxLimits { max_depth: 4, ..limits }).errors, []);
    let Parse { tree, errors: found } = parse(&b"(((a))) ((((x) y) z) t) (b)"[..], &limits);
    expect![[r#"
        E0109 11..12 lists are nested deeper than 3
    "#]]
    .assert_eq(&errors(&found));
    let unread: Vec<_> = tree.nodes().filter(|&node| tree.kind(node) == NodeKind::Error).collect();
    assert_eq!(unread.iter().map(|&node| tree.source(node)).collect::<Vec<_>>(), [b"(x)"]);
    assert_eq!(tree.roots().map(|root| tree.source(root)).last(), Some(&b"(b)"[..]));
}

#[test]
fn a_text_over_the_size_limit_is_refused_but_kept() {
    let limits = SyntaxLimits { max_bytes: 3, ..SyntaxLimits::default() };
    let Parse { tree, errors: found } = parse(&b"(a)b"[..], &limits);
    expect![[r#"
        E0110 0..0 the text has 4 bytes, the limit is 3
    "#]]
    .assert_eq(&errors(&found));
    assert!(tree.is_empty());
    assert_eq!(tree.print(), b"(a)b");
}

#[test]
fn tokens_over_the_limit_are_left_unread() {
    let limits = SyntaxLimits { max_tokens: 4, ..SyntaxLimits::default() };
    let Parse { tree, errors: found } = parse(&b"(a b c) d"[..], &limits);
    expect![[r#"
        E0111 4..4 the text has more than 4 tokens
    "#]]
    .assert_eq(&errors(&found));
    assert_eq!(tree.tokens().len(), 5);
    assert_eq!(tree.print(), b"(a b c) d");
}

#[test]
fn errors_are_counted_when_they_are_too_many() {
    let limits = SyntaxLimits { max_errors: 2, ..SyntaxLimits::default() };
    let found = parse(&b")))))"[..], &limits).errors;
    expect![[r#"
        E0102 0..1 syntax error: illegal token
        E0102 1..2 syntax error: illegal token
        E0112 5..5 3 more syntax errors are not shown
    "#]]
    .assert_eq(&errors(&found));
}

/// A file of 50 MB shaped like a profile fits the default limits.
#[test]
fn fifty_megabytes_are_read() {
    let form = b"(allow file-read*\n  (literal \"/private/etc/hosts\") ; names\n  (subpath \"/usr/lib\"))\n";
    let text = form.repeat((50 << 20) / form.len());
    let Parse { tree, errors: found } = parse(text, &SyntaxLimits::default());
    assert_eq!(errors(&found), "");
    assert_eq!(tree.roots().count(), (50 << 20) / form.len());
}
