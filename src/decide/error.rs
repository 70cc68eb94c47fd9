//! What can be wrong with a request or a world.

use crate::diag::{Code, Diagnostic};

/// Codes of this room and what they mean.
pub const CODES: &[(Code, &str)] = &[
    (Code("E0740"), "no operation of that name"),
    (Code("E0741"), "no filter of that name"),
    (Code("E0742"), "a value that the filter cannot have"),
    (Code("E0743"), "an argument that is not FILTER=VALUE"),
    (Code("E0744"), "a path that cannot be resolved"),
    (Code("E0745"), "a world file that is not one"),
];

/// Why a request cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The target has no such operation.
    #[error("unknown operation {name:?}")]
    UnknownOperation {
        /// As given.
        name: String,
        /// Names that look like it, best first.
        nearest: Vec<String>,
    },
    /// The target has no such filter.
    #[error("unknown filter {name:?}")]
    UnknownFilter {
        /// As given.
        name: String,
        /// Names that look like it, best first.
        nearest: Vec<String>,
    },
    /// The filter cannot have this value.
    #[error("{value:?} is no value of {filter}: expected {expected}")]
    Value {
        /// The filter as given.
        filter: String,
        /// The value as given.
        value: String,
        /// What it could be.
        expected: String,
    },
    /// Not of the form `FILTER=VALUE`.
    #[error("{text:?}: expected FILTER=VALUE")]
    ArgumentShape {
        /// As given.
        text: String,
    },
}

impl RequestError {
    /// The error as every room reports it.
    pub fn diagnostic(&self) -> Diagnostic {
        let (code, nearest): (_, &[String]) = match self {
            Self::UnknownOperation { nearest, .. } => ("E0740", nearest),
            Self::UnknownFilter { nearest, .. } => ("E0741", nearest),
            Self::Value { .. } => ("E0742", &[]),
            Self::ArgumentShape { .. } => ("E0743", &[]),
        };
        let diagnostic = Diagnostic::error(Code(code), self.to_string());
        match nearest {
            [] => diagnostic,
            names => diagnostic.with_help(format!("did you mean {}?", names.join(" or "))),
        }
    }
}

/// Why a world or a path in it is no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// The JSON does not have the shape of a world.
    #[error("not a world: {0}")]
    Shape(String),
    /// `extends` names no built-in world.
    #[error("no built-in world is called {0:?}; known: macos-14")]
    UnknownBase(String),
    /// A key of `symlinks` or `firmlinks`, or a firmlink's other spelling, that is not a plain absolute path.
    #[error("{0:?} must be an absolute path without empty, . and .. components")]
    Key(String),
    /// The path to resolve is not absolute.
    #[error("the path {0:?} is not absolute")]
    Relative(String),
    /// The path to resolve holds a NUL byte.
    #[error("the path {0:?} holds a NUL byte")]
    Nul(String),
    /// More links on the way than the kernel follows.
    #[error("too many symbolic links on the way to {0:?} (ELOOP)")]
    Loop(String),
    /// Longer than any path may be while it is resolved.
    #[error("the path {0:?} is too long (ENAMETOOLONG)")]
    TooLong(String),
}

impl WorldError {
    /// The error as every room reports it.
    pub fn diagnostic(&self) -> Diagnostic {
        let code = match self {
            Self::Shape(_) | Self::UnknownBase(_) | Self::Key(_) => "E0745",
            Self::Relative(_) | Self::Nul(_) | Self::Loop(_) | Self::TooLong(_) => "E0744",
        };
        Diagnostic::error(Code(code), self.to_string())
    }
}
