//! Where something stands in a JSON text: plans are checked as values, and reported with file, line and column.
//!
//! The text was accepted by the JSON reader before; on anything else the answer is *not found*. Nothing recurses.

use std::collections::BTreeSet;
use std::ops::Range;

/// One step from a value to a value in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Of an object.
    Key(&'a str),
    /// Of an array.
    Index(usize),
}

/// The value behind `steps`. Of a key that stands twice the last one, which is the one that counts.
pub(super) fn value(text: &[u8], steps: &[Step<'_>]) -> Option<Range<usize>> {
    let mut at = Scanner { text, at: 0 }.start();
    for step in steps {
        at = match *step {
            Step::Key(key) => members(text, at)?.into_iter().rev().find(|member| member.name == key)?.value,
            Step::Index(index) => *items(text, at)?.get(index)?,
        };
    }
    Some(at..Scanner { text, at }.end()?)
}

/// The key `key` of the object behind `steps`.
pub(super) fn key(text: &[u8], steps: &[Step<'_>], key: &str) -> Option<Range<usize>> {
    let object = value(text, steps)?;
    members(text, object.start)?.into_iter().rev().find(|member| member.name == key).map(|member| member.key)
}

/// Keys of the object behind `steps` that stand there before, each with its place.
pub(super) fn duplicate_keys(text: &[u8], steps: &[Step<'_>]) -> Vec<(String, Range<usize>)> {
    let all = value(text, steps).and_then(|object| members(text, object.start)).unwrap_or_default();
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|member| !seen.insert(member.name.clone())).map(|member| (member.name, member.key)).collect()
}

/// The offset of a place that the JSON reader names by line and column, both from 1.
pub(super) fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}

struct Member {
    name: String,
    key: Range<usize>,
    value: usize,
}

fn members(text: &[u8], at: usize) -> Option<Vec<Member>> {
    let mut scanner = Scanner { text, at };
    scanner.take(b'{')?;
    let mut all = Vec::new();
    while scanner.peek()? != b'}' {
        let start = scanner.start();
        let end = scanner.skip()?;
        scanner.take(b':')?;
        let value = scanner.start();
        scanner.skip()?;
        all.push(Member { name: serde_json::from_slice(text.get(start..end)?).ok()?, key: start..end, value });
        if scanner.peek()? == b',' {
            scanner.take(b',')?;
        }
    }
    Some(all)
}

fn items(text: &[u8], at: usize) -> Option<Vec<usize>> {
    let mut scanner = Scanner { text, at };
    scanner.take(b'[')?;
    let mut all = Vec::new();
    while scanner.peek()? != b']' {
        all.push(scanner.start());
        scanner.skip()?;
        if scanner.peek()? == b',' {
            scanner.take(b',')?;
        }
    }
    Some(all)
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn start(&mut self) -> usize {
        self.peek();
        self.at
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn end(mut self) -> Option<usize> {
        self.skip()
    }

    /// Goes behind the next value, and says where that is.
    fn skip(&mut self) -> Option<usize> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => {
                    // Only between the parts of a value that has parts.
                    if depth == 0 {
                        return None;
                    }
                    self.at += 1;
                    continue;
                }
                _ => self.word(),
            }
            if depth == 0 {
                return Some(self.at);
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match *self.text.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// A number or a name.
    fn word(&mut self) {
        let ends =
            |byte: &u8| matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"') || byte.is_ascii_whitespace();
        while self.text.get(self.at).is_some_and(|byte| !ends(byte)) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#" { "a": [1, {"b\u0063": "x}\"", "d": null}, true], "e": {}, "a2": -1.5e3, "e": [ ] } "#;

    fn found(steps: &[Step<'_>]) -> Option<&'static str> {
        Some(std::str::from_utf8(&TEXT[value(TEXT, steps)?]).unwrap())
    }

    /// Values by their way in, keys with escapes, the last of two equal keys.
    #[test]
    fn values_and_keys() {
        use Step::{Index, Key};
        assert_eq!(found(&[Key("a"), Index(1), Key("bc")]), Some(r#""x}\"""#));
        assert_eq!(found(&[Key("a"), Index(2)]), Some("true"));
        assert_eq!(found(&[Key("a2")]), Some("-1.5e3"));
        assert_eq!(found(&[Key("e")]), Some("[ ]"));
        assert_eq!(found(&[Key("e"), Index(0)]), None);
        assert_eq!(found(&[Key("x")]), None);
        assert_eq!(found(&[Index(0)]), None);
        assert_eq!(&TEXT[key(TEXT, &[Key("a"), Index(1)], "d").unwrap()], br#""d""#);
        assert_eq!(duplicate_keys(TEXT, &[]).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["e"]);
    }

    /// Texts that are no JSON give nothing and do not hang.
    #[test]
    fn broken_texts() {
        for text in ["", "{", "[", "{\"a\"", "{\"a\":", "{,}", "{\"a\" 1}", "[1 2", "]", "{\"\\", &"[".repeat(100_000)]
        {
            for steps in [&[][..], &[Step::Key("a")], &[Step::Index(0)], &[Step::Index(0), Step::Index(0)]] {
                let _ = value(text.as_bytes(), steps);
            }
            assert_eq!(value(text.as_bytes(), &[Step::Key("a"), Step::Key("b")]), None);
        }
        assert_eq!(offset(b"ab\ncd", 2, 2), 4);
        assert_eq!(offset(b"ab", 9, 9), 2);
    }
}
