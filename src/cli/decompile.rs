//! `sbpl decompile`: a blob as SBPL.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::blob_file::{self, BlobFile};
use super::compile::sha256;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use super::side::profile_of;
use crate::blob::{Blob, Roots};
use crate::compile::decompile::{Outcome, Verified, verify};
use crate::vocab::{self, Target};

/// Print a compiled profile as SBPL, compile that again, and say on standard error whether the bytes are the same.
///
/// Exit status 1 when they are not. With --json: {"target", "version", "params", "text", "outcome", "first_difference", "operations", "lost"}; "outcome" is identical, same-programs, different or
/// fails. A profile of a collection has no bytes of its own: at best its programs are the same.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: BlobFile,
    /// The profile of a collection.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Write the text here instead of to standard output.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Box<Failure>> {
        let source = self.file.read(context)?;
        let bytes = source.text();
        let blob = Blob::parse(bytes, &self.file.options()).map_err(|error| self.file.failure(&error))?;
        let program = blob.program().map_err(|error| self.file.failure(&error))?;
        let target = vocab::target(blob.header().generation.target()).unwrap_or(context.target);
        let profile = profile_of(&self.file.path, &program, self.profile.as_deref(), "--profile")?;
        let single = matches!(program.roots, Roots::Single(_)).then_some(bytes);
        let verified = verify(&program, profile, single, target)
            .map_err(|stop| blob_file::failure(&self.file.path, (&stop).into()))?;
        if let Some(output) = &self.output {
            files::write_atomically(context, output, &verified.draft.text, &[&self.file.path])?;
        }
        if context.json {
            context.print_json(&document(&verified, target, bytes));
        } else if self.output.is_none() {
            context.print(&verified.draft.text);
        }
        context.tell(sentence(&verified.outcome, target));
        let good = matches!(verified.outcome, Outcome::Identical)
            || single.is_none() && matches!(verified.outcome, Outcome::SamePrograms { .. });
        Ok(if good { Exit::Fine } else { Exit::No })
    }
}

fn names(operations: &[vocab::OpId], target: &Target) -> Vec<&'static str> {
    operations.iter().filter_map(|id| target.get_operation(*id)).map(|row| row.name).collect()
}

fn document(verified: &Verified, target: &Target, bytes: &[u8]) -> Value {
    let (outcome, first_difference, operations, message) = match &verified.outcome {
        Outcome::Identical => ("identical", None, Vec::new(), None),
        Outcome::SamePrograms { first_difference } => ("same-programs", Some(*first_difference), Vec::new(), None),
        Outcome::Different { first_difference, operations } => {
            ("different", Some(*first_difference), names(operations, target), None)
        }
        Outcome::Fails(message) => ("fails", None, Vec::new(), Some(message)),
    };
    json!({
        "target": target.name(),
        "version": verified.draft.version,
        "params": verified.draft.params,
        "sha256": sha256(bytes),
        "text": String::from_utf8_lossy(&verified.draft.text),
        "outcome": outcome,
        "first_difference": first_difference,
        "operations": operations,
        "message": message,
        "lost": verified.draft.lost,
    })
}

fn sentence(outcome: &Outcome, target: &Target) -> String {
    match outcome {
        Outcome::Identical => "identical: the text compiles to the same bytes".to_owned(),
        Outcome::SamePrograms { first_difference } => {
            format!("same programs for every operation; first byte that differs: {first_difference:#x}")
        }
        Outcome::Different { first_difference, operations } => format!(
            "different: first byte {first_difference:#x}; operations whose programs differ: {}",
            names(operations, target).join(", ")
        ),
        Outcome::Fails(message) => format!("the text does not compile: {message}"),
    }
}
