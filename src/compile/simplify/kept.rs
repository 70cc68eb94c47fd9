//! What [`super::decided`] finds, found again only where something changed.
//!
//! The facts of every node stay from one pass to the next. A pass compares the graph with the one that the last pass left and looks at
//! two kinds of nodes: *stale* ones, to which another set of ways leads or whose ways know something else, find their facts anew;
//! nodes to go over *again*, whose facts, content or next tests are not those of the last time, follow their edges anew.
//!
//! **Invariants:**
//! - After a pass the facts of a node that a root reaches are what all ways into it have in common, as `decided::pass` finds them. They
//!   depend on nothing else than the edges into the node, the facts and tests where these start, and whether it is a root; a change of
//!   any of it makes the node stale. What ways have in common does not depend on the order of the ways.
//! - Where an edge leads depends on the facts and the test of its start and on the tests that it is followed through; where it stays, this
//!   is one test. A test that loads what others look back at is the exception, as what is behind it counts too: an edge to such a
//!   test is followed in each pass.
//! - Parents stand before children in a scan and edges only move forward, so no node becomes stale after its turn.
//! - No edge of an unreached node is in [`EdgesInto`].

use super::decided::follow;
use super::edges::{Edge, EdgesInto};
use super::exclude::Exclusions;
use super::facts::Facts;
use super::order::Scan;
use crate::compile::graph::{Graph, NodeId, TestId, TestNode};

/// Tests that can be made before there must be more room for facts.
const SPARE_TESTS: usize = 256;

/// What the last pass left, by node.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// How many tests there is room for.
    tests: usize,
    nodes: Vec<NodeState>,
    /// What is known at a test that a root reaches.
    facts: Vec<Option<Facts>>,
    into: EdgesInto,
}

#[derive(Debug, Clone, Copy, Default)]
struct NodeState {
    /// The content, of a test that a root reaches.
    node: Option<TestNode>,
    is_root: bool,
    stale: bool,
    again: bool,
}

impl Kept {
    /// Moves every edge that can be moved; true when one was. `scan` is that of the graph.
    pub(super) fn pass(&mut self, graph: &mut Graph, exclusions: &mut Exclusions, scan: &Scan) -> bool {
        self.make_room(graph);
        self.compare(graph, scan);
        let mut known = Facts::none(self.tests);
        let mut common = Facts::none(self.tests);
        let mut changed = false;
        for &id in scan.order() {
            if self.nodes[id.index()].stale {
                self.find(exclusions, id, &mut known, &mut common);
            }
            if self.nodes[id.index()].again {
                changed |= self.go_over(graph, exclusions, id, &mut known);
            }
        }
        changed
    }

    /// What is known at a test after a pass.
    #[cfg(test)]
    pub(super) fn facts(&self, id: NodeId) -> Option<&Facts> {
        self.facts[id.index()].as_ref()
    }

    fn make_room(&mut self, graph: &Graph) {
        self.nodes.resize(graph.len(), NodeState::default());
        self.facts.resize(graph.len(), None);
        self.into.grow(graph.len());
        if graph.test_count() > self.tests {
            self.tests = graph.test_count() + SPARE_TESTS;
            self.facts.iter_mut().flatten().for_each(|facts| facts.widen(self.tests));
        }
    }

    /// Marks what other steps changed since the last pass.
    fn compare(&mut self, graph: &Graph, scan: &Scan) {
        let mut other_tests = Vec::new();
        for id in (0..graph.len() as u32).map(NodeId) {
            let state = &mut self.nodes[id.index()];
            let new = graph.test_node(id).filter(|_| scan.entries(id) > 0);
            let old = std::mem::replace(&mut state.node, new);
            let is_root = std::mem::replace(&mut state.is_root, scan.is_root(id));
            state.stale |= is_root != state.is_root || old.is_none();
            if old == new {
                continue;
            }
            state.again = new.is_some();
            self.unlink(id, old);
            self.link(id, new);
            if new.is_none() {
                self.facts[id.index()] = None;
            }
            if old.map(|old| old.test) != new.map(|new| new.test) {
                other_tests.push(id);
            }
        }
        for id in other_tests {
            for edge in self.into.of(id) {
                self.nodes[edge.start.index()].again = true;
            }
        }
    }

    /// The facts of a node whose parents have theirs.
    fn find(&mut self, exclusions: &Exclusions, id: NodeId, known: &mut Facts, common: &mut Facts) {
        let state = &mut self.nodes[id.index()];
        state.stale = false;
        let Some(node) = state.node else { return };
        let mut reached = state.is_root;
        if reached {
            common.clear();
        } else {
            for edge in self.into.of(id) {
                let start = edge.start.index();
                let (Some(facts), Some(node)) = (&self.facts[start], self.nodes[start].node) else { continue };
                known.copy(facts);
                leave(exclusions, known, node.test, edge.outcome);
                if reached {
                    common.keep_common(known);
                } else {
                    common.copy(known);
                }
                reached = true;
            }
        }
        if !reached {
            // Every way to it was moved past it.
            self.facts[id.index()] = None;
            self.nodes[id.index()] = NodeState::default();
            self.unlink(id, Some(node));
            return;
        }
        match &mut self.facts[id.index()] {
            Some(facts) if facts == common => return,
            Some(facts) => facts.copy(common),
            none => *none = Some(common.clone()),
        }
        self.nodes[id.index()].again = true;
        self.nodes[node.matched.index()].stale = true;
        self.nodes[node.unmatched.index()].stale = true;
    }

    /// Follows the edges of a node whose facts are known; true when one was moved.
    fn go_over(&mut self, graph: &mut Graph, exclusions: &mut Exclusions, id: NodeId, known: &mut Facts) -> bool {
        let (Some(old), Some(facts)) = (self.nodes[id.index()].node, &self.facts[id.index()]) else { return false };
        let mut node = old;
        let mut again = false;
        for outcome in [true, false] {
            known.copy(facts);
            leave(exclusions, known, node.test, outcome);
            let edge = if outcome { &mut node.matched } else { &mut node.unmatched };
            *edge = follow(graph, exclusions, known, *edge);
            again |= graph.test_node(*edge).is_some_and(|end| exclusions.is_load(end.test));
        }
        self.nodes[id.index()].again = again;
        if node == old {
            return false;
        }
        graph.set(id, node);
        self.nodes[id.index()].node = Some(node);
        self.unlink(id, Some(old));
        self.link(id, Some(node));
        true
    }

    fn link(&mut self, start: NodeId, node: Option<TestNode>) {
        for (outcome, end) in ends(node) {
            self.into.add(Edge { start, outcome }, end);
            self.nodes[end.index()].stale = true;
        }
    }

    fn unlink(&mut self, start: NodeId, node: Option<TestNode>) {
        for (outcome, end) in ends(node) {
            self.into.remove(Edge { start, outcome }, end);
            self.nodes[end.index()].stale = true;
        }
    }
}

fn ends(node: Option<TestNode>) -> impl Iterator<Item = (bool, NodeId)> {
    node.into_iter().flat_map(|node| [(true, node.matched), (false, node.unmatched)])
}

/// Adds to `facts` of a node what is known behind one of the outcomes of its `test`. That may have been known to match, where it stays
/// to load again.
fn leave(exclusions: &Exclusions, facts: &mut Facts, test: TestId, outcome: bool) {
    facts.remove(test, !outcome);
    let _kept = exclusions.learn(facts, test, outcome);
}
