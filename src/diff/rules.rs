//! Rule by rule: what was added, removed, moved, or got another action or other modifiers.
//!
//! Operations are compared one by one, because only there order means something; a change that happens to one pair of rules
//! in several operations is told once. Filters are compared as written, folded where the system folds: two filters that mean
//! the same in other words are a removal and an addition here, and equal in [`semantic`](super::semantic).

use std::collections::HashMap;

use indexmap::IndexMap;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::policy::{Filter, Modifier, Policy, Rule, RuleId};
use crate::vocab::{Action, OpId};

/// What happened to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// Only in A.
    Removed,
    /// Only in B.
    Added,
    /// In both, in another order among the rules of the operation.
    Moved,
    /// The same filter with the other action.
    Action,
    /// The same filter and action with other modifiers.
    Modifiers,
}

impl ChangeKind {
    /// The word for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Added => "added",
            Self::Moved => "moved",
            Self::Action => "action",
            Self::Modifiers => "modifiers",
        }
    }
}

/// One change and the operations in which it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleChange {
    /// What happened.
    pub kind: ChangeKind,
    /// The rule of A.
    pub a: Option<RuleId>,
    /// The rule of B.
    pub b: Option<RuleId>,
    /// Where, by number.
    pub operations: Vec<OpId>,
}

/// What a rule is in the list of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Entry {
    action: u8,
    filter: u32,
    modifiers: u32,
}

/// Numbers for filters and modifiers: equal ones get equal numbers.
#[derive(Default)]
struct Numbers<'p> {
    filters: HashMap<Option<&'p Filter>, u32>,
    modifiers: Vec<&'p [Modifier]>,
}

impl<'p> Numbers<'p> {
    fn entry(&mut self, rule: &'p Rule) -> Entry {
        let next = self.filters.len() as u32;
        let filter = *self.filters.entry(rule.filter.as_ref()).or_insert(next);
        // There are few different lists of modifiers.
        let modifiers = match self.modifiers.iter().position(|known| *known == rule.modifiers) {
            Some(known) => known,
            None => {
                self.modifiers.push(&rule.modifiers);
                self.modifiers.len() - 1
            }
        };
        Entry { action: u8::from(rule.action == Action::Allow), filter, modifiers: modifiers as u32 }
    }
}

/// The rules that one operation's list and fallback consist of, oldest first, the fallback last.
fn list<'p>(policy: &'p Policy, operation: OpId, numbers: &mut Numbers<'p>) -> (Vec<RuleId>, Vec<Entry>) {
    let own = policy.operation(operation);
    let ids = own.filtered.iter().copied().chain(own.fallback);
    ids.filter_map(|id| Some((id, numbers.entry(policy.get(id)?)))).unzip()
}

/// Every change from `a` to `b`, in the order of A's rules, additions by B's. Both must be for the same target.
pub fn rules(a: &Policy, b: &Policy) -> Vec<RuleChange> {
    let mut numbers = Numbers::default();
    let mut changes: IndexMap<(ChangeKind, Option<RuleId>, Option<RuleId>), Vec<OpId>> = IndexMap::new();
    for operation in a.target().operations() {
        let (ids_a, entries_a) = list(a, operation.id, &mut numbers);
        let (ids_b, entries_b) = list(b, operation.id, &mut numbers);
        if entries_a == entries_b {
            continue;
        }
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for step in capture_diff_slices(Algorithm::Myers, &entries_a, &entries_b) {
            let (old, now) = match step {
                DiffOp::Equal { .. } => continue,
                other => (other.old_range(), other.new_range()),
            };
            gone.extend(old.filter_map(|at| Some((*ids_a.get(at)?, entries_a.get(at)?))));
            new.extend(now.filter_map(|at| Some((*ids_b.get(at)?, entries_b.get(at)?))));
        }
        // The closest relation first: the same rule, then the same filter with one thing changed.
        type Relation = fn(&Entry, &Entry) -> bool;
        let relations: [(ChangeKind, Relation); 3] = [
            (ChangeKind::Moved, |a, b| a == b),
            (ChangeKind::Modifiers, |a, b| a.filter == b.filter && a.action == b.action),
            (ChangeKind::Action, |a, b| a.filter == b.filter),
        ];
        for (kind, related) in relations {
            gone.retain(|(id, entry)| {
                let Some(at) = new.iter().position(|(_, other)| related(entry, other)) else { return true };
                let (other, _) = new.remove(at);
                changes.entry((kind, Some(*id), Some(other))).or_default().push(operation.id);
                false
            });
        }
        for (id, _) in gone {
            changes.entry((ChangeKind::Removed, Some(id), None)).or_default().push(operation.id);
        }
        for (id, _) in new {
            changes.entry((ChangeKind::Added, None, Some(id))).or_default().push(operation.id);
        }
    }
    let mut out: Vec<RuleChange> =
        changes.into_iter().map(|((kind, a, b), operations)| RuleChange { kind, a, b, operations }).collect();
    out.sort_by_key(|change| (change.a.is_none(), change.a, change.b, change.kind));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;
    use crate::profile::{EvalOptions, NoImports, evaluate};

    fn policy(text: &str) -> Policy {
        let text = format!("(version 1)(deny default){text}");
        evaluate(Source::new("t.sb", text.as_bytes()), &NoImports, &EvalOptions::default()).unwrap().policy
    }

    fn kinds(a: &str, b: &str) -> Vec<(&'static str, usize)> {
        rules(&policy(a), &policy(b)).iter().map(|change| (change.kind.name(), change.operations.len())).collect()
    }

    #[test]
    fn each_kind_of_change_is_told_once_for_all_its_operations() {
        let one = r#"(allow file-read* file-write* (subpath "/a"))"#;
        assert_eq!(kinds("", one), [("added", 2)]);
        assert_eq!(kinds(one, ""), [("removed", 2)]);
        assert_eq!(kinds(one, r#"(deny file-read* file-write* (subpath "/a"))"#), [("action", 2)]);
        assert_eq!(kinds(one, r#"(allow file-read* file-write* (subpath "/a") (with report))"#), [("modifiers", 2)]);
        assert_eq!(kinds(one, one), []);
    }

    #[test]
    fn order_counts_within_an_operation_only() {
        let (a, b) = (r#"(allow file-read* (subpath "/a"))"#, r#"(deny file-read* (subpath "/a/b"))"#);
        assert_eq!(kinds(&format!("{a}{b}"), &format!("{b}{a}")), [("moved", 1)]);
        let other = r#"(deny mach-lookup (global-name "x"))"#;
        assert_eq!(kinds(&format!("{a}{other}"), &format!("{other}{a}")), []);
    }
}
