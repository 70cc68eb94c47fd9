//! Rules on the filters of one rule, and what they share.

pub(super) mod case_duplicate;
pub(super) mod duplicate_filter;
pub(super) mod filters_are_alternatives;

use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Fix};
use crate::syntax::NodeId;
use std::collections::HashMap;

/// The filters of one rule by what they say; later equals are handed to `report` with the first one.
pub(super) fn repeated<K: std::hash::Hash + Eq>(
    filters: &[NodeId],
    mut key: impl FnMut(NodeId) -> Option<K>,
    mut report: impl FnMut(NodeId, NodeId),
) {
    let mut seen: HashMap<K, NodeId> = HashMap::new();
    for &filter in filters {
        let Some(key) = key(filter) else { continue };
        match seen.get(&key) {
            Some(&first) => report(first, filter),
            None => {
                seen.insert(key, filter);
            }
        }
    }
}

/// Takes `node` out, with the white space before it.
pub(super) fn removal(context: &Context<'_>, node: NodeId) -> Fix {
    let mut span = context.tree.span(node);
    let before = context.tree.text().get(..span.start as usize).unwrap_or_default();
    let blank = before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    // A comment ends with its line: what follows must stay on a line of its own.
    let line = before.len() - blank;
    let line_start = memchr::memrchr(b'\n', &before[..line]).map_or(0, |at| at + 1);
    if !before[line_start..line].contains(&b';') {
        span.start = line as u32;
    }
    Fix::replace(Applicability::Safe, span, "")
}
