//! Which outcome a known outcome decides (`spec/codegen-rules.md` §5.1).
//!
//! [certain] After a match of a single-valued filter (a column of the filter table, `spec/blob-format.md` §10.4) a test of the same
//! filter fails when no value fits both: another number, patterns without a common string (`v3_two_filters`).
//! [guess] `global-name` and `local-name` exclude each other (a column of the table, no case).

use std::collections::HashMap;

use super::facts::Facts;
use crate::compile::graph::{Argument, Graph, TestId, TestKey};
use crate::compile::patterns;
use crate::vocab::{FilterId, Target};

/// The exclusions of one target, with what was found out so far.
pub(super) struct Exclusions {
    target: &'static Target,
    known: HashMap<(TestId, TestId), bool>,
}

impl Exclusions {
    pub(super) fn new(target: &'static Target) -> Self {
        Self { target, known: HashMap::new() }
    }

    pub(super) fn target(&self) -> &'static Target {
        self.target
    }

    /// The outcome of `test` when `facts` hold.
    pub(super) fn outcome(&mut self, graph: &Graph, facts: &Facts, test: TestId) -> Option<bool> {
        if let Some(outcome) = facts.outcome(test) {
            return Some(outcome);
        }
        let info = self.target.filter(graph.test(test).filter)?;
        if !info.single_valued && !info.contrary {
            return None;
        }
        facts.matched().any(|matched| self.excludes(graph, matched, test)).then_some(false)
    }

    /// Whether a match of `matched` means that `other` fails.
    fn excludes(&mut self, graph: &Graph, matched: TestId, other: TestId) -> bool {
        let (a, b) = (graph.test(matched), graph.test(other));
        if a.filter != b.filter {
            let contrary = |filter: FilterId| self.target.filter(filter).is_some_and(|info| info.contrary);
            return contrary(a.filter) && contrary(b.filter);
        }
        if !self.target.filter(a.filter).is_some_and(|info| info.single_valued) {
            return false;
        }
        *self.known.entry((matched, other)).or_insert_with(|| disjoint(a, b))
    }

    /// Adds an outcome to `facts` and gives those that it makes unknown.
    pub(super) fn learn(&self, graph: &Graph, facts: &mut Facts, test: TestId, outcome: bool) -> Vec<(TestId, bool)> {
        facts.add(test, outcome);
        if !outcome || !self.is_required(graph.test(test).filter) {
            return Vec::new();
        }
        let loaded = Some(graph.test(test).filter);
        let depends = |test: &TestId| self.required(graph.test(*test).filter) == loaded;
        let mut forgotten: Vec<(TestId, bool)> = facts.matched().filter(depends).map(|test| (test, true)).collect();
        forgotten.extend(facts.unmatched().filter(depends).map(|test| (test, false)));
        for &(test, outcome) in &forgotten {
            facts.remove(test, outcome);
        }
        forgotten
    }

    fn is_required(&self, filter: FilterId) -> bool {
        self.target.filters().iter().any(|info| info.requires == Some(filter))
    }

    fn required(&self, filter: FilterId) -> Option<FilterId> {
        self.target.filter(filter)?.requires
    }

    /// Whether a test of one of the two filters means something only after one of the other.
    pub(super) fn depends(&self, a: FilterId, b: FilterId) -> bool {
        self.required(a) == Some(b) || self.required(b) == Some(a)
    }
}

/// No value fits both.
fn disjoint(a: &TestKey, b: &TestKey) -> bool {
    match (&a.argument, &b.argument) {
        (Argument::Integer(a), Argument::Integer(b)) => a != b,
        (Argument::Integer(a), Argument::Numbers(b)) | (Argument::Numbers(b), Argument::Integer(a)) => !b.contains(a),
        (Argument::Numbers(a), Argument::Numbers(b)) => !a.iter().any(|number| b.contains(number)),
        (Argument::String(a), Argument::String(b)) => a != b,
        (Argument::Pattern(a), Argument::Pattern(b)) => patterns::disjoint(&a.tree, &b.tree),
        _ => false,
    }
}
