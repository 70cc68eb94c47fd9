//! What the argument of a test node or of a modifier means on the wire (`spec/blob-format.md` sections 5.2 and 6).
//!
//! This is not the argument's SBPL type: `state-flag` takes a string in SBPL and stores an index.

use super::Generation;
use super::generation::Format;

/// What a test node's argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterKind {
    /// Pool index of a pattern; with the alternative bit the index of a regex.
    Pattern,
    /// Pool index of a string.
    String,
    /// Pool index of a network address.
    Network,
    /// The value; with the alternative bit the pool index of a bit set.
    Integer,
    /// Pool index of a bit set (10.15's `syscall-mask`).
    Bitmask,
    /// Index into the state table.
    State,
    /// Index into the second flag table.
    ProfileFlag,
}

/// What a modifier's argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModifierKind {
    Integer,
    String,
    State,
    Policy,
}

const PATTERNS_1_TO_62: &[u8] =
    &[1, 2, 3, 5, 6, 7, 10, 17, 18, 19, 24, 25, 27, 28, 32, 33, 34, 35, 38, 39, 45, 48, 49, 50, 51, 53, 62];

/// The kind of `filter`, `None` when the generation has no such filter.
///
/// Ids 1 to 65 mean the same everywhere; 10.15 has a bit set at 66 and ends at 69. The names of 98 to 102 on 26 are not
/// known; their arguments are small numbers in the iOS 26 collection.
pub(crate) fn filter_kind(generation: Generation, filter: u8) -> Option<FilterKind> {
    use FilterKind as K;
    let old = generation == Generation::Macos10_15;
    let last = match generation {
        Generation::Macos10_15 => 69,
        Generation::Macos14 => 93,
        Generation::Macos15 => 97,
        Generation::Macos26 => 102,
    };
    if filter == 0 || filter > last {
        return None;
    }
    Some(match filter {
        8 | 9 => K::Network,
        22 | 23 | 30 | 58 | 63 => K::String,
        66 if old => K::Bitmask,
        67 if old => K::String,
        68 | 69 if old => K::Integer,
        // No recorded blob holds 68; the tables of 15.2 say string (`compile::unproven`).
        66 | 68 | 86..=88 => K::String,
        69 | 70 | 72 | 81 | 90 | 91 => K::Pattern,
        85 => K::State,
        93 if generation >= Generation::Macos15 => K::ProfileFlag,
        97 => K::Pattern,
        _ if PATTERNS_1_TO_62.contains(&filter) => K::Pattern,
        _ => K::Integer,
    })
}

/// The kinds of all filters, by id.
pub(crate) fn filter_kinds(generation: Generation) -> [Option<FilterKind>; 128] {
    std::array::from_fn(|id| u8::try_from(id).ok().and_then(|id| filter_kind(generation, id)))
}

/// The kind of modifier `id`'s argument in a wide terminal.
pub(crate) fn modifier_kind(format: &Format, id: u8) -> ModifierKind {
    match id {
        9..=12 => ModifierKind::String,
        _ if id == format.message_filter => ModifierKind::Policy,
        _ if id == format.enable_state_flag => ModifierKind::State,
        _ => ModifierKind::Integer,
    }
}
