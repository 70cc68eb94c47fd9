use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::lint::index::{Place, ancestors};
use crate::lint::rule::declare_rule;
use crate::syntax::NodeId;
use crate::vocab::{self, Spelling};
use std::collections::HashSet;

declare_rule! {
    /// An operation or filter that the target does not have.
    ///
    /// ## Why
    /// An unknown name is `unbound variable`, and the whole profile is lost, not the one rule. Names come and go between
    /// systems: `iokit-open` ended with macOS 10.15 in versions 2 and 3, `syscall-mach` came with 11.
    ///
    /// Names that the file defines, that are tested with `defined?`, or that an import may define are left alone, except when
    /// another system has them.
    ///
    /// ## Example
    /// ```scheme
    /// (allow file-raed* (subpath "/usr"))
    /// ```
    ///
    /// ## Use instead
    /// ```scheme
    /// (allow file-read* (subpath "/usr"))
    /// ```
    ///
    /// ## Sources
    /// `spec/sbpl-language.md` §8, §9, §14; ZaxbyHub/opencode-swarm#2590.
    UNKNOWN_NAME = "SBPL021" "unknown-name" { Names, Error, default: true, fix: No } unknown
}

/// Unknown names for which a known one is looked for; more of them are not typing mistakes.
const MOST_GUESSES: usize = 100;

fn unknown(context: &Context<'_>, found: &mut Findings<'_>) {
    let tree = context.tree;
    let imports = !context.index.lists("import").is_empty() || !context.index.lists("load").is_empty();
    let questions = context.index.lists("defined?").iter().flat_map(|&form| tree.subtree(form));
    let asked: HashSet<&[u8]> = questions.filter_map(|node| tree.symbol(node)).collect();
    let mut guesses = MOST_GUESSES;
    for rule in context.index.rules.iter().filter(|rule| rule.place != Place::Unknown && !rule.broken) {
        for &node in &rule.opaque {
            let (name, filter) = match (tree.symbol(node), tree.head(node)) {
                (Some(name), _) => (name, false),
                (None, Some(name)) => (name, true),
                _ => continue,
            };
            if context.index.binds(name) || context.names.contains_key(name) || is_language(name) {
                continue;
            }
            if tested(context, &asked, node, name) {
                continue;
            }
            let Ok(name) = std::str::from_utf8(name) else { continue };
            let elsewhere = systems_with(name, context.version);
            let close = (guesses > 0).then(|| nearest(context, name, filter)).flatten();
            guesses = guesses.saturating_sub(1);
            if elsewhere.is_empty() && close.is_none() && (imports || filter) {
                continue;
            }
            // A fragment may rely on names of the file that holds it.
            if elsewhere.is_empty() && close.is_none() && context.index.lists("version").is_empty() {
                continue;
            }
            let what = if filter { "filter" } else { "operation" };
            let place = if filter { tree.children(node).next().unwrap_or(node) } else { node };
            let system = context.target.name();
            let finding = found.at(place, format!("{system} has no {what} `{name}` in version {}", context.version));
            if let (Some(first), Some(last)) = (elsewhere.first(), elsewhere.last()) {
                finding.note(format!("systems that have it: {first} to {last}"));
                finding.help(format!("Guard it: (if (defined? '{name}) …)."));
            } else if let Some(close) = close {
                finding.help(format!("Did you mean `{close}`?"));
            }
        }
    }
}

/// Names that are no operations or filters and may still stand in a rule.
fn is_language(name: &[u8]) -> bool {
    const LANGUAGE: [&[u8]; 18] = [
        b"if",
        b"when",
        b"unless",
        b"cond",
        b"case",
        b"and",
        b"or",
        b"let",
        b"let*",
        b"letrec",
        b"apply",
        b"map",
        b"begin",
        b"quote",
        b"list",
        b"entitlement-value",
        b"entitlement-value-regex",
        b"extension",
    ];
    LANGUAGE.contains(&name) || name.starts_with(b"require-") || name.starts_with(b"%")
}

/// True when a form around `node` is a test, and the file asks `(defined? 'name)` somewhere.
fn tested(context: &Context<'_>, asked: &HashSet<&[u8]>, node: NodeId, name: &[u8]) -> bool {
    asked.contains(name)
        && ancestors(context.tree, node)
            .any(|up| matches!(context.tree.head(up), Some(b"if" | b"when" | b"unless" | b"cond" | b"and" | b"or")))
}

/// The systems that know `name` in `version`, oldest first.
fn systems_with(name: &str, version: u8) -> Vec<&'static str> {
    vocab::target_names()
        .filter(|target| {
            vocab::target(target)
                .is_ok_and(|target| crate::lint::names::names(target, version).contains_key(name.as_bytes()))
        })
        .collect()
}

/// The known name that is at most two typing mistakes away.
fn nearest(context: &Context<'_>, name: &str, filter: bool) -> Option<String> {
    if !(5..=64).contains(&name.len()) {
        return None;
    }
    let known = context.names.iter().filter(|(_, spelling)| matches!(spelling, Spelling::Filter { .. }) == filter);
    known
        .filter(|(known, _)| known.len().abs_diff(name.len()) <= 2)
        .map(|(known, _)| (distance(known, name.as_bytes()), known))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, known)| String::from_utf8_lossy(known).into_owned())
}

/// Levenshtein distance; names are short.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let change = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
