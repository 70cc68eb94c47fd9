//! The error codes of evaluation, in one table.

use crate::diag::Code;

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub(crate) const $name: Code = Code($code);)*

        /// Every code of this room with its meaning in one line, ascending.
        pub const CODES: &[(Code, &str)] = &[$(($name, $meaning)),*];
    };
}

codes! {
    UNBOUND_VARIABLE = "E0201", "a name that nothing defines";
    NO_VERSION = "E0202", "the profile has no (version n)";
    VERSION = "E0203", "a version that does not exist or differs from the first one";
    NOT_CALLABLE = "E0204", "a call of something that is no procedure";
    ARGUMENT_COUNT = "E0205", "a procedure gets too few or too many arguments";
    ARGUMENT_TYPE = "E0206", "a built-in gets an argument of the wrong type";
    SPECIAL_FORM = "E0207", "a special form that cannot be read";
    DOMAIN = "E0208", "a built-in gets an argument out of its range";
    USER_ERROR = "E0209", "the profile called error";
    UNAVAILABLE = "E0210", "a procedure that profiles cannot use here";
    ILLEGAL_ARGUMENT = "E0211", "an argument of a rule that is no operation, filter or modifier";
    NO_OPERATION = "E0212", "a rule without operation";
    MODIFIER_TWICE = "E0213", "a modifier stands twice in a rule";
    MODIFIER_MISPLACED = "E0214", "a modifier does not apply to the rule's action or operation";
    FILTER_MISPLACED = "E0215", "a filter does not apply to the rule's operation";
    FILTER_DATA = "E0216", "a filter gets a value of the wrong type";
    MALFORMED_FILTER = "E0217", "a filter with arguments that it cannot have";
    MALFORMED_MODIFIER = "E0218", "a modifier that does not exist or with arguments that it cannot have";
    COMBINATION = "E0219", "require-any, require-all or require-not with wrong arguments";
    ENTITLEMENT = "E0220", "require-entitlement with wrong arguments";
    NETWORK_ADDRESS = "E0221", "a network address that cannot be read";
    OPERATION_CONTEXT = "E0222", "an operation that is not applicable where it stands";
    STORAGE_CLASS = "E0223", "a storage class that cannot be defined";
    DIRECTIVE = "E0224", "a directive with wrong arguments";
    IMPORT = "E0225", "a file that cannot be imported";
    IMPORT_REFUSED = "E0226", "a file that may not be imported";
    STEPS = "E0230", "the profile runs too long";
    MEMORY = "E0231", "the profile needs too much memory";
    DEPTH = "E0232", "calls are nested too deep";
    IMPORT_LIMIT = "E0233", "too many imports, too deep or too large";
    RULE_LIMIT = "E0234", "the profile makes too many rules";
    FILTER_LIMIT = "E0235", "filters are nested too deep or have too many parts";
    OBSOLETE_OPERATION = "E0250", "an operation name that newer systems spell otherwise";
    MORE_WARNINGS = "E0251", "there are more warnings than are shown";
}

/// The codes of imports that fail: about the place where a profile is evaluated, not about the profile.
pub const IMPORT_CODES: [Code; 3] = [IMPORT, IMPORT_REFUSED, IMPORT_LIMIT];
