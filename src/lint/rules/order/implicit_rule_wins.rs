use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::vocab::Action;

declare_rule! {
    /// A deny of what the compiler allows after the profile: signals and task ports to itself.
    ///
    /// ## Why
    /// Implicit rules are added last, so they win: no profile can deny `signal`, `mach-task-name`, `mach-task-inspect` or `mach-task-read`
    /// for `(target self)`, unless it is compiled with the parameter `NO_IMPLICIT_RULES`.
    ///
    /// ## Example
    /// ```scheme
    /// (deny signal (target self))
    /// ```
    ///
    /// ## Use instead
    /// Remove the rule.
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §3.1.
    IMPLICIT_RULE_WINS = "SBPL047" "implicit-rule-wins" { Correctness, Warning, default: true, fix: No } implicit
}

fn implicit(context: &Context<'_>, found: &mut Findings<'_>) {
    const NAMES: [&str; 4] = ["signal", "mach-task-name", "mach-task-inspect", "mach-task-read"];
    let tree = context.tree;
    for rule in context.index.rules.iter().filter(|rule| rule.action == Action::Deny && rule.opaque.is_empty()) {
        let [filter] = rule.filters[..] else { continue };
        let to_self = tree.head(filter) == Some(b"target")
            && context.arguments(filter).all(|node| tree.symbol(node) == Some(b"self"));
        let all = rule
            .operations
            .iter()
            .all(|named| named.id.is_some_and(|id| NAMES.contains(&context.target.operation(id).name)));
        if to_self && all && !rule.operations.is_empty() {
            found
                .at(rule.node, "the compiler allows this after the profile: the deny never decides")
                .help("Remove the rule.");
        }
    }
}
