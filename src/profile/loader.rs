//! Where imported files come from. The evaluator never opens a file: it asks a [`Loader`].

use indexmap::IndexMap;
use thiserror::Error;

use crate::diag::Source;

/// A wish for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// As the profile wrote it.
    pub name: String,
    /// The value of the parameter `IMPORT_DIR`, which replaces the system's directories (`spec/sbpl-language.md` section 5).
    pub import_dir: Option<String>,
    /// True for `load`, which takes the path as it is.
    pub as_is: bool,
}

/// Why a file does not come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// No such file, or it cannot be read.
    #[error("{reason}")]
    NotFound {
        /// Where was looked and what came of it.
        reason: String,
    },
    /// It exists, or might, but may not be read.
    #[error("{reason}")]
    Refused {
        /// Why not.
        reason: String,
        /// What the user can do to allow it.
        help: Option<String>,
    },
    /// It is larger than allowed.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
}

/// Gives the evaluator the files that a profile imports.
pub trait Loader {
    /// The text that `request` means, of at most `limit` bytes.
    ///
    /// # Errors
    /// See [`ImportError`].
    fn load(&self, request: &ImportRequest, limit: u64) -> Result<Source, ImportError>;
}

/// Nothing can be imported.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoImports;

impl Loader for NoImports {
    fn load(&self, _: &ImportRequest, _: u64) -> Result<Source, ImportError> {
        Err(ImportError::Refused { reason: "imports are switched off".to_owned(), help: None })
    }
}

/// Files held in memory, by the name that the profile writes.
#[derive(Debug, Clone, Default)]
pub struct MemoryLoader {
    files: IndexMap<String, Vec<u8>>,
}

impl MemoryLoader {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, name: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.to_owned(), text.into());
        self
    }
}

impl Loader for MemoryLoader {
    fn load(&self, request: &ImportRequest, limit: u64) -> Result<Source, ImportError> {
        match self.files.get(&request.name) {
            Some(text) if text.len() as u64 > limit => Err(ImportError::TooLarge { limit }),
            Some(text) => Ok(Source::new(request.name.as_str(), text.as_slice())),
            None => Err(ImportError::NotFound { reason: "no such file".to_owned() }),
        }
    }
}
