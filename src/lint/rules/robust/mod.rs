//! Rules on profiles that break or can be got round, and what they share.

pub(super) mod loader_starves;
pub(super) mod missing_ancestors;
pub(super) mod nothing_executable;
pub(super) mod rename_escape;
pub(super) mod socket_stays_open;
pub(super) mod too_many_paths;

use crate::lint::context::Context;
use crate::lint::index::{Place, RuleForm};
use crate::vocab::{Action, OpId};

/// What a complete profile looks like: it denies by default, and no import may add to it.
pub(super) fn closed(context: &Context<'_>) -> bool {
    context.index.lists("import").is_empty()
        && !context.index.lists("version").is_empty()
        && context.order.fallback(OpId::DEFAULT) == Some(Action::Deny)
        && context.index.rules.iter().any(|rule| rule.names(OpId::DEFAULT))
        // A rule that is made by a function, or whose operation is a variable, can be anything.
        && context.index.rules.iter().all(|rule| rule.place != Place::Unknown && !rule.operations.is_empty())
}

/// The rules that may allow `operation`.
pub(super) fn allowing<'c, 'a>(
    context: &'c Context<'a>,
    operation: OpId,
) -> impl Iterator<Item = (usize, &'c RuleForm<'a>)> + use<'c, 'a> {
    context.index.rules.iter().enumerate().filter(move |(_, rule)| {
        rule.action == Action::Allow && context.target.lineage(operation).any(|up| rule.names(up))
    })
}
