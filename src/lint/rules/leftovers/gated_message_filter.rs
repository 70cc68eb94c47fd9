use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::syntax::{NodeKind, QuoteKind};

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
