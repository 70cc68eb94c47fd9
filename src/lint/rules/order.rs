use std::collections::HashSet;

use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::{Place, RuleForm};
use crate::lint::order::{Condition, Order};
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::{Action, OpId, Operation};

declare_rule! {
    /// A path that a later rule decides the other way, always: the earlier rule never has a say.
    ///
    /// ## Why
    /// Among the filtered rules of one operation the *last* one that matches decides. A deny that stands before an allow for a
    /// directory above it is dead, and what it should protect is open.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (subpath "/Users/me/.ssh"))
    /// (allow file-read* (subpath "/Users/me"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/Users/me"))
    /// (deny file-read* (subpath "/Users/me/.ssh"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.2, §7.4 (settled, `spec/versions-and-defaults.md` §5 a); empathic/clash#295, lijunzh/koda#1086.
    SHADOWED_RULE = "SBPL039" "shadowed-rule" { Correctness, Error, default: true, fix: No } shadowed
}

declare_rule! {
    /// A path that a later rule of the same action covers.
    ///
    /// ## Why
    /// The earlier one does nothing. Shorter profiles are easier to judge.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (literal "/opt/tool/config"))
    /// (allow file-read* (subpath "/opt/tool"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/opt/tool"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.2.
    REDUNDANT_PATH = "SBPL040" "redundant-path" { Style, Note, default: false, fix: No } redundant
}

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

declare_rule! {
    /// A rule without filter that a later one without filter replaces by the opposite.
    ///
    /// ## Why
    /// Only the last rule without filter counts for an operation; the earlier one does nothing.
    ///
    /// ## Example
    /// ```scheme
    /// (deny process-exec)
    /// (allow process-exec)
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow process-exec)
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.3.
    REPLACED_FALLBACK = "SBPL042" "replaced-fallback" { Correctness, Warning, default: true, fix: No } replaced
}

declare_rule! {
    /// A deny on a wildcard operation that a rule on one of its members undoes for the same path.
    ///
    /// ## Why
    /// The more specific operation is asked first, whatever the order of the text. `(allow file-write-create (subpath "/a"))` wins
    /// over any `(deny file-write* …)`, and a bare `(allow file-read-data)` hides every filtered deny on `file-read*`.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-write-create (subpath "/Users/me"))
    /// (deny file-write* (subpath "/Users/me/.ssh"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-write-create (subpath "/Users/me"))
    /// (deny file-write* file-write-create (subpath "/Users/me/.ssh"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §7.5; `spec/versions-and-defaults.md` §5 c.
    MEMBER_UNDOES_DENY = "SBPL043" "member-undoes-deny" { Correctness, Warning, default: true, fix: Unsafe } member
}

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

/// The later rule that covers a path of an earlier one, for every operation of that one.
fn covering(context: &Context<'_>, opposite: bool, mut report: impl FnMut(usize, usize, usize)) {
    let order = &context.order;
    for (at, rule, condition) in context.rules() {
        if matches!(rule.place, Place::Unknown | Place::MessageFilter) || rule.operations.is_empty() {
            continue;
        }
        for (index, test) in condition.paths.iter().enumerate() {
            let cover = |id: OpId| {
                order.newest_cover(id, test).filter(|&later| {
                    let other = order.rule(later);
                    later > at
                        && (other.action != rule.action) == opposite
                        && (opposite || (!other.modified && rule.modifiers.is_empty()))
                })
            };
            let covers: Option<Vec<usize>> = rule.operations.iter().filter_map(|named| named.id).map(cover).collect();
            if let Some(&later) = covers.as_deref().and_then(<[usize]>::first) {
                report(at, index, later);
            }
        }
    }
}

fn shadowed(context: &Context<'_>, found: &mut Findings<'_>) {
    let order = &context.order;
    covering(context, true, |at, index, later| {
        let (rule, other) = (order.rule(at), order.rule(later));
        let Some(test) = order.condition(at).paths.get(index) else { return };
        found
            .at(test.node, format!("this {} never decides: a later {} covers the path", rule.action, other.action))
            .label(context.location(other.node), "the last rule that matches decides")
            .help("Put the narrower rule after the wider one.");
    });
}

/// Where the rules start of which [`SHADOWED_RULE`] reports something.
pub(super) fn reported(context: &Context<'_>) -> HashSet<u32> {
    let mut starts = HashSet::new();
    covering(context, true, |at, _, _| {
        starts.insert(context.tree.span(context.order.rule(at).node).start);
    });
    starts
}

fn redundant(context: &Context<'_>, found: &mut Findings<'_>) {
    let order = &context.order;
    covering(context, false, |at, index, later| {
        let Some(test) = order.condition(at).paths.get(index) else { return };
        found
            .at(test.node, "a later rule covers this path with the same action")
            .label(context.location(order.rule(later).node), "this rule decides");
    });
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

fn replaced(context: &Context<'_>, found: &mut Findings<'_>) {
    let order = &context.order;
    for (at, rule, _) in context.rules().filter(|(_, rule, _)| rule.unfiltered() && rule.place == Place::Sure) {
        let last =
            |id: OpId| order.unfiltered(id).iter().rev().find(|&&at| order.rule(at).place == Place::Sure).copied();
        let later: Option<Vec<usize>> = rule
            .operations
            .iter()
            .filter_map(|named| named.id)
            .map(|id| last(id).filter(|&later| later > at && order.rule(later).action != rule.action))
            .collect();
        if let Some(&later) = later.as_deref().and_then(<[usize]>::first) {
            found
                .at(rule.node, "this rule does nothing: a later one replaces it")
                .label(context.location(order.rule(later).node), "only the last rule without filter counts")
                .help("Remove one of the two.");
        }
    }
}

fn member(context: &Context<'_>, found: &mut Findings<'_>) {
    // Looking at what is there is rarely what a deny is about, and profiles open both on purpose.
    const LOOKING: [&str; 2] = ["file-read-metadata", "file-test-existence"];
    let order = &context.order;
    let mut members: Vec<OpId> = Vec::new();
    for (_, rule, _) in context.rules().filter(|(_, rule, _)| rule.action == Action::Allow && rule.place == Place::Sure)
    {
        members.extend(rule.operations.iter().filter_map(|named| named.id));
    }
    members.sort_unstable();
    members.dedup();
    members.retain(|&id| !LOOKING.contains(&context.target.operation(id).name));
    for (_, rule, condition) in context.rules() {
        if rule.action != Action::Deny
            || rule.unfiltered()
            || matches!(rule.place, Place::Unknown | Place::MessageFilter)
        {
            continue;
        }
        'operations: for named in &rule.operations {
            let Some(wide) = named.id else { continue };
            for &narrow in members.iter().filter(|&&id| id != wide && !rule.names(id)) {
                if !context.target.lineage(narrow).any(|up| up == wide) || between(context, rule, narrow, wide) {
                    continue;
                }
                let Some((undoing, test)) = undone(order, condition, narrow) else { continue };
                let (wide, narrow) = (shown(named.name), context.target.operation(narrow).name);
                let finding = found.at(
                    test.map_or(named.node, |test| condition.paths[test].node),
                    format!("this deny on `{wide}` does not hold for `{narrow}`, which has an allow of its own"),
                );
                finding.label(context.location(order.rule(undoing).node), "the more specific operation is asked first");
                finding.help(format!("Name `{narrow}` in the deny as well."));
                let span = context.tree.span(named.node);
                let place = Span::point(span.end);
                finding.fix(Fix::replace(Applicability::Unsafe, place, format!(" {narrow}")));
                break 'operations;
            }
        }
    }
}

/// True when the rule names an operation between the two: that one answers before the wide one.
fn between(context: &Context<'_>, rule: &RuleForm<'_>, narrow: OpId, wide: OpId) -> bool {
    context.target.lineage(narrow).take_while(|&up| up != wide).any(|up| rule.names(up))
}

/// The allow on `narrow` that answers for what the deny `condition` names, and which of its paths.
fn undone(order: &Order, condition: &Condition, narrow: OpId) -> Option<(usize, Option<usize>)> {
    let sure_allow = |&at: &usize| order.rule(at).action == Action::Allow && order.rule(at).place == Place::Sure;
    for (index, test) in condition.paths.iter().enumerate() {
        if let Some(at) = order.newest_cover(narrow, test).filter(sure_allow) {
            return Some((at, Some(index)));
        }
    }
    let bare = order.unfiltered(narrow).last().copied().filter(sure_allow)?;
    // A deny of its own on the narrow operation shows that the author knows.
    (!order.denies(narrow)).then_some((bare, None))
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
