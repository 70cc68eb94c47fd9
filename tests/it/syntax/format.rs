//! The one style. `docs/format.md` has the same rules in words.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use sbpl::syntax::format::{Style, format};
use sbpl::syntax::{Token, TokenKind, lex};

use super::properties::any_text;
use super::read;

fn formatted(text: &[u8], width: u16) -> Option<Vec<u8>> {
    format(&read(text), Style { width })
}

fn check_width(text: &str, width: u16, expected: Expect) {
    let once = formatted(text.as_bytes(), width).expect("no syntax errors");
    expected.assert_eq(&String::from_utf8_lossy(&once));
    let twice = formatted(&once, width).expect("still no syntax errors");
    assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once), "formatted again");
}

fn check(text: &str, expected: Expect) {
    check_width(text, 100, expected);
}

#[test]
fn what_the_author_kept_on_one_line_stays_there() {
    check(
        "( version   1 )\n(deny default)(import \"system.sb\")",
        expect![[r#"
        (version 1)
        (deny default)
        (import "system.sb")
    "#]],
    );
}

#[test]
fn rules_have_operations_first_and_a_line_for_each_other_argument() {
    check(
        "(allow file-read* file-write*\n\t(literal \"/a\") (subpath \"/b\")\n\t(with no-log)\n)\n(deny\n file-write*)",
        expect![[r#"
            (allow file-read* file-write*
                (literal "/a")
                (subpath "/b")
                (with no-log))
            (deny file-write*)
        "#]],
    );
}

#[test]
fn long_rules_are_broken() {
    check_width(
        "(allow file-read* file-write* file-ioctl (subpath \"/a\") (require-all (literal \"/aaaaaaa\") (vnode-type DIRECTORY)))",
        40,
        expect![[r#"
            (allow file-read* file-write* file-ioctl
                (subpath "/a")
                (require-all
                  (literal "/aaaaaaa")
                  (vnode-type DIRECTORY)))
        "#]],
    );
}

#[test]
fn bodies_are_indented_by_two() {
    check(
        "(define (f x) (if x\n (allow default)\n (begin (deny default) (g))))\n(let loop ((i 0)\n(j 1))\n(when (> i j) (loop j i)))",
        expect![[r#"
            (define (f x)
              (if x
                (allow default)
                (begin (deny default) (g))))
            (let loop ((i 0)
                       (j 1))
              (when (> i j) (loop j i)))
        "#]],
    );
}

#[test]
fn quoted_lists_keep_their_lines() {
    check(
        "(define x '(1 2 3\n4 5 (6\n7)))\n(f #(1\n2) `(allow\n,x))",
        expect![[r#"
            (define x
              '(1 2 3
                4 5 (6
                     7)))
            (f
              #(1
                2)
              `(allow ,x))
        "#]],
    );
}

#[test]
fn comments_stay_where_they_are() {
    check(
        ";; head  \n\n\n\n; two\n(allow file-read*   ; trailing\n; own line\n\n\n   (literal \"/a\")   ;; why\n  ; last\n  )\n(f (a) ; in\n) ; out\n( ; odd\n a b)\n(define ; name\n x 1)\n; end",
        expect![[r#"
            ;; head


            ; two
            (allow file-read* ; trailing
                ; own line

                (literal "/a") ;; why
                ; last
            )
            (f
              (a) ; in
            ) ; out
            ( ; odd
             a
             b)
            (define ; name
              x
              1)
            ; end
        "#]],
    );
}

#[test]
fn clauses_are_below_each_other() {
    check(
        "(cond ((a) b)\n((c)\n d) (else\n e))",
        expect![[r#"
            (cond
              ((a) b)
              ((c)
               d)
              (else e))
        "#]],
    );
}

#[test]
fn forms_whose_tokens_would_change_are_left_alone() {
    let text = b"(a  .\r\n  b)\n(  c  d)\n, @x\n'; why\n  x\n";
    let once = formatted(text, 100).unwrap();
    assert_eq!(String::from_utf8_lossy(&once), "(a  .\r\n  b)\n(c d)\n, @x\n'; why\n  x\n");
    assert_eq!(formatted(&once, 100), Some(once));
}

#[test]
fn empty_and_odd_files() {
    check("", expect![[r#""#]]);
    check("  \n\n", expect![[r#""#]]);
    check(
        "\n\n; only",
        expect![[r#"
        ; only
    "#]],
    );
    check(
        "#!/usr/bin/sandbox-exec -f\n\n(version 1)",
        expect![[r#"
        #!/usr/bin/sandbox-exec -f

        (version 1)
    "#]],
    );
}

/// `docs/format.md` shows what the formatter does.
#[test]
fn the_examples_of_the_document_are_true() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/format.md")).unwrap();
    let blocks = |label: &str| {
        let fence = format!("```sbpl {label}\n");
        text.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (before, after) = (blocks("before"), blocks("after"));
    assert_eq!(before.len(), after.len());
    assert!(before.len() >= 5);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(String::from_utf8(formatted(before.as_bytes(), 100).unwrap()).unwrap(), *after);
        assert_eq!(String::from_utf8(formatted(after.as_bytes(), 100).unwrap()).unwrap(), *after);
    }
}

/// What the text says: tokens without white space, comments without blanks at their end.
fn kept(text: &[u8]) -> Vec<(TokenKind, Vec<u8>)> {
    let tokens = lex(text).into_iter().filter(|token| token.kind != TokenKind::Whitespace);
    let text_of = |token: Token| {
        let bytes = &text[token.span.range()];
        (token.kind, if token.kind.is_comment() { bytes.trim_ascii_end() } else { bytes }.to_vec())
    };
    tokens.map(text_of).collect()
}

/// Texts without syntax errors, more or less like profiles.
fn profile() -> impl Strategy<Value = Vec<u8>> {
    let atom = prop::sample::select(
        [
            "allow",
            "deny",
            "file-read*",
            "define",
            "let",
            "if",
            "x",
            "cond",
            "\"/a/b\"",
            "#\"^/x\"",
            "12",
            "#t",
            "#\\(",
            ".",
        ]
        .as_slice(),
    );
    let space = prop::sample::select(
        [" ", " ", "\n", "\n\n", "\n\n\n\n", "\t", "\r\n", " ; c \n", "\n; own\r\n", "\n  ;; x\n\n", " #!s\n"]
            .as_slice(),
    );
    let datum = atom.prop_map(str::to_owned).prop_recursive(6, 60, 6, move |inner| {
        let items = prop::collection::vec((inner.clone(), space.clone()), 0..6);
        let mark = prop::sample::select(["", "'", "`", ",", ",@", "' "].as_slice());
        let open = prop::sample::select(["(", "(", "(", "( ", "(\n", "#("].as_slice());
        (mark, open, items, space.clone()).prop_map(|(mark, open, items, last)| {
            let body: String = items.into_iter().map(|(datum, space)| datum + space).collect();
            format!("{mark}{open}{body}{last})")
        })
    });
    prop::collection::vec(datum, 0..4).prop_map(|data| data.join(" ").into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn formatting_keeps_tokens_and_is_idempotent(
        text in prop_oneof![4 => profile(), 1 => any_text()],
        width in prop::sample::select([1u16, 8, 20, 40, 100, u16::MAX].as_slice()),
    ) {
        match formatted(&text, width) {
            None => prop_assert!(!read(&text).errors.is_empty()),
            Some(once) => {
                prop_assert_eq!(kept(&text), kept(&once), "{}", once.escape_ascii());
                let twice = formatted(&once, width).expect("still no errors");
                prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
            }
        }
    }
}
