use crate::diag::Span;
use crate::lint::context::Context;
use crate::lint::finding::{Applicability, Findings, Fix};
use crate::lint::index::Place;
use crate::lint::order::{PathTest, parents};
use crate::lint::rule::declare_rule;
use crate::vocab::{Action, FilterForm, OpId};
use std::collections::HashSet;

declare_rule! {
    /// A denied path that can be moved away: a directory above it, or the path itself, may be renamed.
    ///
    /// ## Why
    /// A deny follows the path, not the file. Whoever may rename `/work/.git` moves `/work/.git/hooks` to a path that is not denied,
    /// changes it there, and moves it back.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file* (subpath "/private/work"))
    /// (deny file-write* (subpath "/private/work/.git/hooks"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file* (subpath "/private/work"))
    /// (deny file-write* (subpath "/private/work/.git/hooks"))
    /// (deny file-write-unlink (literal "/private/work/.git"))
    /// ```
    ///
    /// ## Sources
    /// anthropic-experimental/sandbox-runtime#8, #545; navikt/cplt#455; openai/codex#40565 (the over-correction: only the directories
    /// on the way need it).
    RENAME_ESCAPE = "SBPL051" "rename-escape" { Robustness, Warning, default: true, fix: Unsafe } rename
}

/// Directories whose entries only the system makes; they cannot be renamed by those whom a profile is for.
fn is_fixed(path: &[u8]) -> bool {
    const PARENTS: [&[u8]; 9] =
        [b"", b"/users", b"/private", b"/private/var", b"/private/etc", b"/usr", b"/system", b"/library", b"/volumes"];
    let parent = memchr::memrchr(b'/', path).map_or(&b""[..], |at| &path[..at]);
    PARENTS.iter().any(|fixed| fixed.eq_ignore_ascii_case(parent))
}

fn rename(context: &Context<'_>, found: &mut Findings<'_>) {
    let (Some(unlink), Some(create)) = (context.operation("file-write-unlink"), context.operation("file-write-create"))
    else {
        return;
    };
    let mut said: HashSet<Vec<u8>> = HashSet::new();
    let file = |id: OpId| context.target.operation(id).name.starts_with("file");
    for (at, rule, condition) in context.rules().filter(|(_, rule, _)| rule.action == Action::Deny) {
        let protects = rule.operations.iter().filter_map(|named| named.id).any(file);
        if !protects || matches!(rule.place, Place::Unknown | Place::MessageFilter) {
            continue;
        }
        for test in condition.paths.iter().filter(|test| test.form != FilterForm::Prefix) {
            let Some(movable) = movable(context, unlink, create, test) else { continue };
            // One deny on the directory closes it for everything below.
            if !said.insert(movable.clone()) {
                continue;
            }
            let finding =
                found.at(test.node, format!("this can be got round: {} may be renamed", test.shown(movable.len())));
            finding.help("Deny file-write-unlink for it, after the rule that allows writing.");
            let text = test.shown(movable.len());
            // A later rule on the operation would win over the one that the fix adds.
            let last = context.order.filtered(unlink).last().is_none_or(|&last| last <= at);
            if last && !movable.contains(&0) && context.tree.parent(rule.node).is_none() {
                let end = Span::point(context.tree.span(rule.node).end);
                let text = format!("\n(deny file-write-unlink (literal \"{text}\"))");
                finding.fix(Fix::replace(Applicability::Unsafe, end, text));
            }
        }
    }
}

/// The path itself or the nearest directory above it that surely may be renamed.
fn movable(context: &Context<'_>, unlink: OpId, create: OpId, test: &PathTest) -> Option<Vec<u8>> {
    let candidates = std::iter::once(&test.path[..]).chain(parents(&test.path));
    candidates
        .filter(|path| path.len() > 1 && !is_fixed(path) && path.last() != Some(&0))
        .find(|path| {
            // The new name stands beside the old one.
            let beside = [path, &b".sbpl-moved"[..]].concat();
            let allowed = |operation, path: &[u8]| context.order.decide(operation, path) == Some(Action::Allow);
            allowed(unlink, path) && allowed(create, &beside)
        })
        .map(<[u8]>::to_vec)
}
