//! Shims: small declarative changes to somebody else's profile.
//!
//! A shim file (`grammar/shim.ebnf`) is written in SBPL's own lexical syntax and holds data, no program. Its steps append
//! rules, add the `/private` sibling of paths that go through a link, rewrite such paths, replace or drop rules, for every
//! profile or for named ones only. The room works on the lossless tree: a shim yields text [`Edit`]s, so comments and layout
//! of everything else stay. The transforms know the *form* of rules and nothing of what evaluation makes of them; what a shim
//! widens is the business of [`Shim::check_contract`], which compares the evaluated profiles before and after.
//!
//! ```
//! let shim = sbpl::shim::built_in("process-exec").unwrap();
//! let applied = sbpl::shim::apply(shim, &b"(version 1)\n(deny default) ; strict\n"[..], None).unwrap();
//! assert_eq!(applied.text, b"(version 1)\n(deny default) ; strict\n(allow process-exec*)\n");
//! assert_eq!(sbpl::shim::apply(shim, applied.text.clone(), None).unwrap().edits, []);
//! ```
//!
//! **Invariants**
//! - *Applying a shim twice changes nothing.* [`apply`] checks it for every text and refuses ([`ShimErrorKind::Unstable`])
//!   a shim that would go on changing what it made.
//! - *Appended means effective.* Rules are appended unless they already are the effective last rules: each of them is there
//!   and no later form can override it. In doubt they are appended.
//! - All steps of one shim look at the profile as the shim found it; spans of edits are in that text.
//! - A profile with syntax errors is refused, never guessed at.

mod append;
mod apply;
mod built_in;
mod contract;
mod drop;
mod error;
mod file;
mod form;
pub mod learn;
mod sibling;

pub use apply::{Applied, ApplyError, Edit, EditKind, apply};
pub use built_in::{built_in, built_ins};
pub use contract::Kept;
pub use error::{CODES, ShimError, ShimErrorKind, UNPROVED};
pub use file::{Bound, PathPair, Pattern, Scope, Shim, Step, parse};

#[cfg(test)]
mod tests;
