//! Texts by name, and places in them.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

/// A half-open range of byte offsets in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The empty range before byte `at`.
    pub const fn point(at: u32) -> Self {
        Self { start: at, end: at }
    }

    /// Number of bytes.
    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// True when no byte is inside.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// As an index into a byte slice.
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// Which text of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u32);

/// A place in one of the texts of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Location {
    /// The text.
    pub source: SourceId,
    /// The bytes.
    pub span: Span,
}

impl Location {
    /// `span` in `source`.
    pub const fn new(source: SourceId, span: Span) -> Self {
        Self { source, span }
    }
}

/// A position as people count it. Both start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LineColumn {
    /// Lines end at `\n` only (SBPL counts no other line end).
    pub line: u32,
    /// Characters from the start of the line, counting a byte that is not UTF-8 as one.
    pub column: u32,
}

/// One text and the name under which it is shown.
#[derive(Debug, Clone)]
pub struct Source {
    name: Arc<str>,
    text: Arc<[u8]>,
    line_starts: Arc<OnceLock<Vec<u32>>>,
}

impl Source {
    /// A text shown as `name` (a path as the user gave it, or `<stdin>`, `<input string>`).
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.into(), text: text.into(), line_starts: Arc::default() }
    }

    /// The name under which it is shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All bytes.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// All bytes, shared.
    pub fn shared_text(&self) -> Arc<[u8]> {
        Arc::clone(&self.text)
    }

    /// The bytes of `span`, cut to the text.
    pub fn slice(&self, span: Span) -> &[u8] {
        let end = (span.end as usize).min(self.text.len());
        let start = (span.start as usize).min(end);
        &self.text[start..end]
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', &self.text).map(|at| at as u32 + 1)).collect()
        })
    }

    /// Line and column of byte `offset` (cut to the end of the text).
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let offset = offset.min(self.text.len() as u32);
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let head = &self.text[starts[line] as usize..offset as usize];
        let column = head.utf8_chunks().map(|c| c.valid().chars().count() + c.invalid().len()).sum::<usize>();
        LineColumn { line: line as u32 + 1, column: column as u32 + 1 }
    }

    /// The bytes of line `line` (from 1), without its line end; empty when there is no such line.
    pub fn line(&self, line: u32) -> &[u8] {
        let starts = self.line_starts();
        let index = line.saturating_sub(1) as usize;
        let Some(&start) = starts.get(index) else { return &[] };
        let end = starts.get(index + 1).map_or(self.text.len(), |&next| next as usize - 1);
        &self.text[start as usize..end]
    }
}

/// All texts that took part in one command, in the order in which they were read.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    pub fn add(&mut self, source: Source) -> SourceId {
        self.sources.push(source);
        SourceId(self.sources.len() as u32 - 1)
    }

    /// The text of `id`. Ids of another map give an arbitrary text or `None`.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize)
    }

    /// Every text with its id.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources.iter().enumerate().map(|(index, source)| (SourceId(index as u32), source))
    }

    /// Name, line and column of the start of `location`.
    pub fn position(&self, location: Location) -> Option<(&str, LineColumn)> {
        self.get(location.source).map(|source| (source.name(), source.line_column(location.span.start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_stray_bytes_one_each() {
        let source = Source::new("t", &b"a\xe2\x80\x99b\xffc\nx"[..]);
        assert_eq!(source.line_column(4), LineColumn { line: 1, column: 3 });
        assert_eq!(source.line_column(6), LineColumn { line: 1, column: 5 });
        assert_eq!(source.line_column(8), LineColumn { line: 2, column: 1 });
        assert_eq!(source.line_column(99), LineColumn { line: 2, column: 2 });
    }

    #[test]
    fn lines_are_without_their_end() {
        let source = Source::new("t", &b"one\n\nthree"[..]);
        assert_eq!(source.line(1), b"one");
        assert_eq!(source.line(2), b"");
        assert_eq!(source.line(3), b"three");
        assert_eq!(source.line(4), b"");
    }
}
