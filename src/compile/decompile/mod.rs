//! From a blob back to SBPL.
//!
//! The graph that a blob holds is what simplification left (`compile::simplify`), so rules whose graph is this one compile to it
//! again: nothing can be simplified a second time. The work is to find such rules, to leave out what the compiler adds by itself,
//! and to say it in few words:
//!
//! - an operation that shares its parent's root, or has its own default, needs no rule;
//! - a program that leads into its parent's program needs rules for the part before it, else an unfiltered rule at the end;
//! - where simplification moved edges past decided tests they are moved back first (`line`), so that rules stand one behind the
//!   other; what is still entangled then is written out (`condition`);
//! - number masks, the rules for `(target self)`, `flow-divert` and the inferred system calls are taken out
//!   (`subject`; `spec/codegen-rules.md` §3, §6): the compiler puts them in again;
//! - tests of united patterns are given as the strings that were united, in an order that gives the same record.
//!
//! Where two readings are possible, [`Choices`] tells which to take; [`verify`] compiles the text and compares.
//!
//! **Invariants:** the text of a draft is complete: what could not be said is in [`Draft::lost`]. Equal programs give equal texts.

mod condition;
mod draft;
mod facts;
mod flow;
mod leaf;
mod line;
mod loads;
mod operation;
mod subject;
mod text;
mod verify;

pub use draft::{Choices, Draft, decompile};
pub(super) use verify::different;
pub use verify::{Outcome, Verified, verify};

use super::codes;
use crate::blob::{Program, TerminalId};
use crate::diag::{Code, Diagnostic};
use crate::policy::Modifier;
use crate::vocab::{OpId, Target};

/// Why one operation, or a whole blob, cannot be said in SBPL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// The conditions are too deep or too many.
    #[error("the conditions are too complex to be written as rules")]
    TooComplex,
    /// The target has no such filter.
    #[error("filter {0} is not known for this system")]
    UnknownFilter(u8),
    /// A reference of the program leads nowhere.
    #[error("the program refers to something that it does not hold")]
    Dangling,
    /// The names are those of another system.
    #[error("the profile answers {operations} operations, and {target} has {names} of them")]
    Names {
        /// Operations of the profile.
        operations: usize,
        /// The system whose names were to be used.
        target: &'static str,
        /// How many operations it has.
        names: usize,
    },
    /// There is no profile of that number.
    #[error("there is no such profile")]
    NoProfile,
}

impl Stop {
    /// The stable code.
    pub fn code(&self) -> Code {
        codes::DECOMPILE
    }
}

impl From<&Stop> for Diagnostic {
    fn from(stop: &Stop) -> Self {
        Self::error(stop.code(), stop.to_string())
    }
}

/// What a compiled answer does besides deciding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalModifiers {
    /// Its modifiers as a rule would write them; without message filters.
    pub modifiers: Vec<Modifier>,
    /// The operations that it has message filters for.
    pub message_filters: Vec<OpId>,
}

/// The modifiers of an answer of `program`; `None` when it has no such answer.
pub fn terminal_modifiers(
    program: &Program,
    target: &'static Target,
    terminal: TerminalId,
) -> Option<TerminalModifiers> {
    let answer = leaf::Leaves::new(program, target).answer(program.terminal(terminal)?);
    let message_filters = answer.filters.iter().map(|(operation, _)| OpId(*operation)).collect();
    Some(TerminalModifiers { modifiers: answer.modifiers, message_filters })
}

#[cfg(test)]
mod tests;
