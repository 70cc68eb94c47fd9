//! `sbpl fmt`: the one style.

use std::path::{Path, PathBuf};
use std::time::Duration;

use similar::TextDiff;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{files, input, parallel};
use crate::diag::{Diagnostic, Source, SourceMap};
use crate::syntax::format::{Style, format};
use crate::syntax::{self, SyntaxLimits};

/// Format profiles in place; `-` goes from standard input to standard output. Files that are formatted already are not touched.
///
/// A file with syntax errors is reported and left as it is. With --check or --diff nothing is written, and the exit status is 1 when a file would change.
///
/// With --json: {"files": [{"file", "status"}]}, where status is "formatted", "changed", "differs" or "error"; the text of `-` is then not printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Profiles; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only name the files that would change.
    #[arg(long)]
    check: bool,
    /// Only show what would change, as a unified diff.
    #[arg(long)]
    diff: bool,
    /// Characters on a line before a list is broken.
    #[arg(long, value_name = "COLUMNS", default_value_t = Style::default().width)]
    width: u16,
}

/// How long to look for the smallest diff of one file.
const DIFF_TIME: Duration = Duration::from_secs(5);

/// Files that are held in memory at a time.
const BATCH: usize = 64;

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let limits = context.syntax_limits();
        let style = Style { width: self.width };
        let mut worst = Exit::Fine;
        let mut rows = Vec::new();
        for paths in self.files.chunks(BATCH) {
            let sources = paths.iter().map(|path| input::text(context, path)).collect();
            for (path, outcome) in paths.iter().zip(format_all(sources, &limits, style)) {
                let (exit, status) = self.settle(context, path, outcome)?;
                rows.push(serde_json::json!({ "file": path.display().to_string(), "status": status }));
                worst = worse(worst, exit);
            }
        }
        if context.json {
            context.print_json(&serde_json::json!({ "files": rows }));
        }
        Ok(worst)
    }

    /// Writes, shows or reports one file.
    fn settle(
        &self,
        context: &mut Context,
        path: &Path,
        outcome: Outcome,
    ) -> Result<(Exit, &'static str), Box<Failure>> {
        let piped = path == Path::new("-");
        match outcome {
            Outcome::Failed(failure) => {
                context.report(&failure.sources, &failure.diagnostics);
                Ok((failure.exit, "error"))
            }
            Outcome::Formatted { source, text } => {
                let changed = source.text() != text;
                if self.check || self.diff {
                    if changed && self.diff && !context.json {
                        context.print(unified_diff(&source, &text));
                    } else if changed && !context.json {
                        context.print(format!("{}\n", source.name()));
                    }
                    return Ok(if changed { (Exit::No, "differs") } else { (Exit::Fine, "formatted") });
                }
                if piped && !context.json {
                    context.print_raw(&text);
                } else if changed && !piped {
                    // What a symbolic link points to is replaced, not the link.
                    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                    files::write_atomically(context, &target, &text, &[])?;
                }
                Ok((Exit::Fine, if changed { "changed" } else { "formatted" }))
            }
        }
    }
}

/// A file that cannot be read outweighs a bad one, that one a file that is not formatted.
fn worse(a: Exit, b: Exit) -> Exit {
    let rank = |exit| match exit {
        Exit::Fine => 0,
        Exit::No => 1,
        Exit::BadInput => 2,
        _ => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

enum Outcome {
    Formatted { source: Source, text: Vec<u8> },
    Failed(Box<Failure>),
}

/// Formats every text, on as many threads as there are processors; outcomes are in the order of the texts.
fn format_all(sources: Vec<Result<Source, Box<Failure>>>, limits: &SyntaxLimits, style: Style) -> Vec<Outcome> {
    parallel::map(sources, |source| source.map_or_else(Outcome::Failed, |source| format_one(source, limits, style)))
}

fn format_one(source: Source, limits: &SyntaxLimits, style: Style) -> Outcome {
    let parsed = syntax::parse(source.shared_text(), limits);
    match format(&parsed, style) {
        Some(text) => Outcome::Formatted { source, text },
        None => {
            let mut sources = SourceMap::new();
            let id = sources.add(source);
            let errors: Vec<Diagnostic> = parsed.errors.iter().map(|error| error.to_diagnostic(id)).collect();
            Outcome::Failed(Failure::from_diagnostics(Exit::BadInput, errors, sources))
        }
    }
}

fn unified_diff(source: &Source, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // When time is up the rest of the diff is coarser, but right.
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(source.text(), text);
    let mut unified = diff.unified_diff();
    // Bytes that are not UTF-8 go through as they are. Writing to a vector does not fail.
    let _ = unified.header(source.name(), &format!("{} (formatted)", source.name())).to_writer(&mut out);
    out
}
