//! Rules on what is allowed more widely than it looks, and what they share.

pub(super) mod allow_default;
pub(super) mod bare_mach_lookup;
pub(super) mod bare_sysctl_read;
pub(super) mod escaping_operation;
pub(super) mod exec_without_sandbox;
pub(super) mod matches_everything;
pub(super) mod write_everywhere;

use crate::lint::context::Context;
use crate::lint::index::{Place, RuleForm};
use crate::vocab::Action;

/// The unfiltered allow rules that take effect by themselves.
pub(super) fn bare_allows<'c, 'a>(context: &'c Context<'a>) -> impl Iterator<Item = &'c RuleForm<'a>> {
    let rules = context.index.rules.iter();
    rules.filter(|rule| rule.action == Action::Allow && rule.unfiltered() && rule.place != Place::MessageFilter)
}
