use std::collections::HashMap;

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

declare_rule! {
    /// The same filter twice in one rule.
    ///
    /// ## Why
    /// The second one does nothing; one of the two was often meant to be something else.
    ///
    /// ## Example
    /// ```scheme
    /// (allow mach-lookup (global-name "com.apple.tccd") (global-name "com.apple.tccd"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow mach-lookup (global-name "com.apple.tccd"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §6.3.
    DUPLICATE_FILTER = "SBPL029" "duplicate-filter" { Style, Warning, default: true, fix: Safe } duplicate
}

declare_rule! {
    /// Two path filters in one rule that differ only by upper and lower case.
    ///
    /// ## Why
    /// On macOS the compiler stores paths in lower case and the kernel folds what it compares, on every volume. Both filters
    /// are one; a profile that tells `/Data` from `/data` does not do what it says.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (literal "/Users/Shared/Keys") (literal "/Users/Shared/keys"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-read* (literal "/Users/Shared/Keys"))
    /// ```
    ///
    /// ## Sources
    /// `spec/versions-and-defaults.md` §6; constellation-works/orbit#494.
    CASE_DUPLICATE = "SBPL030" "case-duplicate" { Paths, Warning, default: true, fix: Safe } case_duplicate
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

/// The filters of one rule by what they say; later equals are handed to `report` with the first one.
fn repeated<K: std::hash::Hash + Eq>(
    filters: &[NodeId],
    mut key: impl FnMut(NodeId) -> Option<K>,
    mut report: impl FnMut(NodeId, NodeId),
) {
    let mut seen: HashMap<K, NodeId> = HashMap::new();
    for &filter in filters {
        let Some(key) = key(filter) else { continue };
        match seen.get(&key) {
            Some(&first) => report(first, filter),
            None => {
                seen.insert(key, filter);
            }
        }
    }
}

fn duplicate(context: &Context<'_>, found: &mut Findings<'_>) {
    for rule in context.index.rules.iter().filter(|rule| !rule.broken) {
        let key = |filter| Some(context.tree.source(filter).to_vec());
        repeated(&rule.filters, key, |first, again| {
            let finding = found.at(again, "this filter stands twice in the rule");
            finding.label(context.location(first), "first here");
            finding.fix(removal(context, again));
        });
    }
}

fn case_duplicate(context: &Context<'_>, found: &mut Findings<'_>) {
    if !context.target.folds_case() {
        return;
    }
    let source = |filter: NodeId| context.tree.source(filter);
    let is_path = |filter: NodeId| {
        context.tree.head(filter).and_then(|head| context.spelling(head)).is_some_and(
            |spelling| matches!(spelling, Spelling::Filter { id, .. } if context.target.filter_name(id) == "path"),
        )
    };
    for rule in &context.index.rules {
        let key = |filter| is_path(filter).then(|| source(filter).to_ascii_lowercase());
        repeated(&rule.filters, key, |first, again| {
            if source(first) == source(again) {
                return;
            }
            let finding =
                found.at(again, "this path differs from another one by case only; paths are compared without");
            finding.label(context.location(first), "the other one");
            finding.fix(removal(context, again));
        });
    }
}

/// Takes `node` out, with the white space before it.
fn removal(context: &Context<'_>, node: NodeId) -> Fix {
    let mut span = context.tree.span(node);
    let before = context.tree.text().get(..span.start as usize).unwrap_or_default();
    let blank = before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    // A comment ends with its line: what follows must stay on a line of its own.
    let line = before.len() - blank;
    let line_start = memchr::memrchr(b'\n', &before[..line]).map_or(0, |at| at + 1);
    if !before[line_start..line].contains(&b';') {
        span.start = line as u32;
    }
    Fix::replace(Applicability::Safe, span, "")
}
