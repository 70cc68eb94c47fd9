//! The order in which nodes are looked at, and how many ways lead into each.
//!
//! [used by the reference pipeline] Reverse of "visit match, visit else, then list the node", from the roots in operation
//! order. Every node stands before what it leads to; among siblings the else side comes first.

use crate::compile::graph::{Graph, NodeId};

/// Nodes that a root reaches, in scan order, with their entries.
pub(crate) struct Scan {
    order: Vec<NodeId>,
    /// By node: edges and root entries that lead to it.
    entries: Vec<u32>,
    /// By node: whether it is a root.
    roots: Vec<bool>,
}

impl Scan {
    /// Walks `graph`.
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut order = Vec::with_capacity(graph.len());
        let mut entries = vec![0_u32; graph.len()];
        let mut roots = vec![false; graph.len()];
        let mut pending: Vec<(NodeId, bool)> = Vec::new();
        for root in graph.roots() {
            roots[root.index()] = true;
            pending.push((root, false));
            while let Some((id, leave)) = pending.pop() {
                if leave {
                    order.push(id);
                    continue;
                }
                entries[id.index()] += 1;
                if entries[id.index()] > 1 {
                    continue;
                }
                pending.push((id, true));
                if let Some(node) = graph.test_node(id) {
                    pending.push((node.unmatched, false));
                    pending.push((node.matched, false));
                }
            }
        }
        order.reverse();
        Self { order, entries, roots }
    }

    /// Parents before children.
    pub(crate) fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// How many edges and operations lead to `id`; 0 when nothing does any more.
    pub(crate) fn entries(&self, id: NodeId) -> u32 {
        self.entries[id.index()]
    }

    /// Whether an operation or a message filter starts at `id`.
    pub(crate) fn is_root(&self, id: NodeId) -> bool {
        self.roots[id.index()]
    }

    /// Exactly one edge leads to `id` and no operation starts there.
    pub(crate) fn has_one_way_in(&self, id: NodeId) -> bool {
        self.entries[id.index()] == 1 && !self.roots[id.index()]
    }

    /// `id` was taken out: its edges do not count any more.
    pub(crate) fn removed(&mut self, id: NodeId) {
        self.entries[id.index()] = 0;
    }

    /// An edge to `id` is gone.
    pub(crate) fn left(&mut self, id: NodeId) {
        self.entries[id.index()] = self.entries[id.index()].saturating_sub(1);
    }
}
