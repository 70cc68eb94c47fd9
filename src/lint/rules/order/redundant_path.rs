use super::covering;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// A path that a later rule of the same action covers.
    ///
    /// ## Why
    /// The earlier one does nothing. Shorter profiles are easier to judge.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (literal "/opt/tool/config"))
    /// (allow file-read* (subpath "/opt/tool"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/opt/tool"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.2.
    REDUNDANT_PATH = "SBPL040" "redundant-path" { Style, Note, default: false, fix: No } redundant
}

fn redundant(context: &Context<'_>, found: &mut Findings<'_>) {
    let order = &context.order;
    covering(context, false, |at, index, later| {
        let Some(test) = order.condition(at).paths.get(index) else { return };
        found
            .at(test.node, "a later rule covers this path with the same action")
            .label(context.location(order.rule(later).node), "this rule decides");
    });
}
