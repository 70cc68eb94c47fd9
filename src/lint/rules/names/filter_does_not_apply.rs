use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::Place;
use crate::lint::rule::declare_rule;
use crate::vocab::{FilterId, OpId};

declare_rule! {
    /// A filter that an operation of the rule does not accept.
    ///
    /// ## Why
    /// `T filter does not apply to O operation` loses the whole profile, and the compiler stops at the first. This rule shows
    /// them all.
    ///
    /// ## Example
    /// ```scheme
    /// (allow mach-lookup (literal "/private/var/run/service"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow mach-lookup (global-name "com.example.service"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §6.4, §8 (categories).
    FILTER_MISMATCH = "SBPL025" "filter-does-not-apply" { Names, Error, default: true, fix: No } filter_mismatch
}

fn filter_mismatch(context: &Context<'_>, found: &mut Findings<'_>) {
    for call in &context.index.calls {
        let Some(rule) = context.rule_of(call) else { continue };
        if rule.place == Place::MessageFilter {
            continue;
        }
        let refusing = rule.operations.iter().find(|named| {
            named.id.is_some_and(|id| {
                let operation = context.target.operation(id);
                !operation.categories.is_empty() && !accepted(context, id, call.id)
            })
        });
        let Some(named) = refusing else { continue };
        let operation = String::from_utf8_lossy(named.name);
        let category = context.target.filter(call.id).map_or("", |info| info.category);
        found
            .at(call.node, format!("{category} filter does not apply to {operation} operation"))
            .label(context.location(named.node), "this operation");
    }
}

/// True when `operation` or one below it takes the filter; profiles use wildcards with the filters of their members. A category
/// that the tables give no operation is one that they do not know enough about.
fn accepted(context: &Context<'_>, operation: OpId, filter: FilterId) -> bool {
    let target = context.target;
    let Some(category) = target.filter(filter).map(|info| info.category) else { return true };
    target.accepts(operation, filter)
        || target.descendants(operation).any(|below| target.accepts(below, filter))
        || !target.operations().iter().any(|operation| operation.categories.contains(&category))
}
