//! May this operation happen? One [`Request`] against one policy or one compiled profile.
//!
//! - [`Engine`] asks a [`Policy`](crate::policy::Policy), in the order of `spec/sbpl-language.md` section 7: the filtered rules
//!   of the operation, newest first; else its newest unfiltered rule; else the operation's parent; else the base table;
//! - [`World`] says what paths mean and [`Engine::decide_path`] judges a path with every link on the way;
//! - what a request does not give is *unknown*, and an answer that hangs on it is [`Answer::Depends`] with the names of what
//!   is missing.
//!
//! The room knows no probe, no process and no file system: worlds are data.
//!
//! **Invariants:** asking never fails and never changes an answer to a later question; an answer other than `Depends` holds for
//! every value that the unknown attributes can have.

pub(crate) mod atoms;
pub(crate) mod chain;
pub mod coverage;
pub(crate) mod dag;
mod engine;
mod error;
pub(crate) mod exclusive;
mod gate;
pub(crate) mod graph;
pub(crate) mod lift;
mod path;
pub(crate) mod prove;
pub(crate) mod rules;
pub(crate) mod space;
pub(crate) mod store;
mod symbols;
mod value;
pub(crate) mod variables;
mod words;
pub mod world;

pub use atoms::Truth;
pub use engine::{Answer, Decider, Engine, Step, Verdict};
pub use error::{CODES, RequestError, WorldError};
pub use graph::{Graph, GraphError, GraphStep, GraphVerdict};
pub use path::{Answered, PathVerdict};
pub use space::{Budget, Undecided};
pub use value::{Address, Attribute, Family, PATH, Request, Transport, Value, operation_named};
pub use world::World;

#[cfg(test)]
mod tests;
