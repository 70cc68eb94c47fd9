//! What can be wrong with plans, bundles and runs.

use thiserror::Error;

use crate::diag::{Code, Diagnostic, Location};
use crate::sandbox::SandboxError;

/// Every code of this room with its meaning in one line.
pub const CODES: [(Code, &str); 10] = [
    (SHAPE, "a document of a plan or bundle does not have its shape"),
    (PLAN_SCHEMA, "the plan's schema_version is not the one that is read here"),
    (FORBIDDEN_KEY, "the plan holds a key that plans may not have"),
    (LINT, "the plan names something that is missing or cannot be run"),
    (UNREADABLE, "a file that a plan or bundle names cannot be read"),
    (LOCKED, "another run writes to the same output folder"),
    (NOT_WRITTEN, "a file of the bundle cannot be written"),
    (REFUSED_BUNDLE, "the bundle is not complete, or not what its index says"),
    (NO_BUNDLE, "there is no bundle there"),
    (INTERRUPTED, "the run was ended before it was done"),
];

const SHAPE: Code = Code("E0601");
const PLAN_SCHEMA: Code = Code("E0602");
const FORBIDDEN_KEY: Code = Code("E0603");
const LINT: Code = Code("E0604");
const UNREADABLE: Code = Code("E0605");
const LOCKED: Code = Code("E0606");
const NOT_WRITTEN: Code = Code("E0607");
const REFUSED_BUNDLE: Code = Code("E0608");
const NO_BUNDLE: Code = Code("E0609");
const INTERRUPTED: Code = Code("E0610");

/// Something that keeps a plan from being run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The text that other tools compare (`spec/probe-runner.md` section 1.2).
    pub text: String,
    /// Its place in [`super::PlanSet::sources`].
    pub location: Option<Location>,
}

impl Finding {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), location: None }
    }

    pub(super) fn at(mut self, location: Option<Location>) -> Self {
        self.location = location;
        self
    }

    fn to_diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(LINT, self.text.as_str());
        match self.location {
            Some(location) => diagnostic.at(location),
            None => diagnostic,
        }
    }
}

impl PartialEq<&str> for Finding {
    /// By its text.
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

/// Errors of plans, bundles and runs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProbeError {
    /// Not JSON, or not the shape of the document.
    #[error("{document}: {reason}")]
    Shape {
        /// Its name.
        document: String,
        /// What does not fit, with line and column where that is known.
        reason: String,
    },
    /// An entry of a registry does not have its shape.
    #[error("{document}: {id}: {reason}")]
    Entry {
        /// The registry.
        document: String,
        /// The entry's id.
        id: String,
        /// What does not fit.
        reason: String,
    },
    /// Another tag, or none.
    #[error("plan schema mismatch: {found}")]
    PlanSchema {
        /// What stands there.
        found: String,
    },
    /// `schema_versions`.
    #[error("plan holds the key '{key}', which plans may not have")]
    ForbiddenKey {
        /// The key.
        key: &'static str,
    },
    /// Findings of [`super::lint`], at least one.
    #[error("{}", .0.iter().map(|finding| finding.text.as_str()).collect::<Vec<_>>().join("; "))]
    Lint(Vec<Finding>),
    /// A file is missing or cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// As the plan or bundle names it.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The lock is held.
    #[error("{path}: another run writes here{}", .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked {
        /// The lock file.
        path: String,
        /// Who holds it, if it says so.
        pid: Option<u32>,
    },
    /// Something could not be written.
    #[error("{path}: {reason}")]
    NotWritten {
        /// What.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// A bundle that must not be read as complete.
    #[error("{path}: {}", .reasons.join("; "))]
    RefusedBundle {
        /// Its folder.
        path: String,
        /// Everything that is wrong with it.
        reasons: Vec<String>,
    },
    /// The backend could not make ready.
    #[error(transparent)]
    Backend(SandboxError),
    /// No `LATEST`, or it names a folder that is not there.
    #[error("{path}: no committed bundle")]
    NoBundle {
        /// Where it was looked for.
        path: String,
    },
    /// [`super::RunOptions::cancel`] said so.
    #[error("interrupted; the bundle {bundle} is not complete")]
    Interrupted {
        /// What was written until then.
        bundle: String,
    },
}

impl ProbeError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Backend(error) => error.to_diagnostic().code,
            Self::Shape { .. } | Self::Entry { .. } => SHAPE,
            Self::PlanSchema { .. } => PLAN_SCHEMA,
            Self::ForbiddenKey { .. } => FORBIDDEN_KEY,
            Self::Lint(_) => LINT,
            Self::Unreadable { .. } => UNREADABLE,
            Self::Locked { .. } => LOCKED,
            Self::NotWritten { .. } => NOT_WRITTEN,
            Self::RefusedBundle { .. } => REFUSED_BUNDLE,
            Self::NoBundle { .. } => NO_BUNDLE,
            Self::Interrupted { .. } => INTERRUPTED,
        }
    }

    /// One diagnostic, or one for each finding.
    pub fn to_diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Lint(findings) => findings.iter().map(Finding::to_diagnostic).collect(),
            Self::PlanSchema { .. } => {
                let help = format!("a plan's schema_version is \"{}\"", super::tag::PLAN);
                vec![Diagnostic::error(self.code(), self.to_string()).with_help(help)]
            }
            Self::Backend(error) => vec![error.to_diagnostic()],
            other => vec![Diagnostic::error(other.code(), other.to_string())],
        }
    }
}
