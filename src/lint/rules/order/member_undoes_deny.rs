use super::member;
use crate::lint::rule::declare_rule;

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
