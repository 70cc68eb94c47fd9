use super::{removal, repeated};
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::syntax::NodeId;
use crate::vocab::Spelling;

declare_rule! {
    /// Two path filters in one rule that differ only by upper and lower case.
    ///
    /// ## Why
    /// On macOS the compiler stores paths in lower case and the kernel folds what it compares, on every volume. Both filters
    /// are one; a profile that tells `/Data` from `/data` does not do what it says.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (literal "/Users/Shared/Keys") (literal "/Users/Shared/keys"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-read* (literal "/Users/Shared/Keys"))
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §6; constellation-works/orbit#494.
    CASE_DUPLICATE = "SBPL030" "case-duplicate" { Paths, Warning, default: true, fix: Safe } case_duplicate
}

fn case_duplicate(context: &Context<'_>, found: &mut Findings<'_>) {
    if !context.target.folds_case() {
        return;
    }
    let source = |filter: NodeId| context.tree.source(filter);
    let is_path = |filter: NodeId| {
        context.tree.head(filter).and_then(|head| context.spelling(head)).is_some_and(
            |spelling| matches!(spelling, Spelling::Filter { id, .. } if context.target.filter_name(id) == "path"),
        )
    };
    for rule in &context.index.rules {
        let key = |filter| is_path(filter).then(|| source(filter).to_ascii_lowercase());
        repeated(&rule.filters, key, |first, again| {
            if source(first) == source(again) {
                return;
            }
            let finding =
                found.at(again, "this path differs from another one by case only; paths are compared without");
            finding.label(context.location(first), "the other one");
            finding.fix(removal(context, again));
        });
    }
}
