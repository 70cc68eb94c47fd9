use crate::lint::rule::declare_rule;

declare_rule! {
    /// A `sbpl-lint:` comment that cannot be used: no reason, no code, or a code that no rule has.
    ///
    /// ## Why
    /// A comment that allows a finding without saying why is a riddle for the next reader, and one that names no known rule
    /// allows nothing although it looks as if it did.
    ///
    /// ## Example
    /// ```scheme
    /// ;; sbpl-lint: allow SBPL001
    /// (allow file-read* (subpath "/tmp/x"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// ;; sbpl-lint: allow SBPL001 -- also used by a tool that compares the path as text
    /// (allow file-read* (subpath "/tmp/x"))
    /// ```
    ///
    /// ## Sources
    /// This linter's own rule.
    BAD = "SBPL001" "bad-suppression" { Style, Warning, default: true, fix: No } |_, _| {}
}
