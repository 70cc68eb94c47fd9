//! The text being written, and the column where it ends.

use super::measure::characters;

#[derive(Debug, Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    column: usize,
}

impl Out {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), column: 0 }
    }

    /// Characters since the last line end.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.bytes.get(start..).unwrap_or_default()
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        match memchr::memrchr(b'\n', text) {
            Some(last) => self.column = characters(text.get(last + 1..).unwrap_or_default()),
            None => self.column += characters(text),
        }
    }

    /// Ends the line and indents the next.
    pub(super) fn newline(&mut self, indent: usize) {
        self.bytes.push(b'\n');
        self.bytes.resize(self.bytes.len() + indent, b' ');
        self.column = indent;
    }

    /// An empty line; call [`Out::newline`] after it.
    pub(super) fn blank_line(&mut self) {
        self.bytes.push(b'\n');
        self.column = 0;
    }

    /// Takes back everything from `start`, which is at the start of a line.
    pub(super) fn truncate(&mut self, start: usize) {
        self.bytes.truncate(start);
        self.column = 0;
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
