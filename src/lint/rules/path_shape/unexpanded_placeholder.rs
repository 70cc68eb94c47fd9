use super::{TEXT_FORMS, placeholders};
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;

declare_rule! {
    /// A placeholder that nothing fills in: `$HOME`, `$(VAR)`, `${VAR}`, `@VAR@`, `__VAR__`, `%s` in a path.
    ///
    /// ## Why
    /// SBPL expands nothing in strings, except `${HOME}`, `${FRONT_USER_HOME}`, `${ANY_UUID}` and values of entitlements when
    /// the compiler is told to. What is left over from a template is compared as text and never matches.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "$HOME/project") (literal "/Applications/${PRODUCT_NAME}.app"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath (string-append (param "HOME") "/project")))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.5, §16 cases 30 and 34.
    PLACEHOLDER = "SBPL009" "unexpanded-placeholder" { Paths, Warning, default: true, fix: No } placeholder
}

fn placeholder(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&TEXT_FORMS) {
        let Some(path) = argument.text.known() else { continue };
        if placeholders(&path) {
            found
                .at(argument.node, format!("nothing fills in the placeholder in {}", shown(&path)))
                .help("Use (param …) with string-append, or fill in the template before it is compiled.");
        }
    }
}
