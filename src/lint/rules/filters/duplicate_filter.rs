use super::{removal, repeated};
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// The same filter twice in one rule.
    ///
    /// ## Why
    /// The second one does nothing; one of the two was often meant to be something else.
    ///
    /// ## Example
    /// ```scheme
    /// (allow mach-lookup (global-name "com.apple.tccd") (global-name "com.apple.tccd"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow mach-lookup (global-name "com.apple.tccd"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §6.3.
    DUPLICATE_FILTER = "SBPL029" "duplicate-filter" { Style, Warning, default: true, fix: Safe } duplicate
}

fn duplicate(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in context.index.rules.iter().filter(|rule| !rule.broken) {
        let key = |filter| Some(context.tree.source(filter).to_vec());
        repeated(&rule.filters, key, |first, again| {
            let finding = found.at(again, "this filter stands twice in the rule");
            finding.label(context.location(first), "first here");
            finding.fix(removal(context, again));
        });
    }
}
