//! A profile or a compiled profile, as the verbs take either.

use std::path::Path;

use super::blob_file;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::{files, input};
use crate::blob::{Blob, Options, Program};
use crate::diag::{Code, Source};
use crate::profile::Evaluation;

pub(super) const CODE_COLLECTION: Code = Code("E0746");

/// What a file turned out to be.
pub(super) enum Side {
    Profile(Box<Evaluation>),
    Blob(Box<Program>),
}

/// SBPL holds no NUL byte; every compiled profile holds one in its first bytes.
pub(super) fn is_blob(bytes: &[u8]) -> bool {
    bytes.iter().take(16).any(|byte| *byte == 0)
}

/// Reads and evaluates a profile, or reads and links a blob; warnings are reported.
///
/// # Errors
/// Exit 66 when the file cannot be read, 65 when it is wrong.
pub(super) fn read(context: &mut Context, path: &Path) -> Result<Side, Box<Failure>> {
    let side = load(context, path)?;
    side.report(context);
    Ok(side)
}

/// The same without a report.
///
/// # Errors
/// As [`read`].
pub(super) fn load(context: &Context, path: &Path) -> Result<Side, Box<Failure>> {
    let source = files::read(context, path)?;
    load_source(context, path, source)
}

/// As [`read`], for a text that was read already.
///
/// # Errors
/// Exit 65 when it is wrong.
pub(super) fn of_source(context: &mut Context, path: &Path, source: Source) -> Result<Side, Box<Failure>> {
    let side = load_source(context, path, source)?;
    side.report(context);
    Ok(side)
}

fn load_source(context: &Context, path: &Path, source: Source) -> Result<Side, Box<Failure>> {
    if !is_blob(source.text()) {
        let evaluation = input::evaluate_with(context, source, &input::options(context));
        return evaluation
            .map(|evaluation| Side::Profile(Box::new(evaluation)))
            .map_err(|error| input::failure(*error));
    }
    let blob = Blob::parse(source.text(), &Options::default());
    let program = blob.and_then(|blob| blob.program());
    Ok(Side::Blob(Box::new(program.map_err(|error| blob_file::failure(path, (&error).into()))?)))
}

impl Side {
    fn report(&self, context: &mut Context) {
        if let Self::Profile(evaluation) = self {
            context.report(&evaluation.sources, &evaluation.warnings);
        }
    }
}

/// The failure that says why a compiled profile cannot be asked.
pub(super) fn graph_failure(path: &Path, error: &crate::decide::GraphError) -> Box<Failure> {
    let failure = |text: &str| Failure::new(Exit::BadInput, CODE_COLLECTION, format!("{}: {text}", path.display()));
    match error {
        crate::decide::GraphError::Profile(name) if name.is_empty() => {
            failure("a collection of profiles, and none is named").with_help("`sbpl decode --list` prints their names")
        }
        crate::decide::GraphError::Profile(_) => {
            failure(&error.to_string()).with_help("`sbpl decode --list` prints the names of a collection")
        }
        _ => failure(&error.to_string()),
    }
}
