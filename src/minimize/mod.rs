//! The smallest text that still shows a fact.
//!
//! [`minimize`] deletes forms of a profile as long as a [`Fact`] holds: delta debugging (`ddmin`) over the forms at top level,
//! then over those inside them, level by level, then whatever is around a form, and again until no single deletion is left.
//! What remains is a part of the user's text, byte for byte. Beside it stands a *passing neighbour*: one more deletion, and the
//! fact does not hold any more (`spec/probe-runner.md` section 4.3).
//!
//! [`facts`] holds the facts that the command offers; the search itself knows only text and tree.
//!
//! **Invariants:** every text that is kept was seen to show the fact; the same text, fact and options give the same result and
//! the same trace; no text is tried twice except to confirm, and no more are tried than [`Options::tests`].

mod error;
pub mod facts;
mod rest;
mod search;

use std::sync::Arc;

use serde::Serialize;

use crate::diag::Span;
use crate::syntax::SyntaxLimits;

pub use error::{CODES, MinimizeError};

/// What a text comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The fact holds.
    Holds,
    /// It does not, and the text is otherwise fine.
    Passes,
    /// The text cannot be asked about the fact, or is wrong in another way.
    Invalid,
}

/// What a text comes to and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The short answer.
    pub outcome: Outcome,
    /// In words: an answer, an error, a finding.
    pub detail: String,
}

/// Something that is true of some texts. Asking twice about one text gives one answer.
pub trait Fact {
    /// The fact in words.
    fn describe(&self) -> String;

    /// Looks at `text`.
    fn observe(&self, text: &Arc<[u8]>) -> Observation;
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Texts that may be tried.
    pub tests: usize,
    /// How often the results are tried again at the end.
    pub confirm: usize,
    /// How texts are read.
    pub syntax: SyntaxLimits,
}

impl Options {
    /// Texts that are tried unless something else is said: enough for system profiles.
    pub const TESTS: usize = 10_000;
}

impl Default for Options {
    fn default() -> Self {
        Self { tests: Self::TESTS, confirm: 1, syntax: SyntaxLimits::DEFAULT }
    }
}

/// How a text was made from the smallest one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is the input.
    Input,
    /// Forms were deleted.
    Delete,
    /// What is around a form was deleted.
    Unwrap,
    /// Comments that belong to no form were deleted.
    Tidy,
}

/// One text that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Its number, from 1.
    pub test: usize,
    /// How it was made.
    pub change: Change,
    /// How many lists are around the forms that were deleted.
    pub depth: usize,
    /// How many units were deleted at once.
    pub deleted: usize,
    /// Its size.
    pub bytes: usize,
    /// What it came to.
    pub outcome: Outcome,
    /// Why.
    pub detail: String,
}

/// A text that is left of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The text.
    pub text: Arc<[u8]>,
    /// The parts of the input that it consists of, ascending.
    pub kept: Vec<Span>,
    /// What it comes to.
    pub observation: Observation,
    /// How often it came to the same when it was tried again.
    pub confirmed: usize,
}

/// A smallest text and its neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimal {
    /// The fact holds for it.
    pub smallest: Remains,
    /// One deletion more and the fact does not hold, though nothing else is wrong. `None`: every further deletion makes the
    /// text invalid.
    pub neighbour: Option<Remains>,
    /// False when the budget was spent before every single deletion was tried.
    pub complete: bool,
    /// Every text that was tried, in order.
    pub trace: Vec<Trial>,
}

/// Deletes from `text` what `fact` does not need.
///
/// # Errors
/// [`MinimizeError::NotShown`]: the fact does not hold for `text` itself.
pub fn minimize(text: impl Into<Arc<[u8]>>, fact: &dyn Fact, options: &Options) -> Result<Minimal, MinimizeError> {
    search::run(text.into(), fact, options)
}

#[cfg(test)]
mod tests;
