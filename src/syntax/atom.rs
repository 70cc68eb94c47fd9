//! The values that atoms stand for (`spec/sbpl-language.md` §2, "Strings", "Raw strings", "numbers first").

use std::borrow::Cow;

use super::token::AtomKind;

/// The value of an atom.
#[derive(Debug, Clone, PartialEq)]
pub enum Atom<'a> {
    /// A symbol; case matters.
    Symbol(&'a [u8]),
    /// A string, written `"…"` or `#"…"`.
    String(Cow<'a, [u8]>),
    /// An integer; beyond 64 bits it stops at the largest or smallest, as the C library does.
    Integer(i64),
    /// A number with a point or an exponent.
    Real(f64),
    /// `#t` or `#f`.
    Bool(bool),
    /// One byte.
    Char(u8),
}

/// The value of an atom of `kind` that is written `text`.
///
/// `text` must be what the lexer gave that kind; any other text gives some value, never a panic.
pub fn decode(kind: AtomKind, text: &[u8]) -> Atom<'_> {
    match kind {
        AtomKind::Symbol => Atom::Symbol(text),
        AtomKind::String => Atom::String(unescape(inner(text, 1))),
        AtomKind::RawString => Atom::String(Cow::Borrowed(inner(text, 2))),
        AtomKind::Char => Atom::Char(character(text.get(2..).unwrap_or_default()).unwrap_or_default()),
        AtomKind::Bool => Atom::Bool(text == b"#t"),
        AtomKind::Number => number(text),
    }
}

/// Appends `value` as a string literal `"…"` that reads back as `value`.
pub fn write_string(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for &byte in value {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            b'\r' => out.extend(b"\\r"),
            0..0x20 | 0x7f => out.extend(format!("\\x{byte:02x}").bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn inner(text: &[u8], head: usize) -> &[u8] {
    text.get(head..text.len().saturating_sub(1)).unwrap_or_default()
}

fn unescape(body: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', body) else { return Cow::Borrowed(body) };
    let (head, mut rest) = body.split_at(first);
    let mut out = head.to_vec();
    while let Some(&byte) = rest.first() {
        let (value, length) = if byte == b'\\' { escape(rest).unwrap_or((byte, 1)) } else { (byte, 1) };
        out.push(value);
        rest = rest.get(length..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// The byte that the escape at the start of `text` (a backslash) gives, and the length of the escape.
///
/// `None`: `\x` without two hex digits, `\` and one octal digit alone, or nothing after the backslash. Octal escapes eat
/// up to four digits, the value cut to a byte: a quirk of this TinyScheme.
pub(super) fn escape(text: &[u8]) -> Option<(u8, usize)> {
    match *text.get(1)? {
        b'n' => Some((b'\n', 2)),
        b't' => Some((b'\t', 2)),
        b'r' => Some((b'\r', 2)),
        b'x' | b'X' => Some((hex_digit(*text.get(2)?)? << 4 | hex_digit(*text.get(3)?)?, 4)),
        b'0'..=b'7' => {
            let digits = text.iter().skip(1).take(4).take_while(|byte| matches!(byte, b'0'..=b'7'));
            let (value, count) =
                digits.fold((0u32, 0), |(value, count), digit| (value << 3 | u32::from(digit - b'0'), count + 1));
            (count >= 2).then_some((value as u8, 1 + count))
        }
        other => Some((other, 2)),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The byte that `#\name` stands for. Names ignore case. After `x` the rest is read as C's `scanf` reads `%x`: a sign, `0x`,
/// digits, and nothing after them matters; it must be less than 256.
pub(super) fn character(name: &[u8]) -> Option<u8> {
    const NAMES: [(&[u8], u8); 4] = [(b"space", b' '), (b"newline", b'\n'), (b"return", b'\r'), (b"tab", b'\t')];
    if let [byte] = name {
        return Some(*byte);
    }
    if let Some((_, byte)) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Some(*byte);
    }
    let (negative, digits) = match name.strip_prefix(b"x")? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let digits = match digits {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().copied().and_then(hex_digit).is_some() => rest,
        _ => digits,
    };
    digits.first().copied().and_then(hex_digit)?;
    let code = prefix_value(digits, 16);
    if negative {
        // A negative number is less than 256; what is kept of it is its last byte.
        return Some((code as u8).wrapping_neg());
    }
    u8::try_from(code).ok()
}

/// True when `atom` reads completely as a number. After `e` one more sign or digit must follow, then digits and
/// further exponents: `1e+` and `1e2e3` are numbers, a quirk of TinyScheme's reader.
pub(super) fn is_number(atom: &[u8]) -> bool {
    let unsigned = match atom {
        [b'+' | b'-', rest @ ..] => rest,
        _ => atom,
    };
    let (mut point_seen, digits) = match unsigned {
        [b'.', rest @ ..] => (true, rest),
        _ => (false, unsigned),
    };
    let [b'0'..=b'9', rest @ ..] = digits else { return false };
    let mut rest = rest;
    loop {
        rest = match rest {
            [] => return true,
            [b'0'..=b'9', rest @ ..] => rest,
            [b'.', rest @ ..] if !point_seen => {
                point_seen = true;
                rest
            }
            [b'e' | b'E', b'+' | b'-' | b'0'..=b'9', rest @ ..] => {
                point_seen = true;
                rest
            }
            _ => return false,
        };
    }
}

fn number(text: &[u8]) -> Atom<'_> {
    match text {
        [b'#', b'd', digits @ ..] => Atom::Integer(decimal(digits)),
        [b'#', b'o', digits @ ..] => Atom::Integer(prefix_value(digits, 8) as i64),
        [b'#', b'x', digits @ ..] => Atom::Integer(prefix_value(digits, 16) as i64),
        [b'#', b'b', digits @ ..] => Atom::Integer(binary(digits)),
        _ if text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => Atom::Real(real(text)),
        _ => Atom::Integer(decimal(text)),
    }
}

/// Digits of `radix` up to the first other byte; too large: all bits set, as `strtoul` does.
fn prefix_value(digits: &[u8], radix: u32) -> u64 {
    digits
        .iter()
        .map_while(|&byte| char::from(byte).to_digit(radix))
        .try_fold(0u64, |value, digit| value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit)))
        .unwrap_or(u64::MAX)
}

fn binary(digits: &[u8]) -> i64 {
    digits
        .iter()
        .take_while(|byte| matches!(byte, b'0' | b'1'))
        .fold(0, |value, bit| value << 1 | i64::from(bit - b'0'))
}

/// Sign and digits up to the first other byte; too large: the largest or smallest value, as `strtol` does.
fn decimal(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let sign = if negative { -1 } else { 1 };
    digits
        .iter()
        .map_while(|&byte| char::from(byte).to_digit(10))
        .try_fold(0i64, |value, digit| value.checked_mul(10)?.checked_add(sign * i64::from(digit)))
        .unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

/// The longest front part that is a number for C's `strtod`: an exponent without digits is dropped.
fn real(text: &[u8]) -> f64 {
    let mantissa = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    let exponent = text.get(mantissa + 1..).unwrap_or_default();
    let sign = usize::from(matches!(exponent.first(), Some(b'+' | b'-')));
    let digits = exponent.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    let end = if digits == 0 { mantissa } else { mantissa + 1 + sign + digits };
    text.get(..end)
        .and_then(|front| std::str::from_utf8(front).ok())
        .and_then(|front| front.parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{TokenKind, lex};

    fn value(text: &str) -> Atom<'_> {
        let tokens = lex(text.as_bytes());
        let [token] = tokens[..] else { panic!("{text}: not one token: {tokens:?}") };
        let TokenKind::Atom(kind) = token.kind else { panic!("{text}: {:?}", token.kind) };
        decode(kind, text.as_bytes())
    }

    fn string(text: &str) -> Vec<u8> {
        match value(text) {
            Atom::String(bytes) => bytes.into_owned(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn numbers_first() {
        for symbol in ["...", "1+", "-", "->x", "-x", "+", ".5x", "0x10", "1.2.3", "1e", "1e5.", "1ee", "-.", "+.e1"] {
            assert_eq!(value(symbol), Atom::Symbol(symbol.as_bytes()));
        }
        for (text, number) in [("+5", 5), ("08", 8), ("-7", -7), ("99999999999999999999", i64::MAX)] {
            assert_eq!(value(text), Atom::Integer(number));
        }
        assert_eq!(value("-9223372036854775808"), Atom::Integer(i64::MIN));
        assert_eq!(value("-99999999999999999999"), Atom::Integer(i64::MIN));
        for (text, number) in [
            (".5", 0.5),
            ("1e3", 1000.0),
            ("1.", 1.0),
            ("1e+", 1.0),
            ("-.5E-1", -0.05),
            ("1e2e3", 100.0),
            ("1e+e3", 1.0),
        ] {
            assert_eq!(value(text), Atom::Real(number), "{text}");
        }
    }

    #[test]
    fn radix_numbers_stop_at_the_first_bad_digit() {
        for (text, number) in [
            ("#o0004", 4),
            ("#x682f", 26671),
            ("#o78", 7),
            ("#xZZ", 0),
            ("#d-12z", -12),
            ("#b1012", 5),
            ("#d", 0),
            ("#xffffffffffffffff", -1),
            ("#xfffffffffffffffff", -1),
            ("#define", 0),
        ] {
            assert_eq!(value(text), Atom::Integer(number), "{text}");
        }
    }

    #[test]
    fn escapes_of_strings() {
        for (text, bytes) in [
            (r#""\.""#, &b"."[..]),
            (r#""\u0041""#, b"u0041"),
            (r#""\b\f""#, b"bf"),
            (r#""\n\t\r\"\\""#, b"\n\t\r\"\\"),
            (r#""\x41\X6a""#, b"Aj"),
            (r#""\101""#, b"A"),
            (r#""\1018""#, b"A8"),
            (r#""\0101z""#, b"Az"),
            (r#""\7777""#, b"\xff"),
            ("\"a\\\nb\nc\"", b"a\nb\nc"),
            (r##"#"a\""##, b"a\\"),
            (r##"#"\\.env""##, b"\\\\.env"),
        ] {
            assert_eq!(string(text), bytes, "{text}");
        }
    }

    #[test]
    fn characters() {
        for (text, byte) in [
            (r"#\a", b'a'),
            (r"#\(", b'('),
            (r"#\;", b';'),
            (r"#\Space", b' '),
            (r"#\newline", b'\n'),
            (r"#\x", b'x'),
            (r"#\x41", b'A'),
            (r"#\xff", 255),
            (r"#\x4g", 4),
            (r"#\x+f", 15),
            (r"#\x-1", 255),
            (r"#\x0x41", b'A'),
            (r"#\x0x", 0),
        ] {
            assert_eq!(value(text), Atom::Char(byte), "{text}");
        }
        assert_eq!(lex(br"#\x100")[0].kind, TokenKind::Error(crate::syntax::LexError::UndefinedSharp));
    }

    #[test]
    fn written_strings_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut text = Vec::new();
        write_string(&mut text, &all);
        assert_eq!(decode(AtomKind::String, &text), Atom::String(all.into()));
        assert_eq!(lex(&text).len(), 1);
    }
}
