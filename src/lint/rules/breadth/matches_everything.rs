use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::vocab::FilterForm;

declare_rule! {
    /// A pattern that every value matches: an empty prefix, an empty regex, `.*`.
    ///
    /// ## Why
    /// The filter looks as if it limited the rule and does not. It comes from a parameter or a list that was empty.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #".*"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read*)
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §9 (special cases), §13.6.
    MATCHES_EVERYTHING = "SBPL055" "matches-everything" { Breadth, Warning, default: true, fix: No } matches_everything
}

fn matches_everything(context: &Context<'_>, found: &mut Findings<'_>) {
    for call in context.index.calls.iter().filter(|call| !call.negated) {
        // The text of a filter that is narrowed by others may well be everything.
        // `(xpc-service-name-prefix "")` still tells names of XPC services from others.
        let name = context.target.filter_name(call.id);
        let single_kind = !matches!(&*name, "global-name" | "local-name" | "xpc-service-name");
        let alone = context
            .rule_of(call)
            .is_some_and(|rule| rule.filters.binary_search(&call.node).is_ok() && !rule.with_filter);
        for node in context.arguments(call.node).filter(|_| alone) {
            let text = context.text(node);
            let Some(bytes) = text.known() else { continue };
            let all = match call.form {
                FilterForm::Prefix => single_kind && (bytes.is_empty() || (call.name == b"prefix" && *bytes == *b"/")),
                FilterForm::Regex => {
                    matches!(&*bytes, b"" | b".*" | b"^" | b"$" | b"^.*" | b".*$" | b"^.*$" | b"^/" | b"/")
                }
                FilterForm::Exact | FilterForm::Subpath => false,
            };
            if all {
                found.at(node, "every value matches this").help("Leave the filter out when that is meant.");
            }
        }
    }
}
