//! Text to blob to header: what `golden_decodes.json` says about a profile.

use std::sync::Arc;

use serde_json::{Value, json};

use super::artifact::BlobContents;
use super::contents::contents;
use super::run::RunOptions;
use super::sha256_hex;
use crate::blob::{self, Blob, Legacy};
use crate::compile;
use crate::diag::{Severity, Source, SourceMap};
use crate::profile::{EvalFailure, Evaluation, OBSOLETE_OPERATION, evaluate};
use crate::sandbox::{ProfileInput, Rules};

/// An evaluated profile and what the compiler made of it.
pub(super) struct Built {
    pub(super) rules: Rules,
    pub(super) sources: SourceMap,
    /// What the evaluator says of operations under retired names.
    pub(super) obsolete: Vec<String>,
    /// The blob, or why there is none.
    pub(super) blob: Result<Compiled, String>,
}

/// A blob and what its header says.
pub(super) struct Compiled {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: String,
    pub(super) header: Value,
    pub(super) legacy: Value,
    pub(super) contents: BlobContents,
}

impl Built {
    /// What a backend takes: the text, or the blob where that is what decides.
    pub(super) fn input(&self, text: &[u8]) -> ProfileInput {
        let bytes = match (&self.rules, &self.blob) {
            (Rules::Blob(_), Ok(compiled)) => compiled.bytes.as_slice(),
            _ => text,
        };
        ProfileInput { bytes: bytes.into(), rules: self.rules.clone() }
    }
}

/// A profile for an apply-only check, by its name a text or a blob.
pub(super) fn input(path: &str, bytes: &[u8], options: &RunOptions<'_>) -> Result<ProfileInput, String> {
    let built = if path.ends_with(".bin") { load(bytes.to_vec())? } else { build(path, bytes, options)? };
    Ok(built.input(bytes))
}

/// Evaluates and compiles `text`, shown as `name` in messages.
///
/// A profile that evaluates and cannot be compiled natively still has a policy to decide by.
pub(super) fn build(name: &str, text: &[u8], options: &RunOptions<'_>) -> Result<Built, String> {
    let evaluation = evaluated(name, text, options)?;
    let blob = compile::compile(&evaluation.policy, &compile::Limits::default());
    let blob = match blob {
        Ok(compiled) => describe(compiled.bytes),
        Err(error) => Err(error.to_string()),
    };
    let obsolete = evaluation.warnings.iter().filter(|warning| warning.code == OBSOLETE_OPERATION);
    let obsolete = obsolete.map(|warning| warning.message.clone()).collect();
    Ok(Built { rules: Rules::Policy(Arc::new(evaluation.policy)), sources: evaluation.sources, obsolete, blob })
}

/// A profile that is compiled already, or one that is to be judged by what the compiler made of it.
pub(super) fn load(bytes: Vec<u8>) -> Result<Built, String> {
    let program = Blob::parse(&bytes, &blob::Options::default()).and_then(|blob| blob.program());
    let program = program.map_err(|error| error.to_string())?;
    Ok(Built {
        rules: Rules::Blob(Arc::new(program)),
        sources: SourceMap::new(),
        obsolete: Vec::new(),
        blob: describe(bytes),
    })
}

/// Evaluates `text`, shown as `name` in messages.
pub(super) fn evaluated(name: &str, text: &[u8], options: &RunOptions<'_>) -> Result<Evaluation, String> {
    let evaluation = evaluate(Source::new(name, text), options.loader, options.evaluation);
    evaluation.map_err(|failure| first_error(&failure))
}

fn describe(bytes: Vec<u8>) -> Result<Compiled, String> {
    let decoded = blob::decode(&bytes, &blob::Options::default()).map_err(|error| error.to_string())?;
    let header = json!(decoded.header());
    let legacy = json!(Legacy::of(&decoded.blob));
    let contents = contents(&decoded);
    Ok(Compiled { sha256: sha256_hex(&bytes), header, legacy, contents, bytes })
}

/// The error that stopped the evaluation, with its place.
fn first_error(failure: &EvalFailure) -> String {
    let error = failure.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
    let Some(error) = error else { return failure.to_string() };
    let place = error.location.and_then(|location| {
        let source = failure.sources.get(location.source)?;
        let at = source.line_column(location.span.start);
        Some(format!(" at {}, line {}, column {}", source.name(), at.line, at.column))
    });
    format!("{}{}", error.message, place.unwrap_or_default())
}
