//! `sbpl preflight`: the scan for profiles that are known not to apply.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use crate::probe::preflight::{Classification, Record, scan_file};

/// Scan profiles (.sb) and compiled profiles (.sb.bin) for what is known not to apply. Exit status 1 when one is invalid or
/// unsupported, else 2 when one is gated, else 0; 64 for wrong usage.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files, and folders that are searched for .sb and .sb.bin files.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print one JSON document a line instead of an array.
    #[arg(long)]
    jsonl: bool,
    /// Write there instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The status for wrong usage, which this verb has of its own.
pub(super) const USAGE: u8 = 64;

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let limit = context.limit("input-bytes");
        let mut paths = BTreeSet::new();
        for path in &self.paths {
            collect(&plain(path), &mut paths);
        }
        let records: Vec<Record> = paths.iter().map(|path| scan(path, limit)).collect();
        let text = if self.jsonl {
            records.iter().map(|record| json_line(record) + "\n").collect()
        } else {
            pretty(&records) + "\n"
        };
        match &self.out {
            Some(out) => files::write_atomically(context, out, text.as_bytes(), &[])?,
            None => context.print(text),
        }
        let unusable =
            |record: &Record| matches!(record.classification, Classification::Invalid | Classification::Unsupported);
        Ok(match () {
            () if records.iter().any(unusable) => Exit::Command(1),
            () if records.iter().any(Record::is_gated) => Exit::Command(2),
            () => Exit::Fine,
        })
    }
}

/// Without `.` components, so that one file has one name.
fn plain(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

fn scan(path: &Path, limit: u64) -> Record {
    let name = path.display().to_string();
    match files::read_limited(path, limit) {
        Ok(bytes) => scan_file(&name, &bytes),
        Err(error) => Record::unreadable(&name, &files::describe(&error)),
    }
}

/// A file as it is named; of a folder everything below that has a name that can be scanned. Links to folders are not followed.
fn collect(path: &Path, into: &mut BTreeSet<PathBuf>) {
    if !path.is_dir() {
        into.insert(path.to_owned());
        return;
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            // Shows up as a record of a file that cannot be read.
            into.insert(folder);
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let scanned = name.to_str().is_some_and(|name| name.ends_with(".sb") || name.ends_with(".sb.bin"));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) if scanned => drop(into.insert(plain(&entry.path()))),
                _ => {}
            }
        }
    }
}

fn json_line(record: &Record) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

fn pretty(records: &[Record]) -> String {
    serde_json::to_string_pretty(records).unwrap_or_default()
}
