//! What a profile refused a command: JSON lines as it happens, or a table at the end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use crate::diag::{Location, SourceMap};
use crate::sandbox::supervised::Denial;

/// Rows of a table: what differs in none of its cells is one row. More are counted, not kept.
const ROWS: usize = 1000;
/// Longest cell of the table, in characters.
const CELL: usize = 100;

/// Where denials go.
pub(super) enum Log {
    /// Nowhere.
    Off,
    /// A table on standard error, when the command has ended.
    Table {
        /// Process, operation, argument, rule; how often.
        rows: IndexMap<[String; 4], usize>,
        /// Denials that found no place among them.
        more: usize,
    },
    /// One JSON object a line.
    Lines { path: PathBuf, file: BufWriter<File>, written: io::Result<()> },
}

impl Log {
    pub(super) fn table() -> Self {
        Self::Table { rows: IndexMap::new(), more: 0 }
    }

    /// # Errors
    /// Exit 73 when the file cannot be made.
    pub(super) fn to_file(path: &Path) -> Result<Self, Box<Failure>> {
        let file = File::create(path).map_err(|error| {
            let message = format!("{}: {}", path.display(), files::describe(&error));
            Failure::new(Exit::CannotCreate, files::CODE_WRITE, message)
        })?;
        Ok(Self::Lines { path: path.to_owned(), file: BufWriter::new(file), written: Ok(()) })
    }

    pub(super) fn add(&mut self, denial: &Denial, sources: &SourceMap) {
        match self {
            Self::Off => {}
            Self::Table { rows, more } => {
                let row = [
                    denial.process.rsplit('/').next().unwrap_or_default().to_owned(),
                    denial.operation.clone(),
                    denial.argument.clone(),
                    denial
                        .rule
                        .and_then(|rule| Place::of(rule, sources))
                        .map_or_else(|| "(default)".to_owned(), |place| place.shown()),
                ]
                .map(cell);
                if rows.len() < ROWS || rows.contains_key(&row) {
                    *rows.entry(row).or_insert(0) += 1;
                } else {
                    *more += 1;
                }
            }
            Self::Lines { file, written, .. } => {
                let rule = denial.rule.and_then(|rule| Place::of(rule, sources)).map(|place| {
                    json!({ "file": place.file, "line": place.line, "column": place.column, "text": place.text })
                });
                let line = json!({
                    "pid": denial.pid,
                    "process": denial.process,
                    "operation": denial.operation,
                    "argument": denial.argument,
                    "errno": denial.errno,
                    "syscall": denial.syscall,
                    "reported": denial.reported,
                    "rule": rule,
                });
                if written.is_ok() {
                    *written = writeln!(file, "{line}");
                }
            }
        }
    }

    /// Shows the table, or ends the file.
    ///
    /// # Errors
    /// Exit 74 when the file could not be written.
    pub(super) fn finish(&mut self, context: &mut Context) -> Result<(), Box<Failure>> {
        match self {
            Self::Off => Ok(()),
            Self::Table { rows, more } => {
                for line in table(rows, *more) {
                    context.tell_always(line);
                }
                Ok(())
            }
            Self::Lines { path, file, written } => {
                let outcome = std::mem::replace(written, Ok(())).and_then(|()| file.flush());
                outcome.map_err(|error| {
                    let message = format!("{}: {}", path.display(), files::describe(&error));
                    Failure::new(Exit::CannotWrite, files::CODE_WRITE, message)
                })
            }
        }
    }
}

/// A rule and where it stands.
struct Place {
    file: String,
    line: u32,
    column: u32,
    text: String,
}

impl Place {
    fn of(location: Location, sources: &SourceMap) -> Option<Self> {
        let source = sources.get(location.source)?;
        let at = source.line_column(location.span.start);
        let text = String::from_utf8_lossy(source.slice(location.span)).into_owned();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Self { file: source.name().to_owned(), line: at.line, column: at.column, text })
    }

    fn shown(&self) -> String {
        format!("{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Readable on a terminal, whatever a process was called.
fn cell(text: String) -> String {
    let mut plain: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if let Some((end, _)) = plain.char_indices().nth(CELL) {
        plain.truncate(end);
        plain.push('…');
    }
    plain
}

fn table(rows: &IndexMap<[String; 4], usize>, more: usize) -> Vec<String> {
    if rows.is_empty() {
        return vec!["nothing was denied".to_owned()];
    }
    let head = ["denied", "process", "operation", "argument", "rule"].map(str::to_owned);
    let cells = rows.iter().map(|([process, operation, argument, rule], count)| {
        [count.to_string(), process.clone(), operation.clone(), argument.clone(), rule.clone()]
    });
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(cells).collect();
    let mut widths = [0; 5];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text: Vec<String> = lines
        .iter()
        .map(|line| {
            let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    if more > 0 {
        text.push(format!("{more} more denials, of other kinds; --log-denials=FILE keeps all of them"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Source, Span};

    /// The table counts what is alike, names the rule's place, and shows no control characters.
    #[test]
    fn the_table_counts_and_names_rules() {
        let mut sources = SourceMap::new();
        let id = sources.add(Source::new("p.sb", &b"(version 1)\n(deny  default)\n"[..]));
        let denial = Denial {
            pid: 1,
            process: "/usr/bin/cat".to_owned(),
            syscall: "openat",
            operation: "file-read-data".to_owned(),
            argument: "/private/etc/ho\u{1b}sts".to_owned(),
            errno: 1,
            reported: true,
            rule: Some(Location::new(id, Span::new(12, 27))),
        };
        let mut log = Log::table();
        log.add(&denial, &sources);
        log.add(&denial, &sources);
        log.add(&Denial { rule: None, ..denial }, &sources);
        let Log::Table { rows, more } = &log else { panic!() };
        expect_test::expect![[r#"
            denied  process  operation       argument             rule
            2       cat      file-read-data  /private/etc/ho�sts  p.sb:2: (deny default)
            1       cat      file-read-data  /private/etc/ho�sts  (default)"#]]
        .assert_eq(&table(rows, *more).join("\n"));
    }
}
