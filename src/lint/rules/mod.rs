//! The rules, a file each; those that share work stand in one folder. And the registry.

mod breadth;
mod dead_rule;
mod filters;
mod leftovers;
mod link_paths;
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
    &suppression::bad_suppression::BAD,
    &suppression::unused_suppression::UNUSED,
    &link_paths::dead_path::DEAD_PATH,
    &link_paths::redundant_link_path::REDUNDANT_LINK_PATH,
    &path_shape::firmlink_path::FIRMLINK_PATH,
    &path_shape::impossible_path::IMPOSSIBLE_PATH,
    &path_shape::trailing_slash::TRAILING_SLASH,
    &path_shape::glob_in_path::GLOB_IN_PATH,
    &path_shape::unexpanded_placeholder::PLACEHOLDER,
    &path_shape::over_long_path::LONG_PATH,
    &regex_place::REGEX_OUTSIDE_REGEX,
    &strings::lost_backslash::LOST_BACKSLASH,
    &strings::doubled_backslash::DOUBLED_BACKSLASH,
    &strings::raw_string_ends_in_backslash::RAW_STRING_ENDS_IN_BACKSLASH,
    &regexes::bad_regex::BAD_REGEX,
    &regexes::regex_dialect::REGEX_DIALECT,
    &regexes::unanchored_regex::UNANCHORED_REGEX,
    &regexes::unquoted_parameter::UNQUOTED_PARAMETER,
    &regexes::regex_for_literal::REGEX_FOR_LITERAL,
    &regexes::open_regex_end::OPEN_REGEX_END,
    &names::unknown_name::UNKNOWN_NAME,
    &names::retired_operation::RETIRED_OPERATION,
    &names::old_spelling::OLD_SPELLING,
    &names::sysctl_write_reads::SYSCTL_WRITE,
    &names::filter_does_not_apply::FILTER_MISMATCH,
    &names::modifier_does_not_apply::MODIFIER_MISMATCH,
    &network::NETWORK_ADDRESS,
    &filters::filters_are_alternatives::MEANT_AS_AND,
    &filters::duplicate_filter::DUPLICATE_FILTER,
    &filters::case_duplicate::CASE_DUPLICATE,
    &breadth::allow_default::ALLOW_DEFAULT,
    &breadth::bare_mach_lookup::BARE_MACH_LOOKUP,
    &breadth::write_everywhere::WRITE_EVERYWHERE,
    &breadth::escaping_operation::ESCAPING_OPERATION,
    &leftovers::unused_definition::UNUSED_DEFINITION,
    &leftovers::leftover_debug::LEFTOVER_DEBUG,
    &leftovers::string_identity::STRING_IDENTITY,
    &leftovers::gated_message_filter::GATED_MESSAGE_FILTER,
    &order::shadowed_rule::SHADOWED_RULE,
    &order::redundant_path::REDUNDANT_PATH,
    &order::deny_is_only_a_fallback::FALLBACK_ONLY,
    &order::replaced_fallback::REPLACED_FALLBACK,
    &order::member_undoes_deny::MEMBER_UNDOES_DENY,
    &order::already_allowed::ALREADY_ALLOWED,
    &order::wildcard_gap::WILDCARD_GAP,
    &order::setugid_gap::SETUGID_GAP,
    &order::implicit_rule_wins::IMPLICIT_RULE_WINS,
    &robust::nothing_executable::NO_EXEC,
    &robust::loader_starves::LOADER_STARVES,
    &robust::missing_ancestors::MISSING_ANCESTORS,
    &robust::rename_escape::RENAME_ESCAPE,
    &robust::socket_stays_open::SOCKET_STAYS_OPEN,
    &robust::too_many_paths::TOO_MANY_PATHS,
    &breadth::bare_sysctl_read::BARE_SYSCTL_READ,
    &breadth::matches_everything::MATCHES_EVERYTHING,
    &breadth::exec_without_sandbox::EXEC_WITHOUT_SANDBOX,
    &parameters::UNUSED_PARAMETER,
    &dead_rule::DEAD_RULE,
];
