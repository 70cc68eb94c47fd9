//! Why nothing can be made smaller.

use thiserror::Error;

use crate::diag::{Code, Diagnostic};

/// Every code of this room with its meaning in one line.
pub const CODES: [(Code, &str); 2] =
    [(NOT_SHOWN, "the profile does not show the fact that is to be kept"), (PREDICATE, "a predicate that is none")];

const NOT_SHOWN: Code = Code("E0770");
const PREDICATE: Code = Code("E0771");

/// Why nothing can be made smaller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MinimizeError {
    /// The input itself does not show it.
    #[error("it does not hold that {fact}: {detail}")]
    NotShown {
        /// The fact in words.
        fact: String,
        /// What is the case instead.
        detail: String,
    },
    /// Words that are no predicate.
    #[error("'{text}' is no predicate")]
    Predicate {
        /// What was given.
        text: String,
    },
}

impl MinimizeError {
    /// As every room reports.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::NotShown { .. } => Diagnostic::error(NOT_SHOWN, self.to_string()),
            Self::Predicate { .. } => {
                Diagnostic::error(PREDICATE, self.to_string()).with_help(super::facts::PREDICATES)
            }
        }
    }
}
