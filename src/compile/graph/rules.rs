//! The rules of one operation as a list of conditions with an answer (`spec/codegen-rules.md` §1).
//!
//! - [certain] A filtered rule whose answer equals that of the newest entry joins it; else it becomes the newest entry
//!   (`bsd_tag26_richer`: alternating actions stay apart).
//! - [certain] Inside an entry the new alternatives stand in front (`matrix_v1`; oldest first breaks 42 cases).
//! - [guess] When they and the front alternatives test the same number filter they stand behind that run (`matrix_v2` only:
//!   `socket-domain` 2, then 30). For string filters the newest comes first without exception (`spec/pattern-union.md` §2).
//! - [certain] Groups inside groups of the same kind are flattened; a repeated alternative counts once.

use super::terminals::{TerminalId, Terminals};
use crate::policy::{Arg, Filter, OpRules, Policy, Test};

/// Rules that were joined.
#[derive(Debug)]
pub(super) struct Entry {
    /// At least one of them holds.
    pub(super) any_of: Vec<Filter>,
    /// Then this is the answer.
    pub(super) terminal: TerminalId,
}

/// The entries of an operation, oldest first: the last is asked first.
pub(super) fn entries(policy: &Policy, rules: &OpRules<'_>, terminals: &mut Terminals) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for rule in rules.filtered.iter().filter_map(|&id| policy.get(id)) {
        let Some(filter) = &rule.filter else { continue };
        let terminal = terminals.of_rule(policy.target(), rule);
        let mut alternatives = Vec::new();
        flatten_any(filter, &mut alternatives);
        match entries.last_mut() {
            Some(front) if front.terminal == terminal => join(&mut front.any_of, alternatives),
            _ => entries.push(Entry { any_of: alternatives, terminal }),
        }
    }
    for entry in &mut entries {
        let mut seen = std::collections::HashSet::new();
        entry.any_of.retain(|alternative| seen.insert(alternative.clone()));
    }
    entries
}

/// Nesting is bounded by [`crate::policy::MAX_FILTER_DEPTH`].
fn flatten_any(filter: &Filter, out: &mut Vec<Filter>) {
    match filter {
        Filter::Any(parts) => parts.iter().for_each(|part| flatten_any(part, out)),
        other => out.push(other.clone()),
    }
}

fn join(list: &mut Vec<Filter>, new: Vec<Filter>) {
    let number_filter = |filter: &Filter| match filter {
        Filter::Test(Test { filter, arg: Arg::Integer(_) }) => Some(*filter),
        _ => None,
    };
    let front = list.first().and_then(number_filter);
    let same = front.is_some() && new.iter().all(|alternative| number_filter(alternative) == front);
    let run = if same { list.iter().take_while(|filter| number_filter(filter) == front).count() } else { 0 };
    list.splice(run..run, new);
}
