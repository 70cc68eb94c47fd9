use super::bare_allows;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::vocab::OpId;

declare_rule! {
    /// `sysctl-read` allowed for every name.
    ///
    /// ## Why
    /// `kern.procargs2` gives the arguments and the environment of other processes of the user, tokens and passwords included.
    ///
    /// ## Example
    /// ```scheme
    /// (allow sysctl-read)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow sysctl-read (sysctl-name "hw.ncpu") (sysctl-name-prefix "kern.os"))
    /// ```
    ///
    /// ## Sources
    /// eugene1g/agent-safehouse#150, anthropics/claude-code#30697.
    BARE_SYSCTL_READ = "SBPL054" "bare-sysctl-read" { Breadth, Note, default: false, fix: No } bare_sysctl_read
}

fn bare_sysctl_read(context: &Context<'_>, found: &mut Findings<'_>) {
    let operations: Vec<OpId> =
        ["sysctl*", "sysctl-read"].into_iter().filter_map(|name| context.operation(name)).collect();
    for rule in bare_allows(context) {
        if let Some(named) = rule.operations.iter().find(|named| named.id.is_some_and(|id| operations.contains(&id))) {
            found
                .at(named.node, "every sysctl may be read, other processes' arguments included")
                .help("Name them with `sysctl-name` and `sysctl-name-prefix`.");
        }
    }
}
