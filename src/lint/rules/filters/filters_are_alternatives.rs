use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::syntax::NodeId;
use crate::vocab::Spelling;

declare_rule! {
    /// Filters side by side that were probably meant as "and".
    ///
    /// ## Why
    /// Several filters in one rule are alternatives. `(literal "/a") (vnode-type DIRECTORY)` allows `/a` *and every directory*.
    /// A filter that only narrows (a vnode type, a `require-not`, a system call number beside its policy name) is hardly ever
    /// meant as an alternative of its own.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read-metadata (literal "/System/Volumes") (vnode-type DIRECTORY))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read-metadata (require-all (literal "/System/Volumes") (vnode-type DIRECTORY)))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §6.3; found in openai/codex (`spec/census.md` §14).
    MEANT_AS_AND = "SBPL028" "filters-are-alternatives" { Correctness, Warning, default: true, fix: Unsafe } meant_as_and
}

/// Filters that narrow what another filter names and say little alone, each with that other one.
const NARROWING: [(&str, &str); 6] = [
    ("vnode-type", "path"),
    ("file-mode", "path"),
    ("mac-syscall-number", "mac-policy-name"),
    ("device-minor", "device-major"),
    ("socket-protocol", "socket-domain"),
    ("iokit-user-client-type", "iokit-registry-entry-class"),
];

fn meant_as_and(context: &Context<'_>, found: &mut Findings<'_>) {
    let tree = context.tree;
    for rule in context.index.rules.iter().filter(|rule| rule.filters.len() >= 2) {
        let name = |filter: NodeId| match tree.head(filter).map(|head| context.spelling(head)) {
            Some(Some(Spelling::Filter { id, .. })) => Some(context.target.filter_name(id)),
            _ => None,
        };
        let names: Vec<_> = rule.filters.iter().map(|&filter| name(filter)).collect();
        let beside = |wide: &str| names.iter().flatten().any(|name| name == wide);
        let narrows = |filter: NodeId| {
            tree.head(filter) == Some(b"require-not")
                || name(filter)
                    .is_some_and(|name| NARROWING.iter().any(|(narrow, wide)| **narrow == *name && beside(wide)))
        };
        let (narrow, wide): (Vec<NodeId>, Vec<NodeId>) = rule.filters.iter().partition(|&&filter| narrows(filter));
        let (Some(&first), Some(&other)) = (narrow.first(), wide.first()) else { continue };
        let words = String::from_utf8_lossy(tree.head(first).unwrap_or_default()).into_owned();
        let finding =
            found.at(first, format!("this `{words}` is an alternative: it matches on its own, whatever else"));
        finding.label(context.location(other), "this does not narrow it, nor is it narrowed");
        finding.help("Wrap them in (require-all …) when both shall hold.");
        if let ([narrow], [wide]) = (&narrow[..], &wide[..]) {
            let (from, to) = if narrow < wide { (*narrow, *wide) } else { (*wide, *narrow) };
            let span = tree.span(from).cover(tree.span(to));
            // Something else may stand between the two.
            if rule.modifiers.iter().chain(&rule.opaque).all(|&node| {
                let inside = tree.span(node);
                inside.end <= span.start || span.end <= inside.start
            }) {
                let text = [b"(require-all ", tree.slice(span), b")"].concat();
                finding.fix(Fix::replace(Applicability::Unsafe, span, text));
            }
        }
    }
}
