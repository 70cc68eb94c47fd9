//! Patterns as automata over bytes.
//!
//! [`Nfa`] is the common ground: literals, prefixes, subpaths and regexes become states here, and everything that needs
//! to know a language (matching, algebra, witnesses) reads it from here. [`LazyDfa`] makes it deterministic where it is
//! walked, [`Space`] answers questions of set algebra with a subject that shows the answer, [`PatternSet`] tells which of
//! many patterns match.
//!
//! A pattern variable stands for what [`Variables`] gives it; [`Variables::opaque`] gives each name made-up values
//! of its own, for questions that must not depend on the real ones.

mod front;
mod lazy;
mod nfa;
mod set;
mod space;

pub(crate) use front::{Front, Fronts, Marks};
pub use lazy::{ByteClass, DfaState, LazyDfa, TooManyStates};
pub use nfa::{Nfa, Variables};
pub(crate) use nfa::{StateId, starts_anchored};
pub use set::PatternSet;
pub use space::{Combination, Domain, Matching, Space, contains};
