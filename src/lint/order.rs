//! The order of decision as far as the text shows it: which rule answers for a path.
//!
//! A reduced model of `spec/sbpl-language.md` §7 that needs no evaluation: parameters are symbols, other filters than plain paths
//! are *maybe*. It says nothing it is not sure of. Rules that imports bring are not seen.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::index::{FilterCall, Index, Place, RuleForm};
use super::text::{Piece, Text};
use crate::syntax::{NodeId, Tree};
use crate::vocab::{Action, FilterForm, OpId, Target};

/// Rules that are looked at for all questions about one file. Spent, every answer is "not sure".
const BUDGET: u32 = 1 << 20;

/// Prefixes of one operation that are kept apart.
const MOST_PREFIXES: usize = 64;

/// Longest path that is looked at; no file has a longer one.
const LONGEST_PATH: usize = 4096;

/// One path that a rule names. Parameters stand in it as `\0NAME\0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathTest {
    pub(super) node: NodeId,
    pub(super) form: FilterForm,
    /// In lower case when the target folds, without slashes at its end.
    pub(super) path: Vec<u8>,
    /// The same as written.
    pub(super) written: Vec<u8>,
}

impl PathTest {
    /// The first `length` bytes of the path, for people.
    pub(super) fn shown(&self, length: usize) -> String {
        shown(self.written.get(..length).unwrap_or(&self.written))
    }

    /// True when it matches the file `path`.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        match self.form {
            FilterForm::Exact => self.path == path,
            FilterForm::Prefix => path.starts_with(&self.path),
            FilterForm::Subpath => is_below(path, &self.path),
            FilterForm::Regex => false,
        }
    }
}

/// True when `path` is `root` or below it.
pub(super) fn is_below(path: &[u8], root: &[u8]) -> bool {
    root == b"/" || path.strip_prefix(root).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
}

/// The directories above `path`, nearest first, `/` and what is above a parameter left out.
pub(super) fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    (1..path.len()).rev().filter(|&at| path[at] == b'/').map(|at| &path[..at])
}

/// A path for people.
fn shown(path: &[u8]) -> String {
    let mut out = String::new();
    for (index, part) in path.split(|byte| *byte == 0).enumerate() {
        match index % 2 {
            0 => out.push_str(&String::from_utf8_lossy(part)),
            _ => out.push_str(&format!("${{{}}}", String::from_utf8_lossy(part))),
        }
    }
    out
}

/// What is known of one rule's condition. Its alternatives are `paths` and, when `more` says so, others.
#[derive(Debug, Default)]
pub(super) struct Condition {
    pub(super) paths: Vec<PathTest>,
    pub(super) more: bool,
}

#[derive(Debug, Default)]
struct Rules {
    filtered: Vec<usize>,
    unfiltered: Vec<usize>,
    /// The newest rule that surely takes effect, by the path that it names.
    exact: HashMap<Vec<u8>, usize>,
    subpath: HashMap<Vec<u8>, usize>,
    allows: Allows,
    /// A filtered deny is among them.
    denies: bool,
    /// An unfiltered rule is among them that may not take effect.
    unsure_fallback: bool,
}

/// What the allow rules of one operation may open.
#[derive(Debug, Default)]
struct Allows {
    /// One has no filter, or filters that are not known.
    anything: bool,
    exact: HashSet<Vec<u8>>,
    subpath: HashSet<Vec<u8>>,
    prefix: Vec<Vec<u8>>,
}

impl Allows {
    fn add(&mut self, test: &PathTest) {
        match test.form {
            FilterForm::Exact => {
                self.exact.insert(test.path.clone());
            }
            FilterForm::Subpath => {
                self.subpath.insert(test.path.clone());
            }
            // A list that long is not worth a search: it opens much.
            FilterForm::Prefix if self.prefix.len() < MOST_PREFIXES => self.prefix.push(test.path.clone()),
            _ => self.anything = true,
        }
    }

    fn may(&self, path: &[u8]) -> bool {
        self.anything
            || self.exact.contains(path)
            || [path, b"/"].into_iter().chain(parents(path)).any(|up| self.subpath.contains(up))
            || self.prefix.iter().any(|prefix| path.starts_with(prefix))
    }
}

/// What the order of decision needs of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked {
    pub(super) node: NodeId,
    pub(super) action: Action,
    pub(super) place: Place,
    pub(super) modified: bool,
}

/// The rules of a text by operation. Rules are named by their number in [`Index::rules`].
pub(super) struct Order {
    target: &'static Target,
    version: u8,
    rules: Vec<Ranked>,
    conditions: Vec<Condition>,
    operations: HashMap<OpId, Rules>,
    budget: Cell<u32>,
}

impl Order {
    pub(super) fn new<'a>(tree: &'a Tree, index: &Index<'a>, target: &'static Target, version: u8) -> Self {
        let mut conditions: Vec<Condition> = index.rules.iter().map(|_| Condition::default()).collect();
        let mut counted = vec![0; index.rules.len()];
        for call in &index.calls {
            let Some((at, rule)) = call.rule.and_then(|at| Some((at, index.rules.get(at)?))) else { continue };
            if rule.with_filter || rule.filters.binary_search(&call.node).is_err() {
                continue;
            }
            if let Some(tests) = path_tests(tree, index, target, call) {
                conditions[at].paths.extend(tests);
                counted[at] += 1;
            }
        }
        let mut operations: HashMap<OpId, Rules> = HashMap::new();
        for (at, rule) in index.rules.iter().enumerate() {
            conditions[at].more = rule.with_filter || !rule.opaque.is_empty() || counted[at] < rule.filters.len();
            if matches!(rule.place, Place::MessageFilter) {
                continue;
            }
            for id in rule.operations.iter().filter_map(|named| named.id) {
                let entry = operations.entry(id).or_default();
                if rule.unfiltered() { &mut entry.unfiltered } else { &mut entry.filtered }.push(at);
                entry.unsure_fallback |= rule.unfiltered() && rule.place != Place::Sure;
                entry.denies |= rule.action == Action::Deny && !rule.unfiltered();
                if rule.action == Action::Allow {
                    entry.allows.anything |= rule.unfiltered() || conditions[at].more;
                    conditions[at].paths.iter().for_each(|test| entry.allows.add(test));
                }
                for test in conditions[at].paths.iter().filter(|_| rule.place == Place::Sure) {
                    match test.form {
                        FilterForm::Exact => entry.exact.insert(test.path.clone(), at),
                        FilterForm::Subpath => entry.subpath.insert(test.path.clone(), at),
                        _ => None,
                    };
                }
            }
        }
        let ranked = |rule: &RuleForm<'_>| Ranked {
            node: rule.node,
            action: rule.action,
            place: rule.place,
            modified: !rule.modifiers.is_empty(),
        };
        let rules = index.rules.iter().map(ranked).collect();
        Self { target, version, rules, conditions, operations, budget: Cell::new(BUDGET) }
    }

    /// The condition of the rule numbered `at`.
    pub(super) fn condition(&self, at: usize) -> &Condition {
        &self.conditions[at]
    }

    /// The rule numbered `at`.
    pub(super) fn rule(&self, at: usize) -> Ranked {
        self.rules[at]
    }

    /// The unfiltered rules that name `operation`, oldest first.
    pub(super) fn unfiltered(&self, operation: OpId) -> &[usize] {
        self.operations.get(&operation).map_or(&[], |rules| &rules.unfiltered)
    }

    /// The filtered rules that name `operation`, oldest first.
    pub(super) fn filtered(&self, operation: OpId) -> &[usize] {
        self.operations.get(&operation).map_or(&[], |rules| &rules.filtered)
    }

    /// The newest sure rule on `operation` that matches everything that `test` matches.
    pub(super) fn newest_cover(&self, operation: OpId, test: &PathTest) -> Option<usize> {
        let rules = self.operations.get(&operation)?;
        let same = (test.form == FilterForm::Exact).then(|| rules.exact.get(&test.path)).flatten();
        // What a prefix matches is below a directory only from its last slash on.
        let whole = (test.form != FilterForm::Prefix).then_some(&test.path[..]);
        let above = whole.into_iter().chain(parents(&test.path)).chain([&b"/"[..]]);
        above.filter_map(|path| rules.subpath.get(path)).chain(same).max().copied()
    }

    /// True when a filtered deny names `operation`.
    pub(super) fn denies(&self, operation: OpId) -> bool {
        self.operations.get(&operation).is_some_and(|rules| rules.denies)
    }

    /// True when some allow rule may open the file `path` for `operation`, whatever other rules say.
    pub(super) fn may_allow(&self, operation: OpId, path: &[u8]) -> bool {
        self.target.lineage(operation).filter_map(|id| self.operations.get(&id)).any(|rules| rules.allows.may(path))
    }

    /// What the profile's own fallback of `operation` is; `None` when the text does not settle it.
    pub(super) fn fallback(&self, operation: OpId) -> Option<Action> {
        for id in self.target.lineage(operation) {
            let unfiltered = self.unfiltered(id);
            if self.operations.get(&id).is_some_and(|rules| rules.unsure_fallback) {
                return None;
            }
            if let Some(&at) = unfiltered.last() {
                return Some(self.rules[at].action);
            }
            let info = self.target.operation(id);
            if info.prelude >= self.version {
                return Some(Action::Allow);
            }
            if let Some(own) = info.own {
                return Some(own);
            }
        }
        None
    }

    /// The answer for `operation` on the file `path`; `None` when the text does not settle it.
    pub(super) fn decide(&self, operation: OpId, path: &[u8]) -> Option<Action> {
        let (mut may_allow, mut may_deny) = (false, false);
        let answer = 'lineage: {
            for id in self.target.lineage(operation) {
                for &at in self.filtered(id).iter().rev() {
                    self.budget.set(self.budget.get().checked_sub(1)?);
                    let (rule, condition) = (&self.rules[at], &self.conditions[at]);
                    let hit = condition.paths.iter().any(|test| test.matches(path));
                    if hit && rule.place == Place::Sure {
                        break 'lineage rule.action;
                    }
                    if hit || condition.more {
                        match rule.action {
                            Action::Allow => may_allow = true,
                            Action::Deny => may_deny = true,
                        }
                    }
                }
                if !self.unfiltered(id).is_empty() || self.target.operation(id).prelude >= self.version {
                    break 'lineage self.fallback(id)?;
                }
            }
            self.fallback(operation)?
        };
        match answer {
            Action::Allow if may_deny => None,
            Action::Deny if may_allow => None,
            answer => Some(answer),
        }
    }
}

/// The paths of a call of the path filter in an "or"; `None` for anything else.
fn path_tests<'a>(tree: &'a Tree, index: &Index<'a>, target: &Target, call: &FilterCall<'a>) -> Option<Vec<PathTest>> {
    if call.form == FilterForm::Regex || target.filter_name(call.id) != "path" {
        return None;
    }
    tree.children(call.node)
        .skip(1)
        .map(|node| {
            let written = symbolic(tree, &Text::of(tree, index, node)).filter(|path| path.len() <= LONGEST_PATH)?;
            let path = if target.folds_case() { written.to_ascii_lowercase() } else { written.clone() };
            Some(PathTest { node, form: call.form, path, written })
        })
        .collect()
}

fn symbolic(tree: &Tree, text: &Text<'_>) -> Option<Vec<u8>> {
    let mut path = Vec::new();
    for piece in &text.pieces {
        match piece {
            Piece::Bytes { bytes, .. } => path.extend(bytes.iter().filter(|byte| **byte != 0)),
            Piece::Param { node } => match tree.datum(tree.children(*node).nth(1)?)? {
                crate::syntax::Atom::String(name) => {
                    path.push(0);
                    path.extend(name.iter().filter(|byte| !matches!(**byte, 0 | b'/')));
                    path.push(0);
                }
                _ => return None,
            },
            _ => return None,
        }
    }
    while path.len() > 1 && path.last() == Some(&b'/') {
        path.pop();
    }
    Some(path)
}
