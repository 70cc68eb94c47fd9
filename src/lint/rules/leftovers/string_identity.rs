use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::syntax::Atom;

declare_rule! {
    /// `eq?` or `eqv?` with a string literal, which is always false.
    ///
    /// ## Why
    /// Both compare identity; two strings with the same text are two objects. The branch behind the test is never taken.
    ///
    /// ## Example
    /// ```scheme
    /// (if (eq? (param "MODE") "open") (allow network*))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (if (equal? (param "MODE") "open") (allow network*))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §3 (R4RS where nothing else is stated).
    STRING_IDENTITY = "SBPL037" "string-identity" { Correctness, Warning, default: true, fix: Unsafe } string_identity
}

fn string_identity(context: &Context<'_>, found: &mut Findings<'_>) {
    for name in ["eq?", "eqv?"] {
        for &form in context.index.lists(name) {
            let mut arguments = context.arguments(form);
            if !arguments.any(|node| matches!(context.tree.datum(node), Some(Atom::String(_)))) {
                continue;
            }
            let finding = found.at(form, format!("`{name}` is never true of a string literal"));
            finding.help("Use `equal?` or `string=?`.");
            if let Some(head) = context.tree.children(form).next() {
                finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(head), "equal?"));
            }
        }
    }
}
