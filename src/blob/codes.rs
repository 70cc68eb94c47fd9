//! The error codes of this room. Those of checks stand in [`super::CHECKS`].

use crate::diag::Code;

pub(super) const EXHAUSTED: Code = Code("E0401");
pub(super) const TOO_LARGE: Code = Code("E0402");
pub(super) const TEXT: Code = Code("E0403");
pub(super) const UNKNOWN_GENERATION: Code = Code("E0404");
pub(super) const AMBIGUOUS_GENERATION: Code = Code("E0405");
pub(super) const REFERENCE: Code = Code("E0406");
pub(super) const RECORD: Code = Code("E0407");
pub(super) const NODE: Code = Code("E0408");
pub(super) const CYCLE: Code = Code("E0409");
pub(super) const OVERLAP: Code = Code("E0410");
pub(super) const ENCODE_CYCLE: Code = Code("E0411");
pub(super) const TOO_MANY: Code = Code("E0412");
pub(super) const DANGLING: Code = Code("E0413");
pub(super) const UNSUPPORTED: Code = Code("E0414");
pub(super) const CODE: Code = Code("E0415");
pub(super) const NO_CODE: Code = Code("E0416");

/// Every code of this room with its meaning in one line, ascending; those of [`super::CHECKS`] are not repeated here.
pub const CODES: &[(Code, &str)] = &[
    (EXHAUSTED, "blob: the bytes end too early"),
    (TOO_LARGE, "blob: larger than the limit"),
    (TEXT, "blob: the file is text"),
    (UNKNOWN_GENERATION, "blob: the bytes fit no known generation"),
    (AMBIGUOUS_GENERATION, "blob: the bytes fit several generations"),
    (REFERENCE, "blob: a reference leads outside its table"),
    (RECORD, "blob: a pool record is malformed or outside the file"),
    (NODE, "blob: a node cannot be what it says"),
    (CYCLE, "blob: the nodes form a cycle"),
    (OVERLAP, "blob: pool records overlap"),
    (ENCODE_CYCLE, "blob writer: the nodes form a cycle"),
    (TOO_MANY, "blob writer: more of something than the format can count"),
    (DANGLING, "blob writer: an id is not of this program"),
    (UNSUPPORTED, "blob writer: the generation cannot store this"),
    (CODE, "blob: the code of a pattern or regex is malformed"),
    (NO_CODE, "blob writer: a pattern or regex has no code"),
];
