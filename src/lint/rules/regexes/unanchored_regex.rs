use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::lint::text::{Piece, Text, is_raw, literal};

declare_rule! {
    /// A regex that starts with an absolute path but is not tied to the beginning with `^`.
    ///
    /// ## Why
    /// A regex is searched anywhere in the path. `/private/var/db/x` also matches below any directory that holds a copy of that
    /// path, for example `/Users/me/private/var/db/x`, which anyone can make.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #"/private/var/db/mds/"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (regex #"^/private/var/db/mds/"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §13.6.
    UNANCHORED_REGEX = "SBPL017" "unanchored-regex" { Regex, Warning, default: true, fix: Unsafe } unanchored
}

fn unanchored(context: &Context<'_>, found: &mut Findings<'_>) {
    const ROOTS: [&[u8]; 12] = [
        b"/private/",
        b"/System/",
        b"/usr/",
        b"/dev/",
        b"/Users/",
        b"/Applications/",
        b"/Volumes/",
        b"/bin/",
        b"/sbin/",
        b"/opt/",
        b"/var/folders/",
        b"/cores/",
    ];
    for (call, node) in context.regex_arguments() {
        if context.target.filter_name(call.id) != "path" {
            continue;
        }
        let text = context.text(node);
        let parameter = matches!(text.pieces.first(), Some(Piece::Param { .. })) || starts_quoted(&text);
        if !(parameter || ROOTS.iter().any(|root| text.head().starts_with(root))) {
            continue;
        }
        let finding = found.at(node, "this regex is searched anywhere in the path: it lacks `^`");
        if let Some(first) = text.head_node().filter(|_| !text.indirect) {
            let fixed = [b"^", text.head()].concat();
            let literal = literal(&fixed, is_raw(context.tree, first));
            finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(first), literal));
        }
        finding.help("Put `^` in front.");
    }
}

fn starts_quoted(text: &Text<'_>) -> bool {
    matches!(text.pieces.first(), Some(Piece::Quoted))
}
