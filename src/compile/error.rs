//! Why a policy cannot be compiled.

use super::codes;
use crate::blob::EncodeError;
use crate::diag::{Code, Diagnostic};
use crate::pattern::code::CodeError;

/// Why a policy cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The rules of code generation are known for other systems only.
    #[error("no native compiler for {target}; there is one for {}", super::NATIVE_TARGETS.join(", "))]
    Target {
        /// The policy's target.
        target: &'static str,
    },
    /// More of something than [`super::Limits`] allows.
    #[error("the profile is too large to compile: more than {limit} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much was allowed.
        limit: usize,
    },
    /// A pattern or regex has no code.
    #[error("filter {filter}: {error}")]
    Pattern {
        /// The filter's name.
        filter: String,
        /// What is wrong.
        error: CodeError,
    },
    /// The result does not fit the format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl CompileError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Target { .. } => codes::TARGET,
            Self::Limit { .. } => codes::LIMIT,
            Self::Pattern { .. } => codes::PATTERN,
            Self::Encode(_) => codes::FORMAT,
        }
    }
}

impl From<&CompileError> for Diagnostic {
    fn from(error: &CompileError) -> Self {
        let diagnostic = Self::error(error.code(), error.to_string());
        match error {
            CompileError::Target { .. } => {
                diagnostic.with_help("On a Mac of that system `--backend libsandbox` asks the system's own compiler; `--any-target` uses the rules of macos-14.4 where the system's format is known.")
            }
            CompileError::Limit { .. } => diagnostic.with_help("Split the profile or write fewer separate rules."),
            _ => diagnostic,
        }
    }
}
