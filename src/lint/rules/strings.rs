use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::ancestors;
use crate::lint::rule::declare_rule;
use crate::syntax::{AtomKind, NodeId, NodeKind};

declare_rule! {
    /// A backslash in a plain string that vanishes, because nothing after it is an escape.
    ///
    /// ## Why
    /// In `"…"` a backslash before anything but `n t r " \ x` and digits is dropped without a word: `"\."` is `.`, which in a
    /// regex matches every character. `\u`, `\b` and `\f` of JSON do not exist.
    ///
    /// ## Example
    /// ```scheme
    /// (deny file-read* (regex "/\.ssh/"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (deny file-read* (regex #"/\.ssh/"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §2; 32 cases in 12 profiles of macOS 10.15 (`spec/census.md` §14).
    LOST_BACKSLASH = "SBPL012" "lost-backslash" { Regex, Warning, default: true, fix: Unsafe } lost
}

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

declare_rule! {
    /// A raw string that ends in a backslash.
    ///
    /// ## Why
    /// A raw string has no escapes and ends at the next `"`. `#"a\"b"` is the string `a\` and then a stray `b"`. Whoever writes
    /// `\"` in one expects a quotation mark.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-read* (regex #"^/data/\"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (regex "^/data/\""))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §2 (raw strings), §16 case 3.
    RAW_STRING_ENDS_IN_BACKSLASH = "SBPL014" "raw-string-ends-in-backslash" {
        Regex, Warning, default: true, fix: No
    } raw_end
}

fn strings<'c>(context: &'c Context<'_>, kind: AtomKind) -> impl Iterator<Item = NodeId> + use<'c> {
    let tree = context.tree;
    tree.nodes().filter(move |&node| tree.kind(node) == NodeKind::Atom(kind))
}

fn lost(context: &Context<'_>, found: &mut Findings<'_>) {
    for node in strings(context, AtomKind::String) {
        let source = context.tree.source(node);
        let body = source.get(1..source.len().saturating_sub(1)).unwrap_or_default();
        let (mut lost, mut real) = (None, false);
        let mut at = 0;
        while let Some(next) = memchr::memchr(b'\\', body.get(at..).unwrap_or_default()) {
            match body.get(at + next + 1) {
                Some(b'n' | b't' | b'r' | b'"' | b'\\' | b'x' | b'X' | b'0'..=b'7') => real = true,
                Some(&byte) => lost = lost.or(Some(byte)),
                None => {}
            }
            at += next + 2;
        }
        let Some(byte) = lost else { continue };
        let shown = char::from(byte).escape_default();
        let finding = found.at(node, format!("the backslash of `\\{shown}` is dropped: the string only has `{shown}`"));
        if is_for_regex(context, node) {
            finding.help("Write a raw string #\"…\", which keeps backslashes.");
            if !real {
                finding.fix(Fix::replace(Applicability::Unsafe, context.tree.span(node), [b"#", source].concat()));
            }
        } else {
            finding.help("Remove it.");
            if !real {
                let without: Vec<u8> = source.iter().copied().filter(|byte| *byte != b'\\').collect();
                finding.fix(Fix::replace(Applicability::Safe, context.tree.span(node), without));
            }
        }
    }
}

/// True when a form around the string has a name with `regex` in it: a filter, or a function of the profile.
fn is_for_regex(context: &Context<'_>, node: NodeId) -> bool {
    ancestors(context.tree, node)
        .take(3)
        .filter_map(|up| context.tree.head(up))
        .any(|head| memchr::memmem::find(head, b"regex").is_some() && head != b"regex-quote")
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

fn raw_end(context: &Context<'_>, found: &mut Findings<'_>) {
    for node in strings(context, AtomKind::RawString) {
        if context.tree.source(node).ends_with(b"\\\"") {
            found
                .at(node, "this raw string ends in a backslash: `\\\"` does not escape the quotation mark here")
                .help("Write a plain string \"…\" when it shall hold a quotation mark.");
        }
    }
}
