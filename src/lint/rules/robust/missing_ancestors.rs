use super::{allowing, closed};
use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::Place;
use crate::lint::order::{is_below, parents};
use crate::lint::rule::declare_rule;
use crate::vocab::FilterForm;

declare_rule! {
    /// A directory is opened for writing, while nothing may be asked about the directories above it.
    ///
    /// ## Why
    /// `realpath`, `getcwd`, `lstat` and many tools ask for the metadata of every directory on the way. Denied, they fail with
    /// EPERM, ENOENT or ENOTDIR in places far from the cause.
    ///
    /// ## Example
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow file-read* file-write* (subpath "/Users/me/project"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (version 1)
    /// (deny default)
    /// (allow file-read* file-write* (subpath "/Users/me/project"))
    /// (allow file-read-metadata (path-ancestors "/Users/me/project"))
    /// ```
    ///
    /// ## Sources
    /// jdx/mise#13039, nikvdp/cco#49, Gitlawb/zero#302; `spec/sbpl-language.md` §5 (`path-ancestors`).
    MISSING_ANCESTORS = "SBPL050" "missing-ancestors" { Robustness, Warning, default: true, fix: Unsafe } ancestors
}

fn ancestors(context: &Context<'_>, found: &mut Findings<'_>) {
    let (Some(write), Some(look)) = (context.operation("file-write-data"), context.operation("file-read-metadata"))
    else {
        return;
    };
    if !closed(context) {
        return;
    }
    for (at, rule) in allowing(context, write) {
        for test in context.order.condition(at).paths.iter().filter(|test| test.form == FilterForm::Subpath) {
            // Devices are not walked to, and what is above a parameter is not known here.
            if is_below(&test.path, b"/dev") {
                continue;
            }
            let hidden: Vec<&[u8]> =
                parents(&test.path).filter(|up| !up.is_empty() && !context.order.may_allow(look, up)).collect();
            let Some(nearest) = hidden.first() else { continue };
            let finding = found.at(
                test.node,
                format!("nothing may be asked about {}, which is on the way", test.shown(nearest.len())),
            );
            finding.help("Allow file-read-metadata for (path-ancestors …) of this path.");
            if context.tree.parent(rule.node).is_none() && rule.place == Place::Sure {
                let end = Span::point(context.tree.span(rule.node).end);
                let path = String::from_utf8_lossy(context.tree.source(test.node)).into_owned();
                let text = format!("\n(allow file-read-metadata (path-ancestors {path}))");
                finding.fix(Fix::replace(Applicability::Unsafe, end, text));
            }
            // The same advice again and again helps nobody.
            return;
        }
    }
}
