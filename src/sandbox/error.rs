//! What can be wrong with a backend.

use thiserror::Error;

use crate::diag::{Code, Diagnostic};

/// Every code of this room with its meaning in one line.
pub const CODES: [(Code, &str); 1] = [(UNAVAILABLE, "the backend is not available here")];

const UNAVAILABLE: Code = Code("E0750");

/// Errors of choosing a backend.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SandboxError {
    /// Not in this build, or not on this system.
    #[error("backend '{backend}' is not available here: {reason}")]
    Unavailable {
        /// Its name.
        backend: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl SandboxError {
    /// As a diagnostic.
    pub fn to_diagnostic(&self) -> Diagnostic {
        match self {
            Self::Unavailable { .. } => Diagnostic::error(UNAVAILABLE, self.to_string())
                .with_help("'--backend auto' takes the best one that is there"),
        }
    }
}
