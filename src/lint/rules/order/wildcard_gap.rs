use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::Place;
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::{Action, Operation};

declare_rule! {
    /// A deny on a wildcard that leaves operations open although they belong to it by name.
    ///
    /// ## Why
    /// A wildcard covers the operations that fall back on it, not those that begin like it. In version 1 `(deny file*)` leaves
    /// `file-link`, `file-clone` and `file-map-executable` open, and `(deny syscall*)` every system call.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny syscall*)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny syscall* syscall-unix syscall-mach syscall-mig)
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §1.2; Homebrew/brew#13404 (membership changed between systems).
    WILDCARD_GAP = "SBPL045" "wildcard-gap" { Correctness, Warning, default: true, fix: Unsafe } wildcard_gap
}

fn wildcard_gap(context: &Context<'_>, found: &mut Findings<'_>) {
    // These let nothing happen that matters and that no other operation decides as well.
    const HARMLESS: [&str; 4] =
        ["file-test-existence", "file-lock", "process-info-codesignature", "process-exec-update-label"];
    let order = &context.order;
    let target = context.target;
    for (_, rule, _) in context.rules().filter(|(_, rule, _)| rule.action == Action::Deny && rule.place == Place::Sure)
    {
        for named in &rule.operations {
            let Some(id) = named.id else { continue };
            let Some(stem) = target.operation(id).name.strip_suffix('*') else { continue };
            // An operation with an allow of its own, from the table or the prelude, asks nobody above it.
            let open = |member: &Operation| {
                member.name.starts_with(stem)
                    && member.id != id
                    && (member.prelude >= context.version || member.own == Some(Action::Allow))
                    && order.unfiltered(member.id).is_empty()
                    && order.filtered(member.id).is_empty()
                    && !HARMLESS.contains(&member.name)
            };
            let inside_another = |member: &Operation| member.parent.is_some_and(|up| open(target.operation(up)));
            let members = target.operations().iter().filter(|member| member.in_op_table);
            let open: Vec<&str> =
                members.filter(|member| open(member) && !inside_another(member)).map(|member| member.name).collect();
            if open.is_empty() {
                continue;
            }
            let name = shown(named.name);
            let finding = found.at(named.node, format!("`{name}` does not cover {}", open.join(", ")));
            finding.note("they stay allowed");
            finding.help("Name them in the rule as well.");
            let end = Span::point(context.tree.span(named.node).end);
            finding.fix(Fix::replace(Applicability::Unsafe, end, format!(" {}", open.join(" "))));
        }
    }
}
