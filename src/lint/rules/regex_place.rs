use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::FilterForm;

declare_rule! {
    /// Regex text in a filter that compares exactly or by prefix.
    ///
    /// ## Why
    /// `.*`, `|`, `^` and `$` mean something in the `-regex` form of a filter only. Elsewhere they are plain characters and the
    /// filter never matches.
    ///
    /// ## Example
    /// ```scheme
    /// (allow iokit-get-properties (iokit-property "Apple(DisplayType|Panel)"))
    /// (allow mach-lookup (global-name "com.example.*"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow iokit-get-properties (iokit-property-regex #"^Apple(DisplayType|Panel)$"))
    /// (allow mach-lookup (global-name-prefix "com.example."))
    /// ```
    ///
    /// ## Sources
    /// `spec/census.md` §14 (found in a shipped WebKit profile).
    REGEX_OUTSIDE_REGEX = "SBPL011" "regex-outside-regex" { Regex, Warning, default: true, fix: No } check
}

/// True for text that was hardly meant to be compared as it is.
pub(super) fn looks_like_regex(text: &[u8]) -> bool {
    let has = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    has(b".*")
        || has(b".+")
        || has(b"[^")
        || memchr::memmem::find_iter(text, b"\\.").any(|at| at == 0 || text[at - 1] != b'\\')
        || has(b"(/|$)")
        || text.starts_with(b"^")
        || (has(b"(") && has(b"|") && has(b")"))
}

fn check(context: &Context<'_>, found: &mut Findings<'_>) {
    for call in context.index.calls.iter().filter(|call| call.form != FilterForm::Regex) {
        let pattern = context.target.filter(call.id).is_some_and(|info| info.argument.is_pattern());
        for node in context.arguments(call.node).filter(|_| pattern) {
            let text = context.text(node);
            let Some(bytes) = text.known() else { continue };
            let service_star = call.form == FilterForm::Exact && bytes.ends_with(b".*");
            if looks_like_regex(&bytes) || service_star {
                let name = String::from_utf8_lossy(call.name);
                let finding = found.at(node, format!("`{name}` compares plain text; this looks like a regex"));
                finding.note(format!("it is compared as {}", shown(&bytes)));
                finding.help("Use the `-regex` or `-prefix` form of the filter.");
            }
        }
    }
}
