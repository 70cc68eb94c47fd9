use super::{TEXT_FORMS, placeholders, rewrite};
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings};
use crate::lint::rule::declare_rule;
use crate::lint::text::shown;
use crate::vocab::FilterForm;

declare_rule! {
    /// A path that no file can have: relative, with `~`, or with `//`, `/./`, `/../` or a trailing slash in a `literal`.
    ///
    /// ## Why
    /// The compiler takes path strings as they are; the kernel compares them with absolute, resolved paths. There is no `~`, no
    /// current directory and no tidying up.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "~/project") (literal "/opt//tool") (literal "/usr/lib/"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read*
    ///   (subpath (string-append (param "HOME") "/project"))
    ///   (literal "/opt/tool")
    ///   (literal "/usr/lib"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.1.
    IMPOSSIBLE_PATH = "SBPL006" "impossible-path" { Paths, Error, default: true, fix: Unsafe } impossible
}

fn impossible(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&TEXT_FORMS) {
        let Some(path) = argument.text.known() else {
            let head = argument.text.head();
            if !head.is_empty() && !head.starts_with(b"/") && !placeholders(head) {
                found.at(argument.node, "this path never matches: it is not absolute");
            }
            continue;
        };
        if path.is_empty() || placeholders(&path) {
            continue;
        }
        if path.starts_with(b"~") {
            found
                .at(argument.node, "this path never matches: `~` is not expanded")
                .help("Use (string-append (param \"HOME\") …) and pass the parameter.");
            continue;
        }
        if !path.starts_with(b"/") {
            found.at(argument.node, "this path never matches: it is not absolute");
            continue;
        }
        let body =
            if argument.call.form == FilterForm::Prefix { path.strip_suffix(b"/").unwrap_or(&path) } else { &path };
        let trailing = argument.call.form == FilterForm::Exact && path.len() > 1 && path.ends_with(b"/");
        let parts = body.get(1..).unwrap_or_default().split(|byte| *byte == b'/');
        let odd = body.len() > 1
            && parts.clone().enumerate().any(|(index, part)| match part {
                b"." | b".." => true,
                // The last one is empty when the path ends in a slash.
                b"" => index + 1 < parts.clone().count(),
                _ => false,
            });
        if !(odd || trailing) {
            continue;
        }
        let finding = found.at(argument.node, "this path never matches: resolved paths are not written so");
        match tidy(body) {
            Some(tidied) => {
                finding.help(format!("Write {}.", shown(&tidied)));
                if let Some(fix) = rewrite(context, &argument, &tidied, Applicability::Unsafe) {
                    finding.fix(fix);
                }
            }
            None => {
                finding.help("Write the path without `..`.");
            }
        }
    }
}

/// The path without empty parts and `.`; `None` when it has a `..`, which links can lead anywhere.
fn tidy(path: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    (!parts.contains(&&b".."[..])).then(|| [b"/", &parts.join(&b'/')[..]].concat())
}
