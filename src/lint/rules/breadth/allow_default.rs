use super::bare_allows;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::vocab::OpId;

declare_rule! {
    /// `(allow default)`: everything that no rule denies is allowed.
    ///
    /// ## Why
    /// A list of denials is never complete: new systems bring new operations, and every way round the denied ones stays open
    /// (other paths to the same file, Apple events, launchd jobs, Mach services that act for the caller).
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (allow default)
    /// (deny file-write* (subpath "/Users"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow file-read*)
    /// ```
    ///
    /// ## Sources
    /// google-gemini/gemini-cli#28423; `spec/sbpl-language.md` §7.
    ALLOW_DEFAULT = "SBPL031" "allow-default" { Breadth, Note, default: true, fix: No } allow_default
}

fn allow_default(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in bare_allows(context).filter(|rule| rule.names(OpId::DEFAULT)) {
        found
            .at(rule.node, "everything that no rule denies is allowed")
            .help("Start from (deny default) and allow what is needed.");
    }
}
