use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::Place;
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::{Action, OpId};

declare_rule! {
    /// `file-write*`, `file*` or `default` allowed, which does not allow `file-write-setugid`.
    ///
    /// ## Why
    /// Since macOS 10.13 `file-write-setugid` has a denial of its own. Installers and build tools that set the setuid bit fail
    /// although "everything" is allowed.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-write*)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-write* file-write-setugid)
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §2.2, §5 h; Homebrew/brew#13404.
    SETUGID_GAP = "SBPL046" "setugid-gap" { Correctness, Note, default: false, fix: Unsafe } setugid_gap
}

fn setugid_gap(context: &Context<'_>, found: &mut Findings<'_>) {
    let Some(setugid) = context.operation("file-write-setugid") else { return };
    if context.target.operation(setugid).own != Some(Action::Deny) {
        return;
    }
    let order = &context.order;
    if !order.filtered(setugid).is_empty() || !order.unfiltered(setugid).is_empty() {
        return;
    }
    let wide: Vec<OpId> =
        ["default", "file*", "file-write*"].into_iter().filter_map(|name| context.operation(name)).collect();
    for (_, rule, _) in context.rules().filter(|(_, rule, _)| rule.action == Action::Allow && rule.place == Place::Sure)
    {
        let Some(named) = rule.operations.iter().find(|named| named.id.is_some_and(|id| wide.contains(&id))) else {
            continue;
        };
        let end = Span::point(context.tree.span(named.node).end);
        found
            .at(named.node, format!("`{}` does not cover file-write-setugid", shown(named.name)))
            .help("Name it in the rule when setuid bits shall be set.")
            .fix(Fix::replace(Applicability::Unsafe, end, " file-write-setugid"));
    }
}
