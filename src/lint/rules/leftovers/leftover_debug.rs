use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

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
