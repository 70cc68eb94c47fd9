//! The rules, a file each or a few that share their work, and the registry.

mod breadth;
mod dead_path;
mod dead_rule;
mod filters;
mod leftovers;
mod names;
mod network;
mod order;
mod parameters;
mod path_shape;
pub(super) mod regex_place;
mod regexes;
mod robust;
mod strings;
pub(super) mod suppression;

use super::rule::Rule;

/// Every rule, by code. Codes are consecutive and never used again for something else.
pub static RULES: [&Rule; 58] = [
    &suppression::BAD,
    &suppression::UNUSED,
    &dead_path::DEAD_PATH,
    &dead_path::REDUNDANT_LINK_PATH,
    &path_shape::FIRMLINK_PATH,
    &path_shape::IMPOSSIBLE_PATH,
    &path_shape::TRAILING_SLASH,
    &path_shape::GLOB_IN_PATH,
    &path_shape::PLACEHOLDER,
    &path_shape::LONG_PATH,
    &regex_place::REGEX_OUTSIDE_REGEX,
    &strings::LOST_BACKSLASH,
    &strings::DOUBLED_BACKSLASH,
    &strings::RAW_STRING_ENDS_IN_BACKSLASH,
    &regexes::BAD_REGEX,
    &regexes::REGEX_DIALECT,
    &regexes::UNANCHORED_REGEX,
    &regexes::UNQUOTED_PARAMETER,
    &regexes::REGEX_FOR_LITERAL,
    &regexes::OPEN_REGEX_END,
    &names::UNKNOWN_NAME,
    &names::RETIRED_OPERATION,
    &names::OLD_SPELLING,
    &names::SYSCTL_WRITE,
    &names::FILTER_MISMATCH,
    &names::MODIFIER_MISMATCH,
    &network::NETWORK_ADDRESS,
    &filters::MEANT_AS_AND,
    &filters::DUPLICATE_FILTER,
    &filters::CASE_DUPLICATE,
    &breadth::ALLOW_DEFAULT,
    &breadth::BARE_MACH_LOOKUP,
    &breadth::WRITE_EVERYWHERE,
    &breadth::ESCAPING_OPERATION,
    &leftovers::UNUSED_DEFINITION,
    &leftovers::LEFTOVER_DEBUG,
    &leftovers::STRING_IDENTITY,
    &leftovers::GATED_MESSAGE_FILTER,
    &order::SHADOWED_RULE,
    &order::REDUNDANT_PATH,
    &order::FALLBACK_ONLY,
    &order::REPLACED_FALLBACK,
    &order::MEMBER_UNDOES_DENY,
    &order::ALREADY_ALLOWED,
    &order::WILDCARD_GAP,
    &order::SETUGID_GAP,
    &order::IMPLICIT_RULE_WINS,
    &robust::NO_EXEC,
    &robust::LOADER_STARVES,
    &robust::MISSING_ANCESTORS,
    &robust::RENAME_ESCAPE,
    &robust::SOCKET_STAYS_OPEN,
    &robust::TOO_MANY_PATHS,
    &breadth::BARE_SYSCTL_READ,
    &breadth::MATCHES_EVERYTHING,
    &breadth::EXEC_WITHOUT_SANDBOX,
    &parameters::UNUSED_PARAMETER,
    &dead_rule::DEAD_RULE,
];
