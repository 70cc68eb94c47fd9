use super::bare_allows;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// Programs that are executed outside of the sandbox, without saying which.
    ///
    /// ## Why
    /// `(with no-sandbox)` drops the sandbox for the executed program. Unless the rule names programs that do not take orders from
    /// their caller, that is the way out.
    ///
    /// ## Example
    /// ```scheme
    /// (allow process-exec (with no-sandbox))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow process-exec (literal "/usr/libexec/helper") (with no-sandbox))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §10.
    EXEC_WITHOUT_SANDBOX = "SBPL056" "exec-without-sandbox" { Breadth, Warning, default: true, fix: No } without_sandbox
}

fn without_sandbox(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in bare_allows(context) {
        let drops = rule.modifiers.iter().find(|&&form| {
            let name = context.arguments(form).next().and_then(|name| context.tree.symbol(name));
            matches!(name, Some(b"no-sandbox" | b"no-profile"))
        });
        if let Some(&form) = drops {
            found.at(form, "every program may be run outside of the sandbox").help("Name the programs.");
        }
    }
}
