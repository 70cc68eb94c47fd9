use super::*;
use crate::pattern::Pattern;
use crate::vocab::{FilterId, default_target};

fn rule(action: Action, operation: &str, filter: Option<&str>) -> Rule {
    let path = FilterId(1);
    Rule {
        action,
        operations: vec![default_target().operation_named(operation).unwrap()],
        filter: filter.map(|text| Filter::Test(Test { filter: path, arg: Arg::Pattern(Pattern::literal(text)) })),
        modifiers: Vec::new(),
        source: RuleSource::Profile,
        origin: None,
    }
}

#[test]
fn an_unfiltered_rule_is_only_the_fallback_and_the_newest_counts() {
    let mut policy = Policy::new(default_target(), 1);
    let read = default_target().operation_named("file-read*").unwrap();
    let filtered = policy.push(rule(Action::Allow, "file-read*", Some("/a")));
    policy.push(rule(Action::Allow, "file-read*", None));
    let fallback = policy.push(rule(Action::Deny, "file-read*", None));
    assert_eq!(policy.operation(read), OpRules { filtered: &[filtered], fallback: Some(fallback) });
    assert_eq!(policy.fallback(read), Fallback::Rule(fallback));
}

#[test]
fn an_operation_without_rules_asks_its_parent_or_its_own_action() {
    let policy = Policy::new(default_target(), 1);
    let id = |name: &str| default_target().operation_named(name).unwrap();
    assert_eq!(policy.fallback(id("file-read-data")), Fallback::Parent(id("file-read*")));
    assert_eq!(policy.fallback(id("file-write-setugid")), Fallback::Own(Action::Deny));
    assert_eq!(policy.fallback(OpId::DEFAULT), Fallback::Own(Action::Deny));
}

#[test]
fn what_an_operation_can_return_includes_its_parents() {
    let mut policy = Policy::new(default_target(), 1);
    let id = |name: &str| default_target().operation_named(name).unwrap();
    assert!(!policy.can_return(id("network-outbound"), Action::Allow));
    policy.push(rule(Action::Allow, "network*", Some("/a")));
    assert!(policy.can_return(id("network-outbound"), Action::Allow));
    policy.push(rule(Action::Deny, "network-outbound", None));
    assert!(!policy.can_return(id("network-outbound"), Action::Allow));
}
