//! What the verbs that read a blob share.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files;
use crate::blob::{BlobError, Generation, Options};
use crate::diag::{Diagnostic, Source, SourceMap};

/// The blob and how to read it.
#[derive(Debug, clap::Args)]
pub(super) struct BlobFile {
    /// Compiled profile; `-` is standard input.
    #[arg(value_name = "BLOB")]
    pub(super) path: PathBuf,
    /// Generation of the format, when it cannot be told from the bytes.
    #[arg(long, value_name = "10.15|14|15|26", value_parser = generation)]
    generation: Option<Generation>,
}

fn generation(text: &str) -> Result<Generation, String> {
    Generation::named(text).ok_or_else(|| {
        let known = Generation::ALL.map(Generation::name).join(", ");
        format!("unknown generation; known: {known}")
    })
}

impl BlobFile {
    pub(super) fn read(&self, context: &Context) -> Result<Source, Box<Failure>> {
        files::read(context, &self.path)
    }

    pub(super) fn options(&self) -> Options {
        Options { generation: self.generation, ..Options::default() }
    }

    /// The failure that says what is wrong with the file.
    pub(super) fn failure(&self, error: &BlobError) -> Box<Failure> {
        failure(&self.path, error.into())
    }
}

/// SBPL holds no NUL byte; every compiled profile holds one in its first bytes.
pub(super) fn is_blob(bytes: &[u8]) -> bool {
    bytes.iter().take(16).any(|byte| *byte == 0)
}

/// A failure about the file at `path`, which has no text to point into.
pub(super) fn failure(path: &Path, mut diagnostic: Diagnostic) -> Box<Failure> {
    diagnostic.message = format!("{}: {}", path.display(), diagnostic.message);
    Failure::from_diagnostics(Exit::BadInput, vec![diagnostic], SourceMap::new())
}
