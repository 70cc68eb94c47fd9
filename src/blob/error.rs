//! What is wrong with a blob, or with a program that is to become one.

use crate::diag::{Code, Diagnostic};
use crate::pattern::code::CodeError;

use super::{Generation, codes};

/// Why bytes could not be read as a blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The bytes end too early: more of them might make a blob.
    #[error("the blob ends inside {what}: {need} bytes are needed, it has {have}")]
    Exhausted {
        /// What did not fit.
        what: &'static str,
        /// Bytes from the start of the file up to its end.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// More bytes than [`super::Options::max_bytes`].
    #[error("the file has {have} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes there are.
        have: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes are text.
    #[error("this is {what}, not a compiled profile")]
    Text {
        /// What it looks like.
        what: &'static str,
    },
    /// The bytes fit no generation.
    #[error("the bytes fit the layout of no known generation (operation count {op_count})")]
    UnknownGeneration {
        /// Byte 4.
        op_count: u8,
    },
    /// The bytes fit several generations.
    #[error("operation count {op_count} is of no known system and the bytes fit more than one layout: {}", list(.candidates))]
    AmbiguousGeneration {
        /// Byte 4.
        op_count: u8,
        /// The generations that fit.
        candidates: Vec<Generation>,
    },
    /// A reference leads outside the array it points into.
    #[error("{what} {value} is outside its table of {limit} (referred to by {from})")]
    Reference {
        /// What the reference is to.
        what: &'static str,
        /// Its value.
        value: u32,
        /// How many there are.
        limit: u32,
        /// Who refers.
        from: Site,
    },
    /// The pool record that is referred to is not inside the file or is malformed.
    #[error("{what} at pool index {index}: {problem} (referred to by {from})")]
    Record {
        /// Kind of record.
        what: &'static str,
        /// Its pool index.
        index: u32,
        /// What is wrong.
        problem: &'static str,
        /// Who refers.
        from: Site,
    },
    /// The code of a pattern or regex cannot be.
    #[error("{what} at pool index {index}: {error} at byte {} of its code (referred to by {from})", .error.offset)]
    Code {
        /// Pattern or regex.
        what: &'static str,
        /// Its pool index.
        index: u32,
        /// What is wrong.
        error: CodeError,
        /// Who refers.
        from: Site,
    },
    /// A node is neither test nor terminal, or its content cannot be.
    #[error("node {index}: {problem}")]
    Node {
        /// Its index.
        index: u32,
        /// What is wrong.
        problem: &'static str,
    },
    /// The graph of nodes has a cycle.
    #[error("the nodes form a cycle through node {index}")]
    Cycle {
        /// A node on the cycle.
        index: u32,
    },
    /// Pool records overlap so much that their contents exceed the pool.
    #[error("pool records overlap: their sum is larger than twice the pool of {pool} bytes")]
    Overlap {
        /// Bytes of the pool.
        pool: usize,
    },
}

/// Who holds a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// A node, by index.
    Node(u32),
    /// An entry of a table.
    Table(super::Table, u32),
    /// An entry of the op table, of a profile in a collection.
    Operation {
        /// Profile index, 0 when the blob is no collection.
        profile: u32,
        /// Operation.
        operation: u8,
    },
    /// The record head of a profile.
    Profile(u32),
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(index) => write!(f, "node {index}"),
            Self::Table(table, index) => write!(f, "{}[{index}]", table.name()),
            Self::Operation { profile, operation } => write!(f, "operation {operation} of profile {profile}"),
            Self::Profile(index) => write!(f, "profile {index}"),
        }
    }
}

fn list(generations: &[Generation]) -> String {
    generations.iter().map(|generation| generation.name()).collect::<Vec<_>>().join(", ")
}

impl BlobError {
    /// Its stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Exhausted { .. } => codes::EXHAUSTED,
            Self::TooLarge { .. } => codes::TOO_LARGE,
            Self::Text { .. } => codes::TEXT,
            Self::UnknownGeneration { .. } => codes::UNKNOWN_GENERATION,
            Self::AmbiguousGeneration { .. } => codes::AMBIGUOUS_GENERATION,
            Self::Reference { .. } => codes::REFERENCE,
            Self::Record { .. } => codes::RECORD,
            Self::Node { .. } => codes::NODE,
            Self::Cycle { .. } => codes::CYCLE,
            Self::Overlap { .. } => codes::OVERLAP,
            Self::Code { .. } => codes::CODE,
        }
    }
}

impl From<&BlobError> for Diagnostic {
    fn from(error: &BlobError) -> Self {
        let diagnostic = Self::error(error.code(), error.to_string());
        match error {
            BlobError::Text { what: super::detect::HEXADECIMAL } => {
                diagnostic.with_help("Turn it into bytes first, e.g. with `xxd -r -p`.")
            }
            BlobError::Text { .. } => {
                diagnostic.with_help("Give the compiled file itself; `sbpl compile` makes one from SBPL text.")
            }
            BlobError::AmbiguousGeneration { .. } => diagnostic.with_help("Name the generation with `--generation`."),
            BlobError::Exhausted { .. } => diagnostic.with_note("The file may have been cut off."),
            _ => diagnostic,
        }
    }
}

/// Why a program cannot be written as a blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The nodes form a cycle.
    #[error("the nodes form a cycle through node {node}")]
    Cycle {
        /// A node on it, by arena position.
        node: u32,
    },
    /// More of something than its field can count.
    #[error("{what}: {have} do not fit, the format has room for {limit}")]
    TooMany {
        /// What.
        what: &'static str,
        /// How many there are.
        have: usize,
        /// How many the format can hold.
        limit: usize,
    },
    /// An id that is not of this program.
    #[error("{what} {value} does not exist in the program")]
    Dangling {
        /// What the id is of.
        what: &'static str,
        /// The id.
        value: usize,
    },
    /// A pattern or regex that has no code.
    #[error("{what} cannot be written: {error}")]
    Code {
        /// Pattern or regex.
        what: &'static str,
        /// Why.
        error: CodeError,
    },
    /// Something that this generation cannot store.
    #[error("{what} cannot be stored in a blob of generation {generation}")]
    Unsupported {
        /// What.
        what: &'static str,
        /// The generation.
        generation: Generation,
    },
}

impl EncodeError {
    /// Its stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Cycle { .. } => codes::ENCODE_CYCLE,
            Self::TooMany { .. } => codes::TOO_MANY,
            Self::Dangling { .. } => codes::DANGLING,
            Self::Unsupported { .. } => codes::UNSUPPORTED,
            Self::Code { .. } => codes::NO_CODE,
        }
    }
}

impl From<&EncodeError> for Diagnostic {
    fn from(error: &EncodeError) -> Self {
        Self::error(error.code(), error.to_string())
    }
}
