//! Compiled profiles ("blobs"): reading, checking, listing and writing the bytes.
//!
//! The room knows the format of four generations of systems (`spec/blob-format.md`) and nothing of what a rule means: a
//! [`Blob`] is a view of the bytes, [`Blob::link`] follows every reference, [`Blob::program`] gives the [`Program`] (graph of
//! nodes, typed arguments, patterns as trees, regexes as expressions), [`encode`] writes a program. It uses `vocab` for names only and knows no policy.
//!
//! **Invariants:** every byte of a file belongs to exactly one section of its [`Layout`]; reading never follows a reference
//! that was not checked; memory stays within a small multiple of the input; a graph with a cycle is never accepted; what
//! differs between generations is a row of data; `encode(blob.program())` gives the bytes of every known compiler output again.

pub mod codes;
mod detect;
mod disasm;
mod document;
mod dump;
mod encode;
mod error;
mod generation;
mod graph;
mod header;
mod kinds;
mod link;
mod names;
mod node;
mod number;
mod pool;
mod program;
mod records;
mod select;
mod validate;
mod view;

pub(crate) use detect::SBPL;
pub use detect::detect;
pub use disasm::{Instruction, pattern_instructions, quote, regex_instructions};
pub use document::{Decoded, Legacy, decode};
pub use dump::DumpRow;
pub use encode::encode;
pub use error::{BlobError, EncodeError, Site};
pub use generation::{Generation, Table};
pub use header::{Header, Layout, ProfileHead, Section, TYPE_COLLECTION, TYPE_MESSAGE_FILTER};
pub use names::Names;
pub use node::{Node, Payload, RawModifier};
pub use program::{
    Argument, Bitmask, BitmaskId, LinkedProgram, Modifier, ModifierArgument, NameTable, Network, NodeId, PatternId,
    PolicyId, Profile, Program, ProgramNode, RegexId, Roots, StringId, Terminal, TerminalId,
};
pub use records::{Record, RecordKind};
pub use select::{OperationGroup, Selection};
pub use validate::{CHECKS, Check, Finding, MAX_FINDINGS, Mode, Outcome, Report, validate};
pub use view::{Blob, Options};

#[cfg(test)]
mod tests;
