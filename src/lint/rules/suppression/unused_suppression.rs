use crate::lint::rule::declare_rule;

declare_rule! {
    /// A `sbpl-lint: allow` comment that allows nothing, because the rule finds nothing there.
    ///
    /// ## Why
    /// It is left over, or stands in the wrong place, and hides the next real finding.
    ///
    /// ## Example
    /// ```scheme
    /// ;; sbpl-lint: allow dead-path -- the link itself is meant
    /// (allow file-read* (subpath "/private/tmp/x"))
    /// ```
    ///
    /// ## Use instead
    /// Remove the comment.
    ///
    /// ## Sources
    /// This linter's own rule.
    UNUSED = "SBPL002" "unused-suppression" { Style, Warning, default: true, fix: No } |_, _| {}
}
