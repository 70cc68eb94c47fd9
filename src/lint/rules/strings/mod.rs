//! Rules on how strings are written, and what they share.

pub(super) mod doubled_backslash;
pub(super) mod lost_backslash;
pub(super) mod raw_string_ends_in_backslash;

use crate::lint::context::Context;
use crate::lint::index::ancestors;
use crate::syntax::{AtomKind, NodeId, NodeKind};

pub(super) fn strings<'c>(context: &'c Context<'_>, kind: AtomKind) -> impl Iterator<Item = NodeId> + use<'c> {
    let tree = context.tree;
    tree.nodes().filter(move |&node| tree.kind(node) == NodeKind::Atom(kind))
}

/// True when a form around the string has a name with `regex` in it: a filter, or a function of the profile.
pub(super) fn is_for_regex(context: &Context<'_>, node: NodeId) -> bool {
    ancestors(context.tree, node)
        .take(3)
        .filter_map(|up| context.tree.head(up))
        .any(|head| memchr::memmem::find(head, b"regex").is_some() && head != b"regex-quote")
}
