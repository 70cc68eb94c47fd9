//! Tests whose outcome is already known are passed over (`spec/codegen-rules.md` §5.1).
//!
//! [certain] The facts of a node are the outcomes that *all* ways into it have in common; a root has none. An edge (the facts of
//! its start and the outcome that it stands for) that leads to a test with known outcome is moved past it, again and again.
//! 128 golden cases need it (the task operations); exclusion: `v3_two_filters`, `v5_literal_and_subpath`, `deny_except_tmp`.
//!
//! Known is: the same test; a test that a match of a single-valued filter excludes ([`super::exclude`]). Not known: what is
//! implied by a containment, anything after a non-match but the same test.
//!
//! Tests of an entitlement's value speak of the entitlement loaded last, so loading one makes them unknown again, and one that is
//! known to be there is loaded again where another one was since (ours; no case).

use super::exclude::Exclusions;
use super::facts::Facts;
use super::order::Scan;
use crate::compile::graph::{Graph, NodeId, TestNode};

/// Moves every edge that can be moved; true when one was. `scan` is that of the graph.
///
/// All facts are found anew. [`super::kept`] gives the same, and does so only where something may have changed.
pub(super) fn pass(graph: &mut Graph, exclusions: &mut Exclusions, scan: &Scan) -> bool {
    let mut facts: Vec<Option<Facts>> = vec![None; graph.len()];
    let tests = graph.test_count();
    for root in graph.roots() {
        facts[root.index()] = Some(Facts::none(tests));
    }
    let mut changed = false;
    for &id in scan.order() {
        // Without facts: every way to it was moved past it.
        let (Some(mut node), Some(mut known)) = (graph.test_node(id), facts[id.index()].take()) else { continue };
        for outcome in [true, false] {
            let edge = if outcome { &mut node.matched } else { &mut node.unmatched };
            let learnt = exclusions.learn(&mut known, node.test, outcome);
            let end = follow(graph, exclusions, &known, *edge);
            changed |= end != *edge;
            *edge = end;
            if graph.test_node(end).is_some() && !scan.is_root(end) {
                match &mut facts[end.index()] {
                    Some(common) => common.keep_common(&known),
                    none => *none = Some(known.clone()),
                }
            }
            exclusions.unlearn(&mut known, learnt);
        }
        graph.set(id, node);
    }
    changed
}

/// Where an edge to `end` leads when the outcomes in `known` are taken.
pub(super) fn follow(graph: &Graph, exclusions: &mut Exclusions, known: &Facts, mut end: NodeId) -> NodeId {
    while let Some(next) = graph.test_node(end) {
        match exclusions.outcome(graph, known, next.test) {
            Some(true) if loads_again(graph, exclusions, known, next) => break,
            Some(true) => end = next.matched,
            Some(false) => end = next.unmatched,
            None => break,
        }
    }
    end
}

/// Whether `node`, which is known to match, loads what tests behind it look at and what was not loaded last on every way.
pub(super) fn loads_again(graph: &Graph, exclusions: &Exclusions, known: &Facts, node: TestNode) -> bool {
    exclusions.is_load(node.test) && known.loaded != Some(node.test) && exclusions.looks_back(graph, node.matched)
}
