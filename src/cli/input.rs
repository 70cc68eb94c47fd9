//! From a file that the user names to its evaluated profile, under the common options.

use std::path::Path;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::imports::FileLoader;
use super::{blob_file, files};
use crate::blob::{self, Blob};
use crate::diag::{Code, Source};
use crate::profile::{self, EvalFailure, EvalOptions, Evaluation, Limits};

const CODE_COMPILED: Code = Code("E0715");

/// Reads the text of the profile at `path` (`-` is standard input).
///
/// # Errors
/// Exit 66 when it cannot be read, 65 when it is a compiled profile.
pub(super) fn text(context: &Context, path: &Path) -> Result<Source, Box<Failure>> {
    let source = files::read(context, path)?;
    // Other bytes than text are the parser's to judge: UTF-16 has its NUL bytes too.
    if blob_file::is_blob(source.text()) && Blob::parse(source.text(), &blob::Options::default()).is_ok() {
        let message = format!("{}: this is a compiled profile, not SBPL text", source.name());
        return Err(Failure::new(Exit::BadInput, CODE_COMPILED, message)
            .with_help("`sbpl decompile` gives its text; `sbpl decode` shows what it holds"));
    }
    Ok(source)
}

/// Reads and evaluates the profile at `path` (`-` is standard input) and reports the warnings.
///
/// # Errors
/// Exit 66 when it cannot be read, 65 when it is wrong.
pub(super) fn profile(context: &mut Context, path: &Path) -> Result<Evaluation, Box<Failure>> {
    let source = text(context, path)?;
    evaluate(context, source)
}

/// Evaluates a profile that was read already and reports the warnings.
///
/// # Errors
/// Exit 65 when it is wrong.
pub(super) fn evaluate(context: &mut Context, source: Source) -> Result<Evaluation, Box<Failure>> {
    let options = options(context);
    let evaluation = evaluate_with(context, source, &options).map_err(|error| failure(*error))?;
    context.report(&evaluation.sources, &evaluation.warnings);
    Ok(evaluation)
}

/// Why a profile does not evaluate, as the end of the command.
pub(super) fn failure(failure: EvalFailure) -> Box<Failure> {
    Failure::from_diagnostics(Exit::BadInput, failure.diagnostics, failure.sources)
}

/// Evaluates a profile that was read already, and reports nothing.
///
/// # Errors
/// What is wrong with it.
pub(super) fn evaluate_with(
    context: &Context,
    source: Source,
    options: &EvalOptions,
) -> Result<Evaluation, Box<EvalFailure>> {
    let loader =
        FileLoader { directories: context.import_dirs.clone(), allow_absolute: context.allow_absolute_imports };
    profile::evaluate(source, &loader, options)
}

/// What the common options say about evaluation.
pub(super) fn options(context: &Context) -> EvalOptions {
    let size = |name| usize::try_from(context.limit(name)).unwrap_or(usize::MAX);
    EvalOptions {
        target: context.target,
        params: Some(context.params.clone()),
        entitlements: context.entitlements.clone(),
        minimum_version: None,
        limits: Limits {
            syntax: context.syntax_limits(),
            steps: context.limit("steps"),
            heap_bytes: size("heap-bytes"),
            depth: size("call-depth"),
            imports: size("imports"),
            import_depth: size("import-depth"),
            import_bytes: size("import-bytes"),
            rules: size("rules"),
            filter_tests: size("filter-tests"),
            warnings: size("warnings"),
            filter_depth: size("filter-depth").min(crate::policy::MAX_FILTER_DEPTH),
        },
    }
}
