//! The codes of this room.

use crate::diag::Code;

/// No native compiler for the target.
pub(crate) const TARGET: Code = Code("E0301");
/// The profile needs more work or memory than the limit allows.
pub(crate) const LIMIT: Code = Code("E0302");
/// A pattern or regex has no compiled form.
pub(crate) const PATTERN: Code = Code("E0303");
/// A value does not fit the format.
pub(crate) const FORMAT: Code = Code("E0304");

/// A blob cannot be said in SBPL.
pub(crate) const DECOMPILE: Code = Code("E0305");

/// Every code with its meaning.
pub const CODES: &[(Code, &str)] = &[
    (TARGET, "there is no native compiler for the target"),
    (LIMIT, "the profile is too large to compile"),
    (PATTERN, "a string test has no compiled form"),
    (FORMAT, "the compiled profile does not fit the format"),
    (DECOMPILE, "a compiled profile cannot be said in SBPL"),
];
