//! Policies and filters for the unit tests of the rooms above, named as in a profile. Names that the default target does not have
//! fail the test.

use super::{Arg, Filter, Policy, Rule, RuleSource, Test};
use crate::pattern::{Pattern, PatternKind};
use crate::vocab::{Action, FilterId, OpId, default_target};

pub(crate) fn op(name: &str) -> OpId {
    default_target().operation_named(name).unwrap()
}

pub(crate) fn id(filter: &str) -> FilterId {
    default_target().filter_named(filter).unwrap()
}

pub(crate) fn test(filter: &str, arg: Arg) -> Filter {
    Filter::Test(Test { filter: id(filter), arg })
}

pub(crate) fn path(kind: PatternKind, text: &str) -> Filter {
    test("path", Arg::Pattern(Pattern::new(kind, text, false).unwrap()))
}

pub(crate) fn literal(text: &str) -> Filter {
    path(PatternKind::Literal, text)
}

pub(crate) fn subpath(text: &str) -> Filter {
    path(PatternKind::Subpath, text)
}

/// A filter on a string that is no path.
pub(crate) fn name(filter: &str, text: &str) -> Filter {
    test(filter, Arg::Pattern(Pattern::literal(text)))
}

/// A policy of rules: action, operation, filter.
pub(crate) fn policy(rules: impl IntoIterator<Item = (Action, &'static str, Option<Filter>)>) -> Policy {
    let mut policy = Policy::new(default_target(), 1);
    for (action, operation, filter) in rules {
        policy.push(Rule {
            action,
            operations: vec![op(operation)],
            filter,
            modifiers: Vec::new(),
            source: RuleSource::Profile,
            origin: None,
        });
    }
    policy
}
