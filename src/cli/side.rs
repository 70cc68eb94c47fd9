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

/// Reads and evaluates a profile, or reads and links a blob.
///
/// # Errors
/// Exit 66 when the file cannot be read, 65 when it is wrong.
pub(super) fn read(context: &mut Context, path: &Path) -> Result<Side, Box<Failure>> {
    let source = files::read(context, path)?;
    of_source(context, path, source)
}

/// The same for a text that was read already.
///
/// # Errors
/// Exit 65 when it is wrong.
pub(super) fn of_source(context: &mut Context, path: &Path, source: Source) -> Result<Side, Box<Failure>> {
    if !is_blob(source.text()) {
        return Ok(Side::Profile(Box::new(input::evaluate(context, source)?)));
    }
    let blob = Blob::parse(source.text(), &Options::default());
    let program = blob.and_then(|blob| blob.program());
    Ok(Side::Blob(Box::new(program.map_err(|error| blob_file::failure(path, (&error).into()))?)))
}

/// The failure that says why a compiled profile cannot be asked.
pub(super) fn graph_failure(path: &Path, error: &crate::decide::GraphError) -> Box<Failure> {
    let failure = Failure::new(Exit::BadInput, CODE_COLLECTION, format!("{}: {error}", path.display()));
    match error {
        crate::decide::GraphError::Profile(_) => {
            failure.with_help("`sbpl decode --list` prints the names of a collection")
        }
        _ => failure,
    }
}
