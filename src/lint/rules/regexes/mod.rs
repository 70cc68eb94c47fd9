//! Rules on regexes, and what they share.

pub(super) mod bad_regex;
pub(super) mod open_regex_end;
pub(super) mod regex_dialect;
pub(super) mod regex_for_literal;
pub(super) mod unanchored_regex;
pub(super) mod unquoted_parameter;

use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Fix};
use crate::lint::text::{Text, is_raw, literal};
use crate::syntax::NodeId;

/// Every regex argument whose text is fully known, with that text.
pub(super) fn known<'c>(context: &'c Context<'_>) -> impl Iterator<Item = (NodeId, Text<'c>, Vec<u8>)> + use<'c> {
    context.regex_arguments().filter_map(|(_, node)| {
        let text = context.text(node);
        let bytes = text.known()?.into_owned();
        Some((node, text, bytes))
    })
}

/// The fix that makes the argument `node` the string `bytes`, when it is one literal in place.
pub(super) fn rewrite(context: &Context<'_>, node: NodeId, bytes: &[u8], how: Applicability) -> Option<Fix> {
    context.tree.datum(node)?;
    context
        .tree
        .symbol(node)
        .is_none()
        .then(|| Fix::replace(how, context.tree.span(node), literal(bytes, is_raw(context.tree, node))))
}
