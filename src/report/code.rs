//! A profile's text with numbered lines, its tokens in colour, and what the shims changed marked where it stands.

use std::collections::{BTreeMap, BTreeSet};

use super::line_anchor;
use super::markup::Markup;
use crate::syntax::{AtomKind, Lexer, Token, TokenKind};

/// Lines of one profile that are shown; the rest is counted.
const MAX_LINES: usize = 20_000;
/// Bytes of one profile whose tokens are looked at; a longer text is shown plain.
const MAX_COLOURED: usize = 1 << 20;

/// How many lines of `text` the page shows.
pub(super) fn lines(text: &[u8]) -> usize {
    split(text).count().min(MAX_LINES)
}

fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = text.strip_suffix(b"\n").unwrap_or(text);
    end.split(|byte| *byte == b'\n')
}

/// What the shims changed, by line of the changed text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Overlay<'a> {
    /// Lines that were added.
    pub(super) added: BTreeSet<usize>,
    /// Lines that were removed, before which line.
    pub(super) removed: BTreeMap<usize, Vec<&'a str>>,
}

impl<'a> Overlay<'a> {
    /// Reads a unified diff whose result is `text`; `None` when it is not one, or of another text.
    pub(super) fn of(diff: &'a str, text: &[u8]) -> Option<Self> {
        let lines: Vec<&[u8]> = split(text).take(MAX_LINES).collect();
        let mut overlay = Self::default();
        let mut at = 0;
        for line in diff.lines().filter(|line| !line.starts_with("\\ ")).skip(2) {
            let (mark, rest) = (line.as_bytes().first().copied().unwrap_or(b' '), line.get(1..).unwrap_or(""));
            let fits = |at: usize| {
                let shown = at.checked_sub(1).and_then(|index| lines.get(index));
                shown.is_some_and(|shown| {
                    String::from_utf8_lossy(shown).trim_end_matches('\r') == rest.trim_end_matches('\r')
                })
            };
            match mark {
                b'@' => at = hunk_start(line)?,
                b'-' => overlay.removed.entry(at).or_default().push(rest),
                b'+' if fits(at) => {
                    overlay.added.insert(at);
                    at += 1;
                }
                b' ' if fits(at) => at += 1,
                _ => return None,
            }
        }
        Some(overlay)
    }
}

/// `@@ -2,3 +2,12 @@`: where the hunk starts in the result.
fn hunk_start(header: &str) -> Option<usize> {
    let (_, rest) = header.split_once(" +")?;
    let (range, _) = rest.split_once(" @@")?;
    let (start, count) = range.split_once(',').unwrap_or((range, "1"));
    let start: usize = start.parse().ok()?;
    // A hunk without lines in the result names the line before it.
    if count == "0" { start.checked_add(1) } else { Some(start) }
}

/// The lines of profile `number`.
pub(super) fn listing(page: &mut Markup, number: usize, text: &[u8], overlay: &Overlay<'_>) {
    let removed = |page: &mut Markup, line: usize| {
        for gone in overlay.removed.get(&line).into_iter().flatten() {
            page.element("del", &[("class", "line")], |row| {
                row.leaf("b", &[], "");
                row.leaf("i", &[], "−");
                row.text(gone);
                row.text("\n");
            });
        }
    };
    let mut colours = Colours::of(text);
    page.element("pre", &[("class", "code")], |page| {
        let mut start = 0;
        for (index, line) in split(text).take(MAX_LINES).enumerate() {
            let number_shown = index + 1;
            removed(page, number_shown);
            let added = overlay.added.contains(&number_shown);
            let (name, mark) = if added { ("ins", "+") } else { ("span", " ") };
            let anchor = line_anchor(number, number_shown);
            page.element(name, &[("class", "line"), ("id", &anchor)], |row| {
                row.leaf("b", &[], &number_shown.to_string());
                row.leaf("i", &[], mark);
                colours.line(row, text, start, line);
                row.text("\n");
            });
            start += line.len() + 1;
        }
        removed(page, lines(text) + 1);
    });
    let hidden = split(text).count().saturating_sub(MAX_LINES);
    if hidden > 0 {
        page.leaf("p", &[("class", "quiet")], &format!("{hidden} more lines are not shown."));
    }
}

/// The tokens of a text, line by line.
struct Colours<'a> {
    tokens: std::iter::Peekable<Lexer<'a>>,
    /// True after `(`: a symbol there is what the form is about.
    opened: bool,
}

impl<'a> Colours<'a> {
    fn of(text: &'a [u8]) -> Self {
        let text = if text.len() <= MAX_COLOURED { text } else { b"" };
        Self { tokens: Lexer::new(text).peekable(), opened: false }
    }

    /// Writes `line`, which starts at `start` of the text.
    fn line(&mut self, page: &mut Markup, text: &[u8], start: usize, line: &[u8]) {
        let end = start + line.strip_suffix(b"\r").unwrap_or(line).len();
        let mut at = start;
        while let Some(&token) = self.tokens.peek() {
            let (from, to) = (token.span.start as usize, token.span.end as usize);
            if from >= end {
                break;
            }
            let shown = String::from_utf8_lossy(text.get(from.max(start)..to.min(end)).unwrap_or_default());
            match self.class(token) {
                Some(class) => page.leaf("span", &[("class", class)], &shown),
                None => page.text(&shown),
            }
            at = to.min(end);
            // A token of several lines is met again on the next.
            if to > end {
                break;
            }
            self.after(token);
            self.tokens.next();
        }
        // What no token covers: a text too long to be coloured.
        page.text(&String::from_utf8_lossy(text.get(at..end).unwrap_or_default()));
        while self.tokens.next_if(|token| token.span.end as usize <= start + line.len()).is_some() {}
    }

    fn class(&self, token: Token) -> Option<&'static str> {
        match token.kind {
            TokenKind::Comment | TokenKind::Shebang => Some("c"),
            TokenKind::Atom(AtomKind::String | AtomKind::RawString | AtomKind::Char) => Some("s"),
            TokenKind::Atom(AtomKind::Symbol) if self.opened => Some("k"),
            TokenKind::Atom(AtomKind::Number | AtomKind::Bool) => Some("n"),
            TokenKind::Error(_) => Some("e"),
            _ => None,
        }
    }

    fn after(&mut self, token: Token) {
        self.opened = token.kind == TokenKind::LParen || (self.opened && token.kind.is_trivia());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_marks_the_lines_of_its_result() {
        let diff = "--- a\n+++ b\n@@ -1,3 +1,3 @@\n (a)\n-(b)\n+(c)\n (d)\n@@ -9 +8,0 @@\n-(z)\n";
        let overlay = Overlay::of(diff, b"(a)\n(c)\n(d)\n").unwrap();
        assert_eq!(overlay.added, BTreeSet::from([2]));
        assert_eq!(overlay.removed, BTreeMap::from([(2, vec!["(b)"]), (9, vec!["(z)"])]));
        assert_eq!(Overlay::of(diff, b"(a)\n(other)\n(d)\n"), None, "a diff of another text");
        assert_eq!(Overlay::of("--- a\n+++ b\n@@ nonsense\n", b"(a)"), None);
    }

    #[test]
    fn every_byte_of_a_text_is_shown_once() {
        for text in ["(a \"b\nc\" d) ; e\n\n(f)", "(a\r\n)", "\"open\nto the end", "", "\n\n", "(version 1)"] {
            let mut page = Markup::document();
            listing(&mut page, 0, text.as_bytes(), &Overlay::default());
            let html = page.finish();
            let mut plain = String::new();
            let mut inside = false;
            for c in html.trim_start_matches("<!doctype html>\n").chars() {
                match c {
                    '<' => inside = true,
                    '>' => inside = false,
                    c if !inside => plain.push(c),
                    _ => {}
                }
            }
            let shown = plain.replace("&quot;", "\"");
            let expected: String = text
                .strip_suffix('\n')
                .unwrap_or(text)
                .split('\n')
                .enumerate()
                .map(|(index, line)| format!("{} {}\n", index + 1, line.trim_end_matches('\r')))
                .collect();
            assert_eq!(shown, expected, "{text:?}");
        }
    }
}
