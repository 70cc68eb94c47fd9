//! Texts line by line.

use similar::{ChangeTag, TextDiff};

/// What a line of a [`unified`] diff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// `---` or `+++`.
    File,
    /// `@@ … @@`.
    Hunk,
    /// In both.
    Same,
    /// Only in A.
    Removed,
    /// Only in B.
    Added,
}

/// One line, with its first character and without line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// The line; a byte that is not UTF-8 as U+FFFD.
    pub text: String,
}

/// Lines of a hunk around a change.
const CONTEXT: usize = 3;

/// A unified diff of two texts; empty when they are equal byte for byte.
pub fn unified(a: (&str, &[u8]), b: (&str, &[u8])) -> Vec<Line> {
    if a.1 == b.1 {
        return Vec::new();
    }
    let diff = TextDiff::from_lines(a.1, b.1);
    let line = |kind, text: String| Line { kind, text };
    let mut out = vec![line(LineKind::File, format!("--- {}", a.0)), line(LineKind::File, format!("+++ {}", b.0))];
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        out.push(line(LineKind::Hunk, hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (kind, mark) = match change.tag() {
                ChangeTag::Equal => (LineKind::Same, ' '),
                ChangeTag::Delete => (LineKind::Removed, '-'),
                ChangeTag::Insert => (LineKind::Added, '+'),
            };
            let bytes: &[u8] = change.value();
            let text = String::from_utf8_lossy(bytes);
            out.push(line(kind, format!("{mark}{}", text.strip_suffix('\n').unwrap_or(&text))));
            if change.missing_newline() {
                out.push(line(LineKind::Same, "\\ No newline at end of file".to_owned()));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_hunk_and_equal_texts_have_none() {
        let lines = unified(("a", b"1\n2\n\xff\n"), ("b", b"1\n3\n\xff"));
        let shown: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let hunk = ["--- a", "+++ b", "@@ -1,3 +1,3 @@", " 1", "-2", "-\u{fffd}", "+3", "+\u{fffd}"];
        assert_eq!(shown[..8], hunk);
        assert_eq!(shown[8], "\\ No newline at end of file");
        assert!(unified(("a", b"x"), ("b", b"x")).is_empty());
    }
}
