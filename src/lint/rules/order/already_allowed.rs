use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::Place;
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::{Action, OpId};

declare_rule! {
    /// A filtered allow for an operation that is allowed without it: it limits nothing.
    ///
    /// ## Why
    /// Some operations are allowed even under `(deny default)`: in version 1 `process-info*`, `file-map-executable`, `iokit-get-properties`,
    /// `nvram*`, `system-mac-syscall`, `file-test-existence` and others. `(allow process-info* (target self))` reads as if other
    /// processes were closed; they are open.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow process-info* (target same-sandbox))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (deny process-info*)
    /// (allow process-info* (target same-sandbox))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.7, §8 (own); `spec/versions-and-defaults.md` §1.2, §2.1.
    ALREADY_ALLOWED = "SBPL044" "already-allowed" { Correctness, Warning, default: true, fix: Unsafe } already_allowed
}

fn already_allowed(context: &Context<'_>, found: &mut Findings<'_>) {
    // A fragment relies on what the profile around it denies; so does an import, the other way round.
    if context.index.lists("version").is_empty() {
        return;
    }
    let order = &context.order;
    let mut said: Vec<OpId> = Vec::new();
    for (_, rule, _) in context.rules() {
        if rule.action != Action::Allow || rule.unfiltered() || rule.place != Place::Sure || !rule.modifiers.is_empty()
        {
            continue;
        }
        for named in &rule.operations {
            let Some(id) = named.id else { continue };
            let own = context.target.lineage(id).find(|&up| {
                let info = context.target.operation(up);
                info.prelude >= context.version || info.own == Some(Action::Allow)
            });
            let Some(own) = own else { continue };
            let limited = |up: OpId| !order.unfiltered(up).is_empty() || order.denies(up);
            // Once for each that is open: one deny answers for all that follow.
            if said.contains(&own)
                || limited(own)
                || context.target.lineage(id).take_while(|&up| up != own).any(limited)
            {
                continue;
            }
            said.push(own);
            let name = shown(named.name);
            let opener = context.target.operation(own).name;
            let finding = found.at(named.node, format!("`{name}` is allowed without this rule, which limits nothing"));
            finding.help(format!("Put (deny {opener}) before it to limit it, or remove it."));
            if rule.operations.len() == 1 && context.tree.parent(rule.node).is_none() {
                let start = Span::point(context.tree.span(rule.node).start);
                finding.fix(Fix::replace(Applicability::Unsafe, start, format!("(deny {opener})\n")));
            }
        }
    }
}
