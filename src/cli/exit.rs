//! How a command ends.

use std::process::ExitCode;

use crate::diag::{Code, Diagnostic, SourceMap};

/// Every exit status, with the meaning of the command contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Fine,
    /// The answer is "no": findings, differences, a denial, mismatches.
    No,
    /// Wrong usage.
    Usage,
    /// `decide`: depends on what was not given.
    Depends,
    /// The profile, plan or blob is bad.
    BadInput,
    /// A file cannot be read.
    NoInput,
    /// A backend is not available here.
    Unavailable,
    /// Our own bug.
    Internal,
    /// The system or the profile refused to execute a program.
    Refused,
    /// An output file cannot be made.
    CannotCreate,
    /// Output cannot be written.
    CannotWrite,
    /// The status of a command that was run.
    Command(u8),
}

impl Exit {
    const fn status(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Depends => 3,
            Self::BadInput => 65,
            Self::NoInput => 66,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Refused => 71,
            Self::CannotCreate => 73,
            Self::CannotWrite => 74,
            Self::Command(status) => status,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// Why a command could not do its work, with the texts that the diagnostics point into.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) sources: SourceMap,
}

impl Failure {
    /// A failure that points into no text.
    pub(super) fn new(exit: Exit, code: Code, message: impl Into<String>) -> Box<Self> {
        Self::from_diagnostics(exit, vec![Diagnostic::error(code, message)], SourceMap::new())
    }

    /// A failure that consists of what a room reported about `sources`.
    pub(super) fn from_diagnostics(exit: Exit, diagnostics: Vec<Diagnostic>, sources: SourceMap) -> Box<Self> {
        Box::new(Self { exit, diagnostics, sources })
    }

    /// The same failure with a hint for its last diagnostic.
    pub(super) fn with_help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        if let Some(last) = self.diagnostics.last_mut() {
            last.help.push(help.into());
        }
        self
    }
}
