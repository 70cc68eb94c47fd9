//! `sbpl dump`: offset, bytes and meaning of every byte of a compiled profile.

use std::fmt::Write;

use serde_json::json;

use super::blob_file::BlobFile;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::blob::{Blob, DumpRow};

/// List a compiled profile byte by byte.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: BlobFile,
}

/// Bytes that one line shows.
const PER_LINE: usize = 16;

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let source = self.file.read(context)?;
        let blob = Blob::parse(source.text(), &self.file.options()).map_err(|error| self.file.failure(&error))?;
        if context.json {
            let mut rows = Vec::new();
            blob.dump(|row| {
                let bytes = hex(bytes_of(&blob, &row), "");
                rows.push(json!({
                    "offset": row.offset, "length": row.length, "bytes": bytes,
                    "meaning": row.meaning, "depth": row.depth,
                }));
            });
            context.print_json(&json!({ "generation": blob.header().generation, "rows": rows }));
        } else {
            let mut text = String::new();
            blob.dump(|row| write_row(&mut text, &blob, &row));
            context.print(text);
        }
        Ok(Exit::Fine)
    }
}

fn bytes_of<'a>(blob: &Blob<'a>, row: &DumpRow) -> &'a [u8] {
    blob.bytes().get(row.offset..row.offset + row.length).unwrap_or_default()
}

fn write_row(text: &mut String, blob: &Blob<'_>, row: &DumpRow) {
    let indent = "  ".repeat(row.depth.into());
    let bytes = bytes_of(blob, row);
    let mut lines = bytes.chunks(PER_LINE);
    let first = hex(lines.next().unwrap_or_default(), " ");
    // Writing to a String cannot fail.
    let _ = if row.length == 0 {
        let before = if row.depth == 0 && row.offset > 0 { "\n" } else { "" };
        writeln!(text, "{before}{:08x}  {indent}{}", row.offset, row.meaning)
    } else {
        let line = format!("{:08x}  {first:47}  {indent}{}", row.offset, row.meaning);
        writeln!(text, "{}", line.trim_end())
    };
    for (at, line) in (1_usize..).zip(lines) {
        let _ = writeln!(text, "{:08x}  {}", row.offset + PER_LINE * at, hex(line, " "));
    }
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
