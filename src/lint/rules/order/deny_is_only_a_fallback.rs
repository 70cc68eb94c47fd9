use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::Place;
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::{Action, OpId};

declare_rule! {
    /// A bare `(deny op)` after filtered allow rules of the same operation, which stay in force.
    ///
    /// ## Why
    /// A rule without filter only replaces the fallback of its operation. It is never ordered against filtered rules:
    /// `(allow file-write* (subpath "/a"))` and then `(deny file-write*)` still allows `/a`. Most handbooks say otherwise.
    ///
    /// ## Example
    /// ```scheme
    /// (allow network-outbound (remote tcp "*:443"))
    /// (deny network-outbound)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny network-outbound)
    /// (allow network-outbound (remote tcp "*:443"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.3; settled and measured, `spec/versions-and-defaults.md` §5 b.
    FALLBACK_ONLY = "SBPL041" "deny-is-only-a-fallback" { Correctness, Warning, default: true, fix: No } fallback_only
}

fn fallback_only(context: &Context<'_>, found: &mut Findings<'_>) {
    let order = &context.order;
    for (rule_at, rule, _) in context.rules() {
        if rule.action != Action::Deny || !rule.unfiltered() || rule.place != Place::Sure {
            continue;
        }
        for named in &rule.operations {
            let Some(id) = named.id.filter(|&id| id != OpId::DEFAULT) else { continue };
            let allows = |&at: &usize| {
                let other = order.rule(at);
                other.action == Action::Allow && other.place == Place::Sure
            };
            // A section that starts with the deny and goes on with what is allowed means the fallback.
            let goes_on =
                |id| order.filtered(id).iter().chain(order.unfiltered(id)).any(|at| *at > rule_at && allows(at));
            if goes_on(id) || context.target.descendants(id).any(goes_on) {
                continue;
            }
            let earlier = order.filtered(id).iter().find(|at| **at < rule_at && allows(at));
            let Some(&earlier) = earlier else { continue };
            let name = shown(named.name);
            found
                .at(
                    named.node,
                    format!("this only sets the fallback of `{name}`: the filtered allow above stays in force"),
                )
                .label(context.location(order.rule(earlier).node), "this still allows")
                .help("Put the bare deny first, or remove the allow.");
            break;
        }
    }
}
