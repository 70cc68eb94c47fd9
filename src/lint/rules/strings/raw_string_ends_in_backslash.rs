use super::strings;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::syntax::AtomKind;

declare_rule! {
    /// A raw string that ends in a backslash.
    ///
    /// ## Why
    /// A raw string has no escapes and ends at the next `"`. `#"a\"b"` is the string `a\` and then a stray `b"`. Whoever writes
    /// `\"` in one expects a quotation mark.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #"^/data/\"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (regex "^/data/\""))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §2 (raw strings), §16 case 3.
    RAW_STRING_ENDS_IN_BACKSLASH = "SBPL014" "raw-string-ends-in-backslash" {
        Regex, Warning, default: true, fix: No
    } raw_end
}

fn raw_end(context: &Context<'_>, found: &mut Findings<'_>) {
    for node in strings(context, AtomKind::RawString) {
        if context.tree.source(node).ends_with(b"\\\"") {
            found
                .at(node, "this raw string ends in a backslash: `\\\"` does not escape the quotation mark here")
                .help("Write a plain string \"…\" when it shall hold a quotation mark.");
        }
    }
}
