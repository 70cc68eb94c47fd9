//! After an error reading goes on, and one mistake is one error.

use expect_test::{Expect, expect};

use super::dump;

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&dump(text.as_bytes()));
}

#[test]
fn independent_errors_are_all_reported() {
    check(
        "(a #true) ) (b . c d e) \"\\x\" 'x",
        expect![[r#"
        1:1 list
          1:2 symbol a = a
          1:4 error #true
        1:11 error )
        1:13 list
          1:14 symbol b = b
          1:18 symbol c = c
          1:20 symbol d = d
          1:22 symbol e = e
        1:25 error \"\\x\"
        1:30 quote
          1:31 symbol x = x
        E0106 1:4 undefined sharp expression
          The only booleans are '#t' and '#f'.
        E0102 1:11 syntax error: illegal token
          No list is open here: remove this ')', or look for a '(' lost before it.
        E0103 1:20 syntax error: illegal dot expression
          A '.' between spaces stands before the last element of a list, after at least one other.
        E0105 1:25 Error reading string
          '\x' takes two hex digits, '\' before a digit takes two to four octal digits.
    "#]],
    );
}

#[test]
fn a_quote_without_datum_is_one_error_however_many_marks() {
    check(
        "(a ''') b '",
        expect![[r#"
        1:1 list
          1:2 symbol a = a
          1:4 quote
            1:5 quote
              1:6 quote
        1:9 symbol b = b
        1:11 quote
        E0108 1:6 syntax error: illegal token
          A quote mark must be followed by what it quotes.
        E0108 1:11 syntax error: illegal token
          A quote mark must be followed by what it quotes.
    "#]],
    );
}

#[test]
fn open_lists_are_one_error_with_the_likely_line() {
    check(
        "(allow a\n  (b\n    (c)\n(deny d)\n(e",
        expect![[r#"
        1:1 list
          1:2 symbol allow = allow
          1:8 symbol a = a
          2:3 list
            2:4 symbol b = b
            3:5 list
              3:6 symbol c = c
            4:1 list
              4:2 symbol deny = deny
              4:7 symbol d = d
            5:1 list
              5:2 symbol e = e
        E0101 5:3 syntax error: expecting ')'
          5:1 this list is still open
          2:3 by the indentation, this list misses its ')'
          By the indentation, the list that starts on line 2 should end before line 4.
    "#]],
    );
}

#[test]
fn a_string_without_end_is_the_only_error_and_names_the_first_suspect() {
    check(
        "(a \"x)\n(b \" y \")",
        expect![[r#"
            1:1 list
              1:2 symbol a = a
              1:4 string \"x)\n(b \" = "x)\n(b "
              2:6 symbol y = y
              2:8 error \")
            E0104 2:8 Error reading string
              1:4 this string runs over a line end; is its '"' missing?
        "#]],
    );
    check(
        "(a #\"x)",
        expect![[r#"
        1:1 list
          1:2 symbol a = a
          1:4 error #\"x)
        E0104 1:4 Error reading string
    "#]],
    );
}

#[test]
fn a_parenthesis_too_much_names_the_one_that_closes_too_soon() {
    check(
        "(allow a\n  (b))\n  (c)\n  (d))\n(e))",
        expect![[r#"
        1:1 list
          1:2 symbol allow = allow
          1:8 symbol a = a
          2:3 list
            2:4 symbol b = b
        3:3 list
          3:4 symbol c = c
        4:3 list
          4:4 symbol d = d
        4:6 error )
        5:1 list
          5:2 symbol e = e
        5:4 error )
        E0102 4:6 syntax error: illegal token
          2:6 this ')' ends the form, but the lines after it are indented as part of it
          No list is open here: remove this ')', or look for a '(' lost before it.
        E0102 5:4 syntax error: illegal token
          No list is open here: remove this ')', or look for a '(' lost before it.
    "#]],
    );
}
