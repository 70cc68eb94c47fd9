//! When rules count as already there.

use super::form::{Form, RuleForm, related, string};
use crate::syntax::Tree;

/// True when the rules of `block` already are the effective last rules of `profile`: every one stands there, in an order
/// that gives the same, and no later form can override it.
///
/// Only the form is looked at, so the answer is `false` in doubt: after an `import`, a call, a `when`, a modifier.
pub(super) fn already_effective(profile: &Tree, block: &[Form<'_>]) -> bool {
    let forms: Vec<Form<'_>> = profile.roots().map(|node| Form::new(profile, node)).collect();
    block.iter().enumerate().all(|(index, rule)| {
        let Some(at) = forms.iter().rposition(|form| form.same(*rule)) else { return false };
        let later_in_block = block.get(index + 1..).unwrap_or_default();
        forms
            .get(at + 1..)
            .unwrap_or_default()
            .iter()
            .all(|form| later_in_block.iter().any(|rule| rule.same(*form)) || cannot_override(*form, *rule))
    })
}

fn cannot_override(later: Form<'_>, rule: Form<'_>) -> bool {
    if matches!(later.tree.head(later.node), Some(b"version" | b"debug")) {
        return true;
    }
    let (Some(later), Some(rule)) = (later.rule(), rule.rule()) else { return false };
    let touches = later.operation_names().any(|a| rule.operation_names().any(|b| related(a, b)));
    let agrees = later.action == rule.action && later.modifiers.is_empty() && rule.modifiers.is_empty();
    !touches || agrees || paths_are_disjoint(&later, &rule)
}

/// True when both rules have filters, all of them on plain paths, and no path can match both.
fn paths_are_disjoint(a: &RuleForm<'_>, b: &RuleForm<'_>) -> bool {
    match (path_tests(a), path_tests(b)) {
        (Some(a), Some(b)) => !a.iter().any(|a| b.iter().any(|b| a.meets(b))),
        _ => false,
    }
}

struct PathTest {
    /// Folded to lower case, without `/` at the end: the compiler folds paths.
    path: Vec<u8>,
    subtree: bool,
}

impl PathTest {
    fn meets(&self, other: &Self) -> bool {
        let below = |path: &[u8], root: &[u8]| path.strip_prefix(root).is_some_and(|rest| rest.starts_with(b"/"));
        self.path == other.path
            || self.subtree && below(&other.path, &self.path)
            || other.subtree && below(&self.path, &other.path)
    }
}

fn path_tests(rule: &RuleForm<'_>) -> Option<Vec<PathTest>> {
    let mut tests = Vec::new();
    for filter in &rule.filters {
        let subtree = match filter.tree.head(filter.node)? {
            b"literal" => false,
            b"subpath" => true,
            _ => return None,
        };
        for argument in filter.tree.children(filter.node).skip(1) {
            let mut path = string(filter.tree, argument)?.to_ascii_lowercase();
            while path.last() == Some(&b'/') {
                path.pop();
            }
            tests.push(PathTest { path, subtree });
        }
    }
    (!tests.is_empty()).then_some(tests)
}
