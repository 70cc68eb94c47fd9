//! Neighbours change places when the second test is cheaper (`spec/codegen-rules.md` §5.3) [likely; 8 cases need it].
//!
//! p is followed by q, which has no other way in and is no root (without that demand `metafilter_any`, `bsd_broader` and
//! `param_write_gate_*` break), and q costs less. Four shapes are a commutative "and" or "or":
//!
//! | shape | condition | case |
//! | --- | --- | --- |
//! | p or q | q = else of p, same match | `probe_v1b_file_require_any_pad` |
//! | p and q | q = match of p, same else | |
//! | p and not q | q = match of p, q's match = p's else | `sample` |
//! | q and not p | q = else of p, q's else = p's match | `deny_except_tmp` |
//!
//! Tests of equal cost stay as they are: source order of `require-all` and `require-any` on sockets (`net_*_order2`).

use super::Edit;
use super::decided::follow;
use super::exclude::Exclusions;
use super::facts::Facts;
use super::order::Scan;
use crate::compile::graph::{Graph, NodeId, TestId, TestNode};

/// Exchanges `id` with one of its successors if that is possible.
pub(super) fn edit(graph: &mut Graph, scan: &Scan, exclusions: &mut Exclusions, id: NodeId) -> Edit {
    let Some(p) = graph.test_node(id) else { return Edit::None };
    let Some((second, first, then)) = exchanged(graph, scan, exclusions, id, p) else { return Edit::None };
    graph.set(id, first);
    graph.set(second, then);
    if decides(graph, exclusions, first, second, then) { Edit::Restart } else { Edit::Local }
}

/// The node that moves, and what stands at `p`'s place and at its place afterwards.
fn exchanged(
    graph: &Graph,
    scan: &Scan,
    exclusions: &Exclusions,
    id: NodeId,
    p: TestNode,
) -> Option<(NodeId, TestNode, TestNode)> {
    // What is reached behind one of the two only would find something else loaded.
    let loads = |before: TestId, after: TestId, beside: NodeId| {
        [before, after].iter().any(|test| exclusions.is_load(*test)) && exclusions.looks_back(graph, beside)
    };
    let cheaper = |second: NodeId| {
        let q = graph.test_node(second)?;
        let possible = second != id
            && scan.has_one_way_in(second)
            && exclusions.of(q.test).cost < exclusions.of(p.test).cost
            && !exclusions.depends(p.test, q.test)
            && !loads(p.test, q.test, if second == p.matched { p.unmatched } else { p.matched });
        possible.then_some(q)
    };
    if let Some(q) = cheaper(p.unmatched) {
        let second = p.unmatched;
        if q.matched == p.matched {
            let then = TestNode { test: p.test, ..q };
            return Some((second, TestNode { test: q.test, ..p }, then));
        }
        if q.unmatched == p.matched {
            let first = TestNode { test: q.test, matched: second, unmatched: p.matched };
            let then = TestNode { test: p.test, matched: p.matched, unmatched: q.matched };
            return Some((second, first, then));
        }
    }
    if let Some(q) = cheaper(p.matched) {
        let second = p.matched;
        if q.unmatched == p.unmatched {
            let then = TestNode { test: p.test, ..q };
            return Some((second, TestNode { test: q.test, ..p }, then));
        }
        if q.matched == p.unmatched {
            let first = TestNode { test: q.test, matched: p.unmatched, unmatched: second };
            let then = TestNode { test: p.test, matched: q.unmatched, unmatched: p.unmatched };
            return Some((second, first, then));
        }
    }
    None
}

/// Whether an edge of the two nodes can be moved now. Facts from above decide nothing new, so the two outcomes are enough.
fn decides(graph: &Graph, exclusions: &mut Exclusions, first: TestNode, second: NodeId, then: TestNode) -> bool {
    let mut facts = Facts::none(graph.test_count());
    for (outcome, end) in [(true, first.matched), (false, first.unmatched)] {
        let learnt = exclusions.learn(&mut facts, first.test, outcome);
        if follow(graph, exclusions, &facts, end) != end {
            return true;
        }
        if end == second {
            for (outcome, end) in [(true, then.matched), (false, then.unmatched)] {
                let learnt = exclusions.learn(&mut facts, then.test, outcome);
                if follow(graph, exclusions, &facts, end) != end {
                    return true;
                }
                exclusions.unlearn(&mut facts, learnt);
            }
        }
        exclusions.unlearn(&mut facts, learnt);
    }
    false
}
