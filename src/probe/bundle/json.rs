//! JSON as bundles hold it: indented by two, one line end behind it (`spec/probe-runner.md` section 1.1).
//!
//! The bytes are those of `serde_json`'s own indentation, which writes each level of it for itself; documents of runs are
//! mostly indentation, so here a line break and what follows it are one piece.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::probe::ProbeError;

/// The text of the document `name`.
pub(super) fn to_json(name: &str, value: &impl Serialize) -> Result<Vec<u8>, ProbeError> {
    let mut text = Vec::new();
    match write_json(&mut text, value) {
        Ok(()) => Ok(text),
        Err(error) => Err(ProbeError::NotWritten { path: name.to_owned(), reason: error.to_string() }),
    }
}

/// Writes the text of a document in small pieces.
pub(super) fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Indented::default());
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[derive(Default)]
struct Indented {
    depth: usize,
    /// The list or table that is being closed has something in it.
    has_value: bool,
}

/// A comma, a line break and the indentation of [`LEVELS`] levels.
const BREAK: &[u8] = b",\n                                                                ";
const LEVELS: usize = 32;

impl Indented {
    /// A line break and the indentation; with a comma before it unless this is the first of its list.
    fn next_line(&self, out: &mut (impl Write + ?Sized), is_first: bool) -> io::Result<()> {
        let here = self.depth.min(LEVELS);
        out.write_all(BREAK.get(usize::from(is_first)..2 + 2 * here).unwrap_or_default())?;
        (here..self.depth).try_for_each(|_| out.write_all(b"  "))
    }

    fn begin(&mut self, out: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        out.write_all(bracket)
    }

    fn end(&mut self, out: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.has_value {
            self.next_line(out, true)?;
        }
        out.write_all(bracket)
    }
}

impl Formatter for Indented {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next_line(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next_line(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Empty and nested lists and tables, deeper than one piece of indentation reaches.
    #[test]
    fn the_bytes_are_those_of_the_library() {
        let mut deep = json!({"a": [], "b": {}, "c": [1, {"d": null}], "e": "ü\n\""});
        for _ in 0..40 {
            deep = json!([{"x": deep, "y": [[], [{}]]}]);
        }
        for value in [json!(null), json!([]), json!({}), deep] {
            let text = String::from_utf8(to_json("x", &value).unwrap()).unwrap();
            assert_eq!(text, serde_json::to_string_pretty::<Value>(&value).unwrap() + "\n");
        }
    }
}
