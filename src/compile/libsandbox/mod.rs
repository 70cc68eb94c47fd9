//! Apple's own compiler as a second backend, loaded at run time (`spec/probe-runner.md` §5).
//!
//! Nothing is linked: the library is opened by path when it is asked for, so the command runs where there is none. What comes
//! back is copied through the kernel before it is believed, because a library of another system may hand out anything: a
//! pointer that cannot be read is an error here, never a crash.
//!
//! Not called: `sandbox_compile_entitlements` and `sandbox_apply_container`. What is published about their arguments
//! contradicts itself, and a call with the wrong number of them is undefined.
//!
//! **Invariants:** what the library made is given back to it exactly once, unless its pointer cannot be read; data are copied
//! before they are freed; paths are absolute when the library sees them.

// The C interface of a library that is chosen at run time cannot be called otherwise.
#[allow(unsafe_code)]
mod ffi;
mod repeat;

pub use repeat::{Agreement, MAX_ATTEMPTS, Repeated};

use std::ffi::CString;
use std::path::{Path, PathBuf};

use crate::diag::{Code, Diagnostic};

/// Where macOS keeps its compiler (in the shared cache; the file itself need not exist).
pub const DEFAULT_LIBRARY: &str = "/usr/lib/libsandbox.1.dylib";
/// Largest blob that is taken, in bytes; the kernel refuses more than 512 KiB for one profile.
pub const MAX_BLOB: usize = 16 << 20;
/// Longest error text that is kept, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// The backend is not there.
pub(crate) const UNAVAILABLE: Code = Code("E0730");
/// The library refused the profile.
pub(crate) const REFUSED: Code = Code("E0731");
/// The library behaved as no libsandbox does.
pub(crate) const MISBEHAVED: Code = Code("E0732");
/// A text or parameter cannot be handed over.
pub(crate) const ARGUMENT: Code = Code("E0733");

/// Why the library gave no blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// It cannot be opened.
    #[error("no libsandbox here: {reason}")]
    Unavailable {
        /// The loader's words.
        reason: String,
    },
    /// It lacks a function.
    #[error("{library}: has no function {name}")]
    MissingFunction {
        /// The library.
        library: String,
        /// What was looked for.
        name: &'static str,
    },
    /// The compiler's message, whole.
    #[error("{0}")]
    Refused(String),
    /// It gave neither a blob nor a message.
    #[error("libsandbox gave neither a profile nor an error")]
    Nothing,
    /// It gave a pointer that cannot be read.
    #[error("libsandbox gave {0} that cannot be read")]
    Unreadable(&'static str),
    /// It gave a name instead of a blob: the kernel has the profile, nobody else.
    #[error("libsandbox gave no blob: the kernel has a profile '{0}' of its own")]
    BuiltIn(String),
    /// A profile's name is none.
    #[error("'{0}' is no name of a profile: it is empty or a path")]
    Name(String),
    /// It gave more than can be meant.
    #[error("libsandbox gave a profile of {size} bytes, more than {MAX_BLOB}")]
    TooLarge {
        /// Bytes it said there were.
        size: usize,
    },
    /// It made no parameter table, or did not take a parameter.
    #[error("libsandbox did not take the parameter {key:?}")]
    Parameter {
        /// The parameter; empty when there is no table.
        key: String,
    },
    /// C strings hold no NUL.
    #[error("{0} holds a NUL byte, which a C string cannot")]
    Nul(&'static str),
    /// A relative path cannot be made absolute.
    #[error("{path}: {reason}")]
    Path {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
}

impl LibraryError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unavailable { .. } | Self::MissingFunction { .. } => UNAVAILABLE,
            Self::Refused(_) | Self::BuiltIn(_) => REFUSED,
            Self::Nothing | Self::Unreadable(_) | Self::TooLarge { .. } => MISBEHAVED,
            Self::Parameter { .. } | Self::Nul(_) | Self::Path { .. } | Self::Name(_) => ARGUMENT,
        }
    }

    /// True when the backend is missing, not the profile bad.
    pub fn is_unavailable(&self) -> bool {
        self.code() == UNAVAILABLE
    }
}

impl From<&LibraryError> for Diagnostic {
    fn from(error: &LibraryError) -> Self {
        let diagnostic = Self::error(error.code(), error.to_string());
        match error {
            LibraryError::Unavailable { .. } => diagnostic.with_help(
                "libsandbox is part of macOS. Use `--backend native`, or name a library with `--libsandbox`.",
            ),
            _ => diagnostic,
        }
    }
}

/// What is to be compiled.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// SBPL text.
    Text(&'a [u8]),
    /// A file that the library reads itself.
    File(&'a Path),
    /// A profile of the system by its name, without folder and suffix: `bsd`.
    Named(&'a str),
}

/// An opened libsandbox.
#[derive(Debug)]
pub struct Library {
    functions: ffi::Functions,
}

impl Library {
    /// Opens the library at `path`, or the system's.
    ///
    /// # Errors
    /// [`LibraryError::Unavailable`], [`LibraryError::MissingFunction`].
    pub fn open(path: Option<&Path>) -> Result<Self, LibraryError> {
        let path = absolute(path.unwrap_or(Path::new(DEFAULT_LIBRARY)))?;
        Ok(Self { functions: ffi::Functions::load(&c_path(&path)?, &path.display().to_string())? })
    }

    /// Compiles `input`. `None` hands over no parameter table at all, which is not the same as an empty one: without a table
    /// pattern variables are on (`spec/versions-and-defaults.md` §1.1).
    ///
    /// # Errors
    /// [`LibraryError`].
    pub fn compile<'p>(
        &self,
        input: Input<'_>,
        parameters: Option<impl IntoIterator<Item = (&'p str, &'p str)>>,
    ) -> Result<Vec<u8>, LibraryError> {
        let table = match parameters {
            None => None,
            Some(parameters) => {
                let mut table = self.functions.parameters()?;
                for (key, value) in parameters {
                    table.set(key, &c_string(key, "a parameter's name")?, &c_string(value, "a parameter's value")?)?;
                }
                Some(table)
            }
        };
        match input {
            Input::Text(text) => self.functions.compile_string(&c_string(text, "the profile")?, table.as_ref()),
            Input::File(path) => self.functions.compile_file(&c_path(&absolute(path)?)?, table.as_ref()),
            Input::Named(name) if name.is_empty() || name.contains('/') => Err(LibraryError::Name(name.to_owned())),
            Input::Named(name) => self.functions.compile_named(&c_string(name, "a profile's name")?, table.as_ref()),
        }
    }
}

fn c_string(text: impl AsRef<[u8]>, what: &'static str) -> Result<CString, LibraryError> {
    CString::new(text.as_ref()).map_err(|_| LibraryError::Nul(what))
}

fn c_path(path: &Path) -> Result<CString, LibraryError> {
    c_string(path.as_os_str().as_encoded_bytes(), "a path")
}

/// The library looks for relative names in directories of its own.
fn absolute(path: &Path) -> Result<PathBuf, LibraryError> {
    std::path::absolute(path)
        .map_err(|error| LibraryError::Path { path: path.display().to_string(), reason: error.to_string() })
}
