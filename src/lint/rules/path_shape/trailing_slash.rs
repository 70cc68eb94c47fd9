use super::rewrite;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings};
use crate::lint::rule::declare_rule;
use crate::vocab::FilterForm;

declare_rule! {
    /// A `subpath` that ends in a slash.
    ///
    /// ## Why
    /// Up to macOS 10.11 this was an error. Newer compilers accept it; whether it then matches like the path without the slash
    /// has not been measured. Without the slash there is no doubt.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (subpath "/private/var/protected/"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/private/var/protected"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §9 (special cases), §17.4.
    TRAILING_SLASH = "SBPL007" "trailing-slash" { Paths, Warning, default: true, fix: Unsafe } trailing_slash
}

fn trailing_slash(context: &Context<'_>, found: &mut Findings<'_>) {
    for argument in context.path_arguments(&[FilterForm::Subpath]) {
        let Some(path) = argument.text.known() else { continue };
        let Some(end) = path.iter().rposition(|byte| *byte != b'/') else { continue };
        if end + 1 == path.len() {
            continue;
        }
        let finding = found.at(argument.node, "this subpath ends in a slash");
        finding.help("Write it without: then it surely holds the directory and everything below.");
        if let Some(fix) = rewrite(context, &argument, &path[..=end], Applicability::Unsafe) {
            finding.fix(fix);
        }
    }
}
