//! Which outcome a known outcome decides (`spec/codegen-rules.md` §5.1).
//!
//! [certain] After a match of a single-valued filter (a column of the filter table, `spec/blob-format.md` §10.4) a test of the same
//! filter fails when no value fits both: another number, patterns without a common string (`v3_two_filters`).
//! [guess] `global-name` and `local-name` exclude each other (a column of the table, no case).

use std::collections::{HashMap, HashSet};

use super::facts::Facts;
use crate::compile::graph::{Argument, Graph, NodeId, TestId, TestKey};
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

    /// Adds an outcome to `facts`; what it gives takes the outcome back with [`Exclusions::unlearn`].
    pub(super) fn learn(&self, graph: &Graph, facts: &mut Facts, test: TestId, outcome: bool) -> Learnt {
        let mut learnt = Learnt { test, outcome, forgotten: Vec::new(), loaded: facts.loaded };
        facts.add(test, outcome);
        if outcome && self.is_load(graph, test) {
            let loads = Some(graph.test(test).filter);
            let depends = |test: &TestId| self.required(graph.test(*test).filter) == loads;
            learnt.forgotten = facts.matched().filter(depends).map(|test| (test, true)).collect();
            learnt.forgotten.extend(facts.unmatched().filter(depends).map(|test| (test, false)));
            learnt.forgotten.iter().for_each(|&(test, outcome)| facts.remove(test, outcome));
            facts.loaded = Some(test);
        }
        learnt
    }

    /// Takes back what was learnt last.
    pub(super) fn unlearn(&self, facts: &mut Facts, learnt: Learnt) {
        facts.remove(learnt.test, learnt.outcome);
        learnt.forgotten.iter().for_each(|&(test, outcome)| facts.add(test, outcome));
        facts.loaded = learnt.loaded;
    }

    /// Whether a match of `test` is what tests of a value look back at (`%entitlement-load`).
    pub(super) fn is_load(&self, graph: &Graph, test: TestId) -> bool {
        self.is_required(graph.test(test).filter)
    }

    /// Whether some way from `from` comes to a test of a value before anything is loaded: what was loaded before is looked at.
    pub(super) fn looks_back(&self, graph: &Graph, from: NodeId) -> bool {
        let mut seen = HashSet::new();
        let mut todo = vec![from];
        while let Some(id) = todo.pop() {
            let Some(node) = graph.test_node(id).filter(|_| seen.insert(id)) else { continue };
            if self.required(graph.test(node.test).filter).is_some() {
                return true;
            }
            todo.push(node.unmatched);
            if !self.is_load(graph, node.test) {
                todo.push(node.matched);
            }
        }
        false
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

/// What one outcome changed in the facts.
#[must_use]
pub(super) struct Learnt {
    test: TestId,
    outcome: bool,
    /// Outcomes that it made unknown.
    forgotten: Vec<(TestId, bool)>,
    /// What was loaded before.
    loaded: Option<TestId>,
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
