//! The error codes of this room, in one table.

use crate::diag::Code;

/// `^` that is not first.
pub const CARET_INSIDE: Code = Code("E0801");
/// A group without its other parenthesis.
pub const PARENTHESIS: Code = Code("E0802");
/// A bracket expression that cannot be read.
pub const BRACKET: Code = Code("E0803");
/// `*`, `+` or `{…}` with nothing in front.
pub const NOTHING_TO_REPEAT: Code = Code("E0804");
/// A backslash at the end.
pub const BACKSLASH: Code = Code("E0805");
/// `{m,n}` with m above n or a number too large.
pub const BOUNDS: Code = Code("E0806");
/// Syntax that other regex dialects have and this one has not.
pub const UNSUPPORTED: Code = Code("E0807");
/// A regex or pattern above a stated limit.
pub const LIMIT: Code = Code("E0808");
/// Pattern or regex code with a wrong instruction, jump, length or order.
pub const CODE_SHAPE: Code = Code("E0811");
/// Pattern code with a variable that is not in the table.
pub const CODE_VARIABLE: Code = Code("E0812");
/// Regex code of an unknown version.
pub const CODE_VERSION: Code = Code("E0813");
/// The budget for automaton states is spent; the question stays undecided.
pub const BUDGET: Code = Code("E0821");

/// Every code of this room with its meaning in one line, ascending.
pub const CODES: &[(Code, &str)] = &[
    (CARET_INSIDE, "regex: `^` stands in the middle of the expression"),
    (PARENTHESIS, "regex: a parenthesis has no partner"),
    (BRACKET, "regex: a bracket expression cannot be read"),
    (NOTHING_TO_REPEAT, "regex: a repetition has nothing to repeat"),
    (BACKSLASH, "regex: the text ends in a backslash"),
    (BOUNDS, "regex: bad bounds in `{m,n}`"),
    (UNSUPPORTED, "regex: syntax of another dialect"),
    (LIMIT, "pattern: a limit on length, nesting or size is exceeded"),
    (CODE_SHAPE, "pattern code: wrong instruction, jump, length or order"),
    (CODE_VARIABLE, "pattern code: a variable has no name"),
    (CODE_VERSION, "regex code: unknown version"),
    (BUDGET, "automaton: the budget for states is spent, the question is undecided"),
];
