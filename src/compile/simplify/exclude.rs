//! Which outcome a known outcome decides (`spec/codegen-rules.md` §5.1).
//!
//! [certain] After a match of a single-valued filter (a column of the filter table, `spec/blob-format.md` §10.4) a test of the same
//! filter fails when no value fits both: another number, patterns without a common string (`v3_two_filters`).
//! [ours] Whatever variables stand for: what follows one that may have several values is not compared (`compile::patterns`).
//! [guess] `global-name` and `local-name` exclude each other (a column of the table, no case).

use std::collections::{HashMap, HashSet};

use super::facts::Facts;
use super::properties::{Properties, Table};
use crate::compile::graph::{Argument, Graph, NodeId, TestId, TestKey};
use crate::compile::patterns;
use crate::vocab::Target;

/// The exclusions of one graph's tests, with what was found out so far.
pub(super) struct Exclusions {
    tests: Table,
    known: HashMap<(TestId, TestId), bool>,
}

impl Exclusions {
    pub(super) fn new(graph: &Graph, target: &'static Target) -> Self {
        let mut tests = Table::new(target);
        tests.update(graph);
        Self { tests, known: HashMap::new() }
    }

    /// What is known of the tests; [`Table::update`] is due after each new one.
    pub(super) fn tests(&mut self) -> &mut Table {
        &mut self.tests
    }

    /// The properties of a test.
    pub(super) fn of(&self, test: TestId) -> &Properties {
        self.tests.of(test)
    }

    /// The outcome of `test` when `facts` hold.
    pub(super) fn outcome(&mut self, graph: &Graph, facts: &Facts, test: TestId) -> Option<bool> {
        if let Some(outcome) = facts.outcome(test) {
            return Some(outcome);
        }
        let properties = self.of(test);
        if !properties.single_valued && !properties.contrary {
            return None;
        }
        facts.with_outcome(true).any(|matched| self.excludes(graph, matched, test)).then_some(false)
    }

    /// Whether a match of `matched` means that `other` fails.
    fn excludes(&mut self, graph: &Graph, matched: TestId, other: TestId) -> bool {
        let (a, b) = (self.of(matched), self.of(other));
        if a.filter != b.filter {
            return a.contrary && b.contrary;
        }
        if !a.single_valued {
            return false;
        }
        let (a, b) = (graph.test(matched), graph.test(other));
        *self.known.entry((matched, other)).or_insert_with(|| disjoint(graph, a, b))
    }

    /// Adds an outcome to `facts`; what it gives takes the outcome back with [`Exclusions::unlearn`].
    pub(super) fn learn(&self, facts: &mut Facts, test: TestId, outcome: bool) -> Learnt {
        let mut learnt = Learnt { test, outcome, forgotten: Vec::new(), loaded: facts.loaded };
        facts.add(test, outcome);
        if outcome && self.is_load(test) {
            let loads = Some(self.of(test).filter);
            let depends = |test: &TestId| self.of(*test).requires == loads;
            learnt.forgotten = facts.with_outcome(true).filter(depends).map(|test| (test, true)).collect();
            learnt.forgotten.extend(facts.with_outcome(false).filter(depends).map(|test| (test, false)));
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
    pub(super) fn is_load(&self, test: TestId) -> bool {
        self.of(test).loads
    }

    /// Whether some way from `from` comes to a test of a value before anything is loaded: what was loaded before is looked at.
    pub(super) fn looks_back(&self, graph: &Graph, from: NodeId) -> bool {
        let mut seen = HashSet::new();
        let mut todo = vec![from];
        while let Some(id) = todo.pop() {
            let Some(node) = graph.test_node(id).filter(|_| seen.insert(id)) else { continue };
            if self.of(node.test).requires.is_some() {
                return true;
            }
            todo.push(node.unmatched);
            if !self.is_load(node.test) {
                todo.push(node.matched);
            }
        }
        false
    }

    /// Whether one of the two tests means something only after one of the other's filter.
    pub(super) fn depends(&self, a: TestId, b: TestId) -> bool {
        let (a, b) = (self.of(a), self.of(b));
        a.requires == Some(b.filter) || b.requires == Some(a.filter)
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
fn disjoint(graph: &Graph, a: &TestKey, b: &TestKey) -> bool {
    match (&a.argument, &b.argument) {
        (Argument::Integer(a), Argument::Integer(b)) => a != b,
        (Argument::Integer(a), Argument::Numbers(b)) | (Argument::Numbers(b), Argument::Integer(a)) => !b.contains(a),
        (Argument::Numbers(a), Argument::Numbers(b)) => !a.iter().any(|number| b.contains(number)),
        (Argument::String(a), Argument::String(b)) => a != b,
        (Argument::Pattern(a), Argument::Pattern(b)) => {
            let names = &graph.vocabulary.variables;
            patterns::disjoint(&a.tree, &b.tree, |number| names.get_index(number.into()).map(Vec::as_slice))
        }
        _ => false,
    }
}
