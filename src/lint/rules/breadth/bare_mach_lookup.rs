use super::bare_allows;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::vocab::OpId;

declare_rule! {
    /// `mach-lookup`, or an operation above it, allowed for every service.
    ///
    /// ## Why
    /// Services act for their callers with their own rights. With every service open, a sandboxed program can have files read,
    /// programs started and passwords asked for outside of its sandbox.
    ///
    /// ## Example
    /// ```scheme
    /// (allow mach-lookup)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow mach-lookup
    ///   (global-name "com.apple.system.opendirectoryd.libinfo")
    ///   (global-name "com.apple.trustd.agent"))
    /// ```
    ///
    /// ## Sources
    /// BaseIntelligence/bounty-challenge#10704.
    BARE_MACH_LOOKUP = "SBPL032" "bare-mach-lookup" { Breadth, Warning, default: true, fix: No } bare_mach_lookup
}

fn bare_mach_lookup(context: &Context<'_>, found: &mut Findings<'_>) {
    let operations: Vec<OpId> =
        ["mach*", "mach-lookup"].into_iter().filter_map(|name| context.operation(name)).collect();
    for rule in bare_allows(context) {
        if let Some(named) = rule.operations.iter().find(|named| named.id.is_some_and(|id| operations.contains(&id))) {
            found
                .at(named.node, "every Mach service may be looked up")
                .help("Name the services with `global-name`, `local-name` or `xpc-service-name`.");
        }
    }
}
