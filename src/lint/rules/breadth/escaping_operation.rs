use super::bare_allows;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::vocab::OpId;

declare_rule! {
    /// An operation allowed without filter that hands control to programs outside of the sandbox.
    ///
    /// ## Why
    /// `appleevent-send`, `lsopen` and `job-creation` make other programs act; `mach-priv-task-port` and `mach-task-read` take
    /// over or read other processes. Each of them is a way out.
    ///
    /// ## Example
    /// ```scheme
    /// (allow appleevent-send)
    /// (allow mach-priv-task-port)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow appleevent-send (appleevent-destination "com.apple.finder"))
    /// (allow mach-priv-task-port (target same-sandbox))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §8.
    ESCAPING_OPERATION = "SBPL034" "escaping-operation" { Breadth, Note, default: false, fix: No } escaping
}

fn escaping(context: &Context<'_>, found: &mut Findings<'_>) {
    const NAMES: [&str; 6] = [
        "appleevent-send",
        "job-creation",
        "lsopen",
        "mach-priv-task-port",
        "mach-task-read",
        "process-exec-update-label",
    ];
    let operations: Vec<OpId> = NAMES.into_iter().filter_map(|name| context.operation(name)).collect();
    for rule in bare_allows(context) {
        for named in rule.operations.iter().filter(|named| named.id.is_some_and(|id| operations.contains(&id))) {
            let name = String::from_utf8_lossy(named.name);
            found.at(named.node, format!("`{name}` without a filter leads out of the sandbox")).help("Add a filter.");
        }
    }
}
