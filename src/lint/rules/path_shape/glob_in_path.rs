use super::{TEXT_FORMS, rewrite};
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::vocab::FilterForm;

declare_rule! {
    /// A `*` or `?` in a path that is not a regex.
    ///
    /// ## Why
    /// SBPL knows no glob patterns: `*` in a `literal`, `subpath` or `prefix` is that character, and files are rarely called so.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (literal "/private/var/db/store.archive*"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (prefix "/private/var/db/store.archive"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1.
    GLOB_IN_PATH = "SBPL008" "glob-in-path" { Paths, Warning, default: true, fix: Unsafe } glob
}

fn glob(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&TEXT_FORMS) {
        let Some(path) = argument.text.known() else { continue };
        // A path with regex signs is a regex in the wrong place (`regex-outside-regex`).
        if super::super::regex_place::looks_like_regex(&path) || !path.iter().any(|byte| matches!(byte, b'*' | b'?')) {
            continue;
        }
        let finding = found.at(argument.node, "`*` and `?` are plain characters here: this path hardly ever matches");
        let star_last = path.iter().position(|byte| matches!(byte, b'*' | b'?')) == Some(path.len() - 1);
        let name = context.tree.children(argument.call.node).next();
        match name.filter(|_| star_last && argument.call.form == FilterForm::Exact && argument.call.name == b"literal")
        {
            Some(name) if context.tree.children(argument.call.node).count() == 2 => {
                finding.help("Use `prefix` without the star.");
                if let Some(mut fix) = rewrite(context, &argument, &path[..path.len() - 1], Applicability::Unsafe) {
                    let edit = Fix::replace(Applicability::Unsafe, context.tree.span(name), "prefix").edits;
                    fix.edits.extend(edit);
                    finding.fix(fix);
                }
            }
            _ => {
                finding.help("Use `prefix`, `subpath` or `regex`.");
            }
        }
    }
}
