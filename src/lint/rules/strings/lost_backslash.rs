use super::{is_for_regex, strings};
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::rule::declare_rule;
use crate::syntax::AtomKind;

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
