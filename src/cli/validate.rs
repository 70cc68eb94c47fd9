//! `sbpl validate`: every check of a loader.

use std::fmt::Write;

use super::blob_file::BlobFile;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::blob::{MAX_FINDINGS, Mode, Report, validate};

/// Check a compiled profile: structure, graph, records, code. Exit status 65 when a check does not hold.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: BlobFile,
    /// Only what a loader must refuse, not all that compiler output shows.
    #[arg(long)]
    permissive: bool,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let source = self.file.read(context)?;
        let mode = if self.permissive { Mode::Permissive } else { Mode::Strict };
        let report = validate(source.text(), &self.file.options(), mode).map_err(|error| self.file.failure(&error))?;
        if context.json {
            context.print_json(&report);
        } else {
            context.print(as_text(&self.file, &report));
        }
        Ok(if report.valid { Exit::Fine } else { Exit::BadInput })
    }
}

fn as_text(file: &BlobFile, report: &Report) -> String {
    let mut text = String::new();
    let path = file.path.display();
    // Writing to a String cannot fail.
    for outcome in report.checks.iter().filter(|outcome| outcome.violations > 0) {
        let _ = writeln!(text, "{} {}: {}", outcome.check.code, outcome.check.name, outcome.check.rule);
        for finding in report.findings.iter().filter(|finding| finding.code == outcome.check.code) {
            let _ = writeln!(text, "  {:08x}  {}: {}", finding.offset, finding.place, finding.message);
        }
        if outcome.violations > MAX_FINDINGS {
            let _ = writeln!(text, "  and {} more", outcome.violations - MAX_FINDINGS);
        }
    }
    let generation = report.generation.map(|generation| format!(", generation {generation}")).unwrap_or_default();
    let failed = report.checks.iter().filter(|outcome| outcome.violations > 0).count();
    let _ = match failed {
        0 => writeln!(text, "{path}: valid{generation} ({} checks)", report.checks.len()),
        _ => writeln!(text, "{path}: not valid{generation}: {failed} of {} checks fail", report.checks.len()),
    };
    text
}
