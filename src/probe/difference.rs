//! What the shims changed in a profile, for `runtime_diffs.json`.

use similar::TextDiff;

use super::artifact::ProfileDiff;
use crate::syntax::{self, SyntaxLimits, Tree};

/// Compares a profile with its shimmed text: as text, and rule by rule at top level.
pub(super) fn between(base_name: &str, base: &[u8], name: &str, text: &[u8], shims: Vec<String>) -> ProfileDiff {
    let lines = [base, text].map(String::from_utf8_lossy);
    let diff = TextDiff::from_lines(&lines[0], &lines[1]);
    let unified = diff.unified_diff().header(base_name, name).to_string();
    let [before, after] = [base, text].map(forms);
    ProfileDiff { text: unified, shims, rules_removed: only_in(&before, &after), rules_added: only_in(&after, &before) }
}

/// The rules of a text, each on one line.
fn forms(text: &[u8]) -> Vec<String> {
    let tree = syntax::parse(text, &SyntaxLimits::default()).tree;
    let rules = tree.roots().filter(|&node| matches!(tree.head(node), Some(b"allow" | b"deny")));
    rules.map(|node| one_line(&tree, node)).collect()
}

fn one_line(tree: &Tree, node: syntax::NodeId) -> String {
    let tokens = tree.tokens().get(tree.token_range(node)).unwrap_or_default();
    let words = tokens.iter().filter(|token| !token.kind.is_comment());
    let text: String = words.map(|token| String::from_utf8_lossy(tree.slice(token.span)).into_owned()).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `a` has more often than `b`, in the order of `a`.
fn only_in(a: &[String], b: &[String]) -> Vec<String> {
    let mut left: std::collections::BTreeMap<&String, usize> = std::collections::BTreeMap::new();
    b.iter().for_each(|rule| *left.entry(rule).or_default() += 1);
    let mut only = Vec::new();
    for rule in a {
        match left.get_mut(rule) {
            Some(count) if *count > 0 => *count -= 1,
            _ => only.push(rule.clone()),
        }
    }
    only
}
