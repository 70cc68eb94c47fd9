//! The ways into each node, while edges are moved.

use crate::compile::graph::NodeId;

/// An edge: the way out of a node at one outcome of its test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) start: NodeId,
    pub(super) outcome: bool,
}

impl Edge {
    fn index(self) -> usize {
        self.start.index() * 2 + usize::from(self.outcome)
    }

    fn at(index: u32) -> Self {
        Self { start: NodeId(index / 2), outcome: index % 2 == 1 }
    }
}

/// By node the list of the edges that lead to it, linked both ways, so that an edge leaves and comes at once.
#[derive(Debug, Default)]
pub(super) struct EdgesInto {
    first: Vec<Option<u32>>,
    next: Vec<Option<u32>>,
    before: Vec<Option<u32>>,
}

impl EdgesInto {
    /// Makes room for `nodes` nodes.
    pub(super) fn grow(&mut self, nodes: usize) {
        self.first.resize(nodes, None);
        self.next.resize(nodes * 2, None);
        self.before.resize(nodes * 2, None);
    }

    /// `edge`, which is in no list, leads to `end` now.
    pub(super) fn add(&mut self, edge: Edge, end: NodeId) {
        let this = Some(edge.index() as u32);
        let first = self.first[end.index()];
        self.next[edge.index()] = first;
        self.before[edge.index()] = None;
        if let Some(first) = first {
            self.before[first as usize] = this;
        }
        self.first[end.index()] = this;
    }

    /// `edge` does not lead to `end` any more, as it did.
    pub(super) fn remove(&mut self, edge: Edge, end: NodeId) {
        let (before, next) = (self.before[edge.index()], self.next[edge.index()]);
        match before {
            Some(before) => self.next[before as usize] = next,
            None => self.first[end.index()] = next,
        }
        if let Some(next) = next {
            self.before[next as usize] = before;
        }
    }

    /// The edges that lead to `end`.
    pub(super) fn of(&self, end: NodeId) -> impl Iterator<Item = Edge> + '_ {
        std::iter::successors(self.first[end.index()], |edge| self.next[*edge as usize]).map(Edge::at)
    }
}
