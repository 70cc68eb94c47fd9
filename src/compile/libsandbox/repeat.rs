//! Compiling again and again: a library that is not deterministic is found out, and what differs is told by structure.

use super::{Input, Library, LibraryError};
use crate::blob::{Blob, Options, Program, Roots};
use crate::compile::different_operations;
use crate::vocab::OpId;

/// Most compilations of one profile.
pub const MAX_ATTEMPTS: u32 = 100;

/// How the results of several compilations of one profile relate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// The same bytes each time.
    Identical,
    /// Other bytes, the same program for every operation: same tests, patterns, regexes, answers and modifiers.
    SameStructure,
    /// The programs of these operations differ between two results.
    Different(Vec<OpId>),
    /// Bytes that differ and cannot be read as blobs.
    Unreadable,
}

impl Agreement {
    /// The word for people and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::SameStructure => "same_structure",
            Self::Different(_) => "different",
            Self::Unreadable => "unreadable",
        }
    }

    /// How two blobs relate.
    pub fn of(a: &[u8], b: &[u8]) -> Self {
        if a == b {
            return Self::Identical;
        }
        let program = |bytes: &[u8]| -> Option<Program> {
            let program = Blob::parse(bytes, &Options::default()).ok()?.program().ok()?;
            // A compiler makes single profiles.
            matches!(program.roots, Roots::Single(_)).then_some(program)
        };
        match (program(a), program(b)) {
            (Some(a), Some(b)) if a.generation != b.generation || a.type_bits != b.type_bits => {
                Self::Different(Vec::new())
            }
            (Some(a), Some(b)) => match different_operations(&a, &b) {
                operations if operations.is_empty() => Self::SameStructure,
                operations => Self::Different(operations),
            },
            _ => Self::Unreadable,
        }
    }

    /// The one that says less good of the library.
    fn worse(self, other: Self) -> Self {
        let rank = |agreement: &Self| match agreement {
            Self::Identical => 0,
            Self::SameStructure => 1,
            Self::Different(_) => 2,
            Self::Unreadable => 3,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// What several compilations of one profile gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// The result that came most often, the first among equals.
    pub bytes: Vec<u8>,
    /// Compilations.
    pub attempts: u32,
    /// Of them, those that failed although others did not.
    pub failures: u32,
    /// Different results.
    pub distinct: usize,
    /// How they relate: the worst of each against the first.
    pub agreement: Agreement,
}

impl Library {
    /// Compiles `input` `attempts` times (1 to [`MAX_ATTEMPTS`]) and compares the results. A library that once refuses and
    /// once does not has succeeded; [`Repeated::failures`] tells.
    ///
    /// # Errors
    /// The last [`LibraryError`] when no attempt succeeds.
    pub fn compile_repeatedly<'p>(
        &self,
        input: Input<'_>,
        parameters: Option<impl IntoIterator<Item = (&'p str, &'p str)> + Clone>,
        attempts: u32,
    ) -> Result<Repeated, LibraryError> {
        let attempts = attempts.clamp(1, MAX_ATTEMPTS);
        let mut results: Vec<(Vec<u8>, u32)> = Vec::new();
        let mut failures = 0;
        let mut last = LibraryError::Nothing;
        for _ in 0..attempts {
            match self.compile(input, parameters.clone()) {
                Ok(bytes) => match results.iter_mut().find(|(known, _)| *known == bytes) {
                    Some((_, count)) => *count += 1,
                    None => results.push((bytes, 1)),
                },
                Err(error) => {
                    failures += 1;
                    last = error;
                }
            }
        }
        let most = results.iter().map(|(_, count)| *count).max();
        let Some((bytes, _)) = results.iter().find(|(_, count)| Some(*count) == most) else { return Err(last) };
        let first = results.first().map_or(bytes, |(first, _)| first);
        let agreement =
            results.iter().map(|(other, _)| Agreement::of(first, other)).fold(Agreement::Identical, Agreement::worse);
        Ok(Repeated { bytes: bytes.clone(), attempts, failures, distinct: results.len(), agreement })
    }
}
