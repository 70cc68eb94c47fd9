use super::{has_twin, split};
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;

declare_rule! {
    /// A path through `/tmp`, `/var` or `/etc` beside its live form under `/private`.
    ///
    /// ## Why
    /// The first one never matches; only the one under `/private` does the work. Kept out of caution, it makes readers
    /// believe that both are needed.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "/tmp/build") (subpath "/private/tmp/build"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/private/tmp/build"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1.
    REDUNDANT_LINK_PATH = "SBPL004" "redundant-link-path" { Style, Note, default: false, fix: No } redundant
}

fn redundant(context: &Context<'_>, found: &mut Findings<'_>) {
    let (dead, live) = split(context);
    for argument in dead.iter().filter(|argument| has_twin(context, &live, argument)) {
        let message = "this path never matches; its form under /private, which is also here, does";
        found.at(argument.node, message).help("Remove it.");
    }
}
