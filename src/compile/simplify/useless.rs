//! A test whose ways lead to the same place is replaced by that place, as a root too (`spec/codegen-rules.md` §5.2) [certain].
//!
//! This is how rules that say what follows anyway disappear (`mach_simple_*`, `flow_divert_*`, `airlock_system_fcntl_matrix`).

use super::order::Scan;
use crate::compile::graph::{Graph, NodeId};

/// Replaces every such test; true when there was one. `scan` is that of the graph, or one from before edges were moved forward, which
/// still has parents before children.
pub(super) fn pass(graph: &mut Graph, scan: &Scan) -> bool {
    let mut instead: Vec<NodeId> = (0..graph.len() as u32).map(NodeId).collect();
    let mut changed = false;
    // Children first: what an edge leads to is final when it is looked at.
    for &id in scan.order().iter().rev() {
        let Some(mut node) = graph.test_node(id) else { continue };
        node.matched = instead[node.matched.index()];
        node.unmatched = instead[node.unmatched.index()];
        graph.set(id, node);
        if node.matched == node.unmatched {
            instead[id.index()] = node.matched;
            changed = true;
        }
    }
    if changed {
        graph.change_roots(|root| instead[root.index()]);
    }
    changed
}
