use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::Place;
use crate::lint::rule::declare_rule;
use crate::vocab::OpId;

declare_rule! {
    /// A rule without filter that a later one without filter replaces by the opposite.
    ///
    /// ## Why
    /// Only the last rule without filter counts for an operation; the earlier one does nothing.
    ///
    /// ## Example
    /// ```scheme
    /// (deny process-exec)
    /// (allow process-exec)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow process-exec)
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.3.
    REPLACED_FALLBACK = "SBPL042" "replaced-fallback" { Correctness, Warning, default: true, fix: No } replaced
}

fn replaced(context: &Context<'_>, found: &mut Findings<'_>) {
    let order = &context.order;
    for (at, rule, _) in context.rules().filter(|(_, rule, _)| rule.unfiltered() && rule.place == Place::Sure) {
        let last =
            |id: OpId| order.unfiltered(id).iter().rev().find(|&&at| order.rule(at).place == Place::Sure).copied();
        let later: Option<Vec<usize>> = rule
            .operations
            .iter()
            .filter_map(|named| named.id)
            .map(|id| last(id).filter(|&later| later > at && order.rule(later).action != rule.action))
            .collect();
        if let Some(&later) = later.as_deref().and_then(<[usize]>::first) {
            found
                .at(rule.node, "this rule does nothing: a later one replaces it")
                .label(context.location(order.rule(later).node), "only the last rule without filter counts")
                .help("Remove one of the two.");
        }
    }
}
