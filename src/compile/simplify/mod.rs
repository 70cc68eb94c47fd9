//! Simplifying a graph in place (`spec/codegen-rules.md` §5).
//!
//! Until nothing changes: [`decided`] tests are passed over and [`useless`] ones removed, both over all nodes; then nodes are
//! scanned from the roots in [`order`], and the first possible edit is made: [`unite`] two string tests, else [`exchange`] two
//! neighbours by [`cost`]. Then everything starts again. Scanning from the leaves breaks `f2_right_and_preference_names` and
//! `bsd_tag26_matrix`.
//!
//! Starting again is cut short where it cannot find anything, which keeps large profiles fast and changes no result:
//! a union makes decisions possible only when its test exists elsewhere or its target is a test (which loses a way in); an
//! exchange only on the edges of the two nodes, whose joint ways keep their common facts. What is known at each node stays from one
//! pass to the next, and only what can have changed is looked at ([`kept`]). One scan serves both passes, and when they changed nothing
//! the edits behind them: no pass depends on which order with parents before children it goes through.
//!
//! **Invariants:** every step keeps what the graph decides; no step adds an edge against the scan order, so there is no cycle.

mod cost;
mod decided;
mod edges;
mod exchange;
mod exclude;
mod facts;
mod kept;
pub(crate) mod order;
mod properties;
mod unite;
mod useless;

use super::graph::{Graph, NodeId};
use super::{CompileError, Limits};
use exclude::Exclusions;
use facts::Facts;
use kept::Kept;
use order::Scan;

/// What an edit at a node did.
enum Edit {
    None,
    /// Something changed, and no test can have become decided.
    Local,
    /// Something changed; tests may have become decided.
    Restart,
}

/// Most words of facts that are kept from one pass to the next (64 MiB); a larger graph finds them anew each time.
const MAX_KEPT: usize = 1 << 23;

/// Simplifies `graph`.
pub(super) fn simplify(
    graph: &mut Graph,
    target: &'static crate::vocab::Target,
    limits: &Limits,
) -> Result<(), CompileError> {
    simplify_keeping(graph, target, limits, MAX_KEPT).map(|_steps| ())
}

/// The same with another bound for what is kept, which changes no result; how many steps it took.
fn simplify_keeping(
    graph: &mut Graph,
    target: &'static crate::vocab::Target,
    limits: &Limits,
    max_kept: usize,
) -> Result<usize, CompileError> {
    let mut exclusions = Exclusions::new(graph, target);
    let mut kept = Kept::default();
    let mut work = 0_usize;
    loop {
        let scan = loop {
            let scan = Scan::of(graph);
            let moved = if scan.order().len().saturating_mul(Facts::words(graph.test_count())) > max_kept {
                kept = Kept::default();
                decided::pass(graph, &mut exclusions, &scan)
            } else {
                kept.pass(graph, &mut exclusions, &scan)
            };
            if !(moved | useless::pass(graph, &scan)) {
                break scan;
            }
        };
        if !edit(graph, scan, &mut exclusions, limits, &mut work)? {
            return Ok(work);
        }
    }
}

/// Makes edits until one may have decided a test (true) or none is possible (false). `scan` is that of the graph.
fn edit(
    graph: &mut Graph,
    mut scan: Scan,
    exclusions: &mut Exclusions,
    limits: &Limits,
    work: &mut usize,
) -> Result<bool, CompileError> {
    loop {
        let mut exchanged = false;
        // The walk itself counts, or many edits near the roots would be free.
        *work = work.saturating_add(scan.order().len());
        for at in 0..scan.order().len() {
            *work += 1;
            if *work > limits.work {
                return Err(CompileError::Limit { what: "steps of simplification", limit: limits.work });
            }
            let node: NodeId = scan.order()[at];
            if scan.entries(node) == 0 {
                continue;
            }
            match unite::edit(graph, &mut scan, exclusions.tests(), node)? {
                Edit::None => {}
                Edit::Restart => return Ok(true),
                Edit::Local => {}
            }
            match exchange::edit(graph, &scan, exclusions, node) {
                Edit::None => {}
                Edit::Restart => return Ok(true),
                Edit::Local => {
                    exchanged = true;
                    break;
                }
            }
        }
        if !exchanged {
            return Ok(false);
        }
        scan = Scan::of(graph);
    }
}

#[cfg(test)]
mod tests;
