use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::RuleForm;
use crate::lint::rule::declare_rule;
use crate::vocab::{Action, OpId};

declare_rule! {
    /// Writing allowed to every file.
    ///
    /// ## Why
    /// Whoever can write every file of the user can change what the user runs next: shell start-up files, launch agents,
    /// programs, and the profile itself.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-write*)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-write* (subpath (param "PROJECT")))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §8; posit-dev/commons#355 (an allow without scope re-opened everything).
    WRITE_EVERYWHERE = "SBPL033" "write-everywhere" { Breadth, Warning, default: true, fix: No } write_everywhere
}

fn write_everywhere(context: &Context<'_>, found: &mut Findings<'_>) {
    let operations: Vec<OpId> =
        ["file*", "file-write*", "file-write-data"].into_iter().filter_map(|name| context.operation(name)).collect();
    let everywhere = |rule: &RuleForm<'_>| {
        rule.unfiltered()
            || rule.filters.iter().any(|&filter| {
                context.tree.head(filter) == Some(b"subpath")
                    && context
                        .arguments(filter)
                        .any(|node| context.text(node).known().is_some_and(|path| *path == *b"/"))
            })
    };
    for rule in context.index.rules.iter().filter(|rule| rule.action == Action::Allow && !rule.with_filter) {
        let named = rule.operations.iter().find(|named| named.id.is_some_and(|id| operations.contains(&id)));
        if let Some(named) = named.filter(|_| everywhere(rule)) {
            found.at(named.node, "every file may be written").help("Name the directories with `subpath`.");
        }
    }
}
