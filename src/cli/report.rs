//! `sbpl report`: one page about a run.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use super::run::failure;
use crate::diag::Code;
use crate::probe::bundle;
use crate::report::{self, Bundle};

const CODE_INSIDE: Code = Code("E0714");

/// Write one self-contained HTML page about a run: matrix, stages, mismatches, denials, and each profile as it was put in force.
///
/// The bundle is verified first; one that is not complete is refused with exit status 65. The same bundle gives the same
/// bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bundle, or the folder that holds LATEST.
    #[arg(default_value = "out")]
    bundle: PathBuf,
    /// Where to write the page; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let folder = bundle::locate(&self.bundle).map_err(failure)?;
        if is_below(&self.output, &folder) {
            let message = format!("{}: lies in the bundle, which it would make another", self.output.display());
            return Err(Failure::new(Exit::Usage, CODE_INSIDE, message));
        }
        let bundle = Bundle::load(&folder).map_err(failure)?;
        let page = report::page(&bundle);
        files::write_atomically(context, &self.output, page.as_bytes(), &[])?;
        if context.json && self.output != Path::new("-") {
            context.print_json(&json!({
                "bundle": folder.display().to_string(),
                "run_id": bundle.manifest.head.run_id,
                "output": self.output.display().to_string(),
                "size_bytes": page.len(),
            }));
        }
        Ok(Exit::Fine)
    }
}

/// True when a file at `path` would lie in `folder` or below.
fn is_below(path: &Path, folder: &Path) -> bool {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    matches!((parent.canonicalize(), folder.canonicalize()), (Ok(parent), Ok(folder)) if parent.starts_with(&folder))
        && path != Path::new("-")
}
