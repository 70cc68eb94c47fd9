use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::syntax::{AtomKind, NodeKind};

declare_rule! {
    /// Two backslashes in a raw string that is a regex.
    ///
    /// ## Why
    /// A raw string `#"…"` keeps every byte, so `#"\\.env"` wants a backslash in the path, and no path has one: the rule is
    /// dead. It comes from programs that escape for `"…"` and then write `#"…"`.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (regex #"/\\.env$"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-read* (regex #"/\.env$"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §16 case 4; found in google-gemini/gemini-cli.
    DOUBLED_BACKSLASH = "SBPL013" "doubled-backslash" { Regex, Warning, default: true, fix: Unsafe } doubled
}

fn doubled(context: &Context<'_>, found: &mut Findings<'_>) {
    for (_, node) in context.regex_arguments() {
        for part in
            context.tree.subtree(node).filter(|&part| context.tree.kind(part) == NodeKind::Atom(AtomKind::RawString))
        {
            let source = context.tree.source(part);
            let Some(fixed) = single(source) else { continue };
            found
                .at(part, "this regex wants a backslash in the text: a raw string keeps both")
                .help("Write one backslash.")
                .fix(Fix::replace(Applicability::Unsafe, context.tree.span(part), fixed));
        }
    }
}

/// The text with `\\` before a sign of punctuation made single; `None` when there is none.
fn single(source: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(source.len());
    let mut rest = source;
    let mut changed = false;
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (b'\\', [b'\\', next, ..]) if b".+*?()[]{}|^$-".contains(next) => {
                out.extend([b'\\', *next]);
                rest = &tail[2..];
                changed = true;
            }
            (b'\\', [next, ..]) => {
                out.extend([b'\\', *next]);
                rest = &tail[1..];
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    changed.then_some(out)
}
