//! What every room says when something is wrong, and where in a text it is wrong.
//!
//! This is the lowest room: texts with names ([`Source`], [`SourceMap`]), places in them ([`Span`], [`Location`],
//! [`LineColumn`]) and [`Diagnostic`], the one shape in which all rooms report. It knows nothing of SBPL, does no IO
//! and draws nothing: drawing (caret, colour) is the business of `cli`.
//!
//! **Invariant:** a diagnostic's `code` is stable once released; its `message` keeps Apple's wording where that is known.
//! Code that has to tell errors apart compares codes or enum variants, never texts.

mod source;

pub use source::{LineColumn, Location, Source, SourceId, SourceMap, Span};

use serde::Serialize;

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; changes no exit status.
    Note,
    /// Probably not what was meant; the command goes on.
    Warning,
    /// The input cannot be used.
    Error,
}

/// A stable name for one kind of problem, e.g. `E0101`; `sbpl rule CODE` explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A second place that helps to understand a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where it points.
    pub location: Location,
    /// What is to be seen there.
    pub text: String,
}

/// One step of the way on which evaluation reached an error: an import or a call, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The form that was being evaluated.
    pub location: Location,
    /// The form's text, cut to a readable length.
    pub form: String,
}

/// One problem, as every room reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of problem it is.
    pub code: Code,
    /// What is wrong, without position; Apple's wording where it is known.
    pub message: String,
    /// Where; absent for problems of a whole file or of the command line.
    pub location: Option<Location>,
    /// Further places.
    pub labels: Vec<Label>,
    /// What to do about it; each a whole sentence.
    pub help: Vec<String>,
    /// Facts that explain the problem.
    pub notes: Vec<String>,
    /// The chain of forms being evaluated, innermost first; empty outside evaluation.
    pub backtrace: Vec<Frame>,
}

impl Diagnostic {
    /// An error without position.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            location: None,
            labels: Vec::new(),
            help: Vec::new(),
            notes: Vec::new(),
            backtrace: Vec::new(),
        }
    }

    /// A warning without position.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// The same diagnostic at `location`.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// The same diagnostic with one more hint.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The same diagnostic with one more fact.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same diagnostic with one more place.
    #[must_use]
    pub fn with_label(mut self, location: Location, text: impl Into<String>) -> Self {
        self.labels.push(Label { location, text: text.into() });
        self
    }
}
