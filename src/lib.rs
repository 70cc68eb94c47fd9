//! `sbpl`: a toolkit for SBPL, the language of Apple's Seatbelt sandbox.
//!
//! One profile in, many things out; every step works from the value that the step before it returned:
//!
//! ```text
//! text --syntax--> tree --profile--> policy --compile--> graph --encode--> blob
//! ```
//!
//! The rooms, lowest first, and what each may not know, are in `ARCHITECTURE.md`. The library never prints, exits or reads
//! the environment; only the `cli` room does.

pub mod blob;
pub mod cli;
pub mod compile;
pub mod decide;
pub mod diag;
pub mod diff;
pub mod lint;
pub mod minimize;
pub mod pattern;
pub mod policy;
pub mod probe;
pub mod profile;
pub mod report;
pub mod sandbox;
pub mod scheme;
pub mod shim;
pub mod syntax;
pub mod vocab;
