//! A profile or a compiled profile, as the verbs take either.

use std::path::Path;

use super::blob_file;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::{files, input};
use crate::blob::{Blob, Options, Program, Roots};
use crate::diag::{Code, Source};
use crate::profile::Evaluation;

pub(super) const CODE_PROFILE: Code = Code("E0708");
const CODE_GRAPH: Code = Code("E0746");

/// What a file turned out to be.
pub(super) enum Side {
    Profile(Box<Evaluation>),
    Blob(Box<Program>),
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
    if !blob_file::is_blob(source.text()) {
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

/// The number of the profile that is meant: of a collection the one that is called `wanted`, else 0. `option` is what names it.
///
/// # Errors
/// Exit 2 when none is named, when there is none of that name, or when the blob is no collection.
pub(super) fn profile_of(
    path: &Path,
    program: &Program,
    wanted: Option<&str>,
    option: &str,
) -> Result<usize, Box<Failure>> {
    let profiles = match &program.roots {
        Roots::Single(_) => &[],
        Roots::Collection { profiles, .. } => profiles.as_slice(),
    };
    let message = match (wanted, profiles) {
        (None, []) => return Ok(0),
        (Some(name), []) => format!("one profile, not a collection: there is none called {name:?}"),
        (None, _) => format!("a collection of {} profiles, and none is named", profiles.len()),
        (Some(name), _) => match profiles.iter().position(|profile| profile.name == name.as_bytes()) {
            Some(at) => return Ok(at),
            None => format!("no profile is called {name:?} among {}", profiles.len()),
        },
    };
    let failure = Failure::new(Exit::Usage, CODE_PROFILE, format!("{}: {message}", path.display()));
    let help = format!("choose one with {option}; `sbpl decode --list` prints the names");
    Err(if profiles.is_empty() { failure } else { failure.with_help(help) })
}

/// The failure that says why a compiled profile cannot be asked.
pub(super) fn graph_failure(path: &Path, error: &crate::decide::GraphError) -> Box<Failure> {
    Failure::new(Exit::BadInput, CODE_GRAPH, format!("{}: {error}", path.display()))
}
