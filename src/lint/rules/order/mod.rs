//! Rules on which rule decides, and what they share.

pub(super) mod already_allowed;
pub(super) mod deny_is_only_a_fallback;
pub(super) mod implicit_rule_wins;
pub(super) mod member_undoes_deny;
pub(super) mod redundant_path;
pub(super) mod replaced_fallback;
pub(super) mod setugid_gap;
pub(super) mod shadowed_rule;
pub(super) mod wildcard_gap;

use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::{Place, RuleForm};
use crate::lint::order::{Condition, Order};
use crate::lint::text::shown;
use crate::vocab::{Action, OpId};
use std::collections::HashSet;

/// The later rule that covers a path of an earlier one, for every operation of that one.
pub(super) fn covering(context: &Context<'_>, opposite: bool, mut report: impl FnMut(usize, usize, usize)) {
    let order = &context.order;
    for (at, rule, condition) in context.rules() {
        if matches!(rule.place, Place::Unknown | Place::MessageFilter) || rule.operations.is_empty() {
            continue;
        }
        for (index, test) in condition.paths.iter().enumerate() {
            let cover = |id: OpId| {
                order.newest_cover(id, test).filter(|&later| {
                    let other = order.rule(later);
                    later > at
                        && (other.action != rule.action) == opposite
                        && (opposite || (!other.modified && rule.modifiers.is_empty()))
                })
            };
            let covers: Option<Vec<usize>> = rule.operations.iter().filter_map(|named| named.id).map(cover).collect();
            if let Some(&later) = covers.as_deref().and_then(<[usize]>::first) {
                report(at, index, later);
            }
        }
    }
}

/// Where the rules start of which [`SHADOWED_RULE`] reports something.
pub(super) fn reported(context: &Context<'_>) -> HashSet<u32> {
    let mut starts = HashSet::new();
    covering(context, true, |at, _, _| {
        starts.insert(context.tree.span(context.order.rule(at).node).start);
    });
    starts
}

pub(super) fn member(context: &Context<'_>, found: &mut Findings<'_>) {
    // Looking at what is there is rarely what a deny is about, and profiles open both on purpose.
    const LOOKING: [&str; 2] = ["file-read-metadata", "file-test-existence"];
    let order = &context.order;
    let mut members: Vec<OpId> = Vec::new();
    for (_, rule, _) in context.rules().filter(|(_, rule, _)| rule.action == Action::Allow && rule.place == Place::Sure)
    {
        members.extend(rule.operations.iter().filter_map(|named| named.id));
    }
    members.sort_unstable();
    members.dedup();
    members.retain(|&id| !LOOKING.contains(&context.target.operation(id).name));
    for (_, rule, condition) in context.rules() {
        if rule.action != Action::Deny
            || rule.unfiltered()
            || matches!(rule.place, Place::Unknown | Place::MessageFilter)
        {
            continue;
        }
        'operations: for named in &rule.operations {
            let Some(wide) = named.id else { continue };
            for &narrow in members.iter().filter(|&&id| id != wide && !rule.names(id)) {
                if !context.target.lineage(narrow).any(|up| up == wide) || between(context, rule, narrow, wide) {
                    continue;
                }
                let Some((undoing, test)) = undone(order, condition, narrow) else { continue };
                let (wide, narrow) = (shown(named.name), context.target.operation(narrow).name);
                let finding = found.at(
                    test.map_or(named.node, |test| condition.paths[test].node),
                    format!("this deny on `{wide}` does not hold for `{narrow}`, which has an allow of its own"),
                );
                finding.label(context.location(order.rule(undoing).node), "the more specific operation is asked first");
                finding.help(format!("Name `{narrow}` in the deny as well."));
                let span = context.tree.span(named.node);
                let place = Span::point(span.end);
                finding.fix(Fix::replace(Applicability::Unsafe, place, format!(" {narrow}")));
                break 'operations;
            }
        }
    }
}

/// True when the rule names an operation between the two: that one answers before the wide one.
pub(super) fn between(context: &Context<'_>, rule: &RuleForm<'_>, narrow: OpId, wide: OpId) -> bool {
    context.target.lineage(narrow).take_while(|&up| up != wide).any(|up| rule.names(up))
}

/// The allow on `narrow` that answers for what the deny `condition` names, and which of its paths.
pub(super) fn undone(order: &Order, condition: &Condition, narrow: OpId) -> Option<(usize, Option<usize>)> {
    let sure_allow = |&at: &usize| order.rule(at).action == Action::Allow && order.rule(at).place == Place::Sure;
    for (index, test) in condition.paths.iter().enumerate() {
        if let Some(at) = order.newest_cover(narrow, test).filter(sure_allow) {
            return Some((at, Some(index)));
        }
    }
    let bare = order.unfiltered(narrow).last().copied().filter(sure_allow)?;
    // A deny of its own on the narrow operation shows that the author knows.
    (!order.denies(narrow)).then_some((bare, None))
}
