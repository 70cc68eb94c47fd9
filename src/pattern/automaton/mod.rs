//! Patterns as automata over bytes.
//!
//! [`Nfa`] is the common ground: literals, prefixes, subpaths and regexes become states here, and everything that needs
//! to know a language (matching, algebra, witnesses) reads it from here.

mod lazy;
mod nfa;

pub use lazy::{ByteClass, DfaState, LazyDfa, TooManyStates};
pub(crate) use nfa::starts_anchored;
pub use nfa::{Nfa, Variables};
