use super::known;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::pattern::regex::{self};

declare_rule! {
    /// A regex that the compiler refuses.
    ///
    /// ## Why
    /// One bad regex loses the whole profile, and the compiler stops at the first. This rule shows them all.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (regex #"(?i)^/opt/.*\.env$"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-read* (regex #"^/opt/.*\.env$"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.6; `spec/versions-and-defaults.md` §6.
    BAD_REGEX = "SBPL015" "bad-regex" { Regex, Error, default: true, fix: No } bad
}

fn bad(context: &Context<'_>, found: &mut Findings<'_>) {
    for (node, _, bytes) in known(context) {
        let Err(error) = regex::parse(&bytes) else { continue };
        let finding = found.at(node, error.to_string());
        finding.note(format!("at byte {} of the regex ({})", error.offset, error.code()));
        if let Some(hint) = error.hint() {
            finding.help(hint);
        }
    }
}
