//! What can be wrong with a backend.

use thiserror::Error;

use crate::diag::{Code, Diagnostic};

/// Every code of this room with its meaning in one line.
pub const CODES: [(Code, &str); 2] =
    [(UNAVAILABLE, "the backend is not available here"), (FIXTURE, "what probes are tried on cannot be put in place")];

const UNAVAILABLE: Code = Code("E0750");
const FIXTURE: Code = Code("E0753");

/// Errors of choosing a backend.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SandboxError {
    /// Not in this build, or not on this system.
    #[error("backend '{backend}' is not available here: {reason}")]
    Unavailable {
        /// Its name.
        backend: &'static str,
        /// Why.
        reason: String,
    },
    /// A file, folder, link or listener that probes need.
    #[error("{name}: cannot be put in place: {reason}")]
    Fixture {
        /// As plans name it.
        name: String,
        /// The system's words.
        reason: String,
    },
}

impl SandboxError {
    /// As a diagnostic.
    pub fn to_diagnostic(&self) -> Diagnostic {
        match self {
            Self::Unavailable { .. } => Diagnostic::error(UNAVAILABLE, self.to_string())
                .with_help("'--backend auto' takes the best one that is there"),
            Self::Fixture { .. } => Diagnostic::error(FIXTURE, self.to_string()),
        }
    }
}
