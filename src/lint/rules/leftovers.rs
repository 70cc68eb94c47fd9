use std::collections::HashMap;

use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::syntax::{Atom, NodeKind, QuoteKind};
use crate::vocab::OpId;

declare_rule! {
    /// A value that is defined and that nothing in the profile uses.
    ///
    /// ## Why
    /// It is left over, or the rule that should use it has another name in it. Functions are left alone, since
    /// helpers are pasted in as a set, and so are files without a rule on `default`: others import them.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (define home (param "HOME"))
    /// ```
    ///
    /// ## Use instead
    /// Remove it, or use it.
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §1.3.
    UNUSED_DEFINITION = "SBPL035" "unused-definition" { Style, Warning, default: true, fix: No } unused_definition
}

declare_rule! {
    /// `trace` or `debug` left in a profile.
    ///
    /// ## Why
    /// `(trace "…")` allows everything and records it on old systems, and has no effect on new ones. `(debug deny)` never had an
    /// effect in version 1 and is `unbound variable` in versions 2 and 3, which loses the whole profile.
    ///
    /// ## Example
    /// ```scheme
    /// (trace "/tmp/trace.sb")
    /// ```
    ///
    /// ## Use instead
    /// Remove it; use `(with report)` on single allow rules.
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §5, §15.
    LEFTOVER_DEBUG = "SBPL036" "leftover-debug" { Style, Warning, default: true, fix: No } leftover_debug
}

declare_rule! {
    /// `eq?` or `eqv?` with a string literal, which is always false.
    ///
    /// ## Why
    /// Both compare identity; two strings with the same text are two objects. The branch behind the test is never taken.
    ///
    /// ## Example
    /// ```scheme
    /// (if (eq? (param "MODE") "open") (allow network*))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (if (equal? (param "MODE") "open") (allow network*))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §3 (R4RS where nothing else is stated).
    STRING_IDENTITY = "SBPL037" "string-identity" { Correctness, Warning, default: true, fix: Unsafe } string_identity
}

declare_rule! {
    /// A message filter with a `deny` inside, which an ordinary process cannot apply.
    ///
    /// ## Why
    /// The profile compiles, and then applying it fails unless the process has the entitlement
    /// `com.apple.private.security.message-filter`, which Apple gives to its own programs only. Inner `allow` rules alone are fine.
    ///
    /// ## Example
    /// ```scheme
    /// (allow mach-lookup (global-name "com.example.x")
    ///   (apply-message-filter (deny mach-message-send) (allow mach-message-send (message-number 206))))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow mach-lookup (global-name "com.example.x"))
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §5 j (settled for 14.4.1).
    GATED_MESSAGE_FILTER = "SBPL038" "gated-message-filter" { Robustness, Warning, default: true, fix: No } gated
}

fn unused_definition(context: &Context<'_>, found: &mut Findings<'_>) {
    if !context.index.rules.iter().any(|rule| rule.names(OpId::DEFAULT)) {
        return;
    }
    // Helpers such as `home-literal` are pasted in as a set; only values are looked at.
    let values = context.index.definitions.iter().filter(|definition| definition.global && definition.value.is_some());
    let mut uses: HashMap<&[u8], u32> = values.clone().map(|definition| (definition.name, 0)).collect();
    for symbol in context.tree.nodes().filter_map(|node| context.tree.symbol(node)) {
        if let Some(count) = uses.get_mut(symbol) {
            *count += 1;
        }
    }
    for definition in values {
        // Once where it is defined.
        if uses.get(definition.name) == Some(&1) && !definition.name.starts_with(b"%") {
            found.at(definition.node, format!("nothing uses `{}`", shown(definition.name)));
        }
    }
}

fn leftover_debug(context: &Context<'_>, found: &mut Findings<'_>) {
    for &form in context.index.lists("trace").iter().filter(|_| !context.index.binds(b"trace")) {
        found.at(form, "`trace` is a tool for writing a profile, not a part of one").help("Remove it.");
    }
    // Harmless in version 1, and all old profiles have it.
    for &form in context.index.lists("debug").iter().filter(|_| context.version > 1 && !context.index.binds(b"debug")) {
        let message = format!("version {} does not know `debug`", context.version);
        found.at(form, message).help("Remove it: it never had an effect.");
    }
}

fn string_identity(context: &Context<'_>, found: &mut Findings<'_>) {
    for name in ["eq?", "eqv?"] {
        for &form in context.index.lists(name) {
            let mut arguments = context.arguments(form);
            if !arguments.any(|node| matches!(context.tree.datum(node), Some(Atom::String(_)))) {
                continue;
            }
            let finding = found.at(form, format!("`{name}` is never true of a string literal"));
            finding.help("Use `equal?` or `string=?`.");
            if let Some(head) = context.tree.children(form).next() {
                finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(head), "equal?"));
            }
        }
    }
}

fn gated(context: &Context<'_>, found: &mut Findings<'_>) {
    let tree = context.tree;
    let quoted = |node| matches!(tree.kind(node), NodeKind::Quoted(QuoteKind::Quote));
    let inner = |form| tree.subtree(form).find(|&node| tree.head(node) == Some(b"deny") && !quoted(node));
    // Once a file: who may apply such a profile may apply all of it.
    let first = context.index.lists("apply-message-filter").iter().find_map(|&form| Some((form, inner(form)?)));
    if let Some((form, deny)) = first {
        found
            .at(deny, "a deny in a message filter: only programs of Apple can apply this profile")
            .label(context.location(form), "in this message filter")
            .help("Leave the message filter out, or write it with `allow` rules only.");
    }
}
