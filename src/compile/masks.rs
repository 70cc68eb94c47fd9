//! Number masks in front of system-call programs (`spec/codegen-rules.md` §6).
//!
//! - [certain] For `syscall-unix`, `syscall-mach`, `syscall-mig` and `system-fcntl`: when the simplified program is not constant and
//!   tests the number, every number of the universe for which *all* ways end in a plain allow goes into a mask. If there is one,
//!   the new root is "number in mask", which leads to an allow terminal of its own, else to the program without the tests of
//!   masked numbers (`airlock_system_fcntl*`, `default_v2`).
//! - [certain] The universe of `system-fcntl` on 14.4 is 0 to 111; other numbers stay tests.
//! - [open] The other universes matter under an allow fallback only; P17 has 0 to 555 (unix) and 0 to 100 (traps).

use std::collections::{HashMap, HashSet};

use super::CompileError;
use super::graph::{Argument, Graph, Node, NodeId, TestKey, TestNode};
use crate::vocab::{FilterId, Target};

/// One operation whose program gets a mask.
struct Masked {
    operation: &'static str,
    filter: FilterId,
    /// The first number that is not in the universe.
    end: u16,
    /// A golden case shows the universe.
    proven: bool,
}

/// Rows in operation order.
const MASKED: &[Masked] = &[
    Masked { operation: "syscall-unix", filter: FilterId(65), end: 558, proven: false },
    Masked { operation: "syscall-mach", filter: FilterId(75), end: 101, proven: false },
    Masked { operation: "syscall-mig", filter: FilterId(76), end: 349, proven: false },
    Masked { operation: "system-fcntl", filter: FilterId(78), end: 112, proven: true },
];

/// Puts masks in front of the programs. True when a universe that no case shows had a part in it.
pub(super) fn add(graph: &mut Graph, target: &Target) -> Result<bool, CompileError> {
    let mut unproven = false;
    for row in MASKED {
        let Some(operation) = target.operation_named(row.operation) else { continue };
        let index = usize::from(operation.0);
        let Some(&root) = graph.operations.get(index) else { continue };
        if !tests_number(graph, root, row.filter) {
            continue;
        }
        let mask: Vec<u16> = (0..row.end).filter(|&number| allowed(graph, root, row.filter, number)).collect();
        if mask.is_empty() {
            continue;
        }
        let rest = without(graph, root, row.filter, &mask)?;
        let fresh = Node::Terminal(graph.terminals.fresh_allow());
        let matched = graph.fresh(fresh)?;
        unproven |= !row.proven && mask.iter().any(|&number| !is_tested(graph, root, row.filter, number));
        let test = graph.intern_test(TestKey { filter: row.filter, argument: Argument::Numbers(mask.into()) });
        graph.operations[index] = graph.fresh(Node::Test(TestNode { test, matched, unmatched: rest }))?;
    }
    Ok(unproven)
}

/// The nodes that `root` reaches, for which `follow` names the ways taken.
fn reach(graph: &Graph, root: NodeId, follow: impl Fn(TestNode) -> [Option<NodeId>; 2]) -> Vec<NodeId> {
    let mut seen = HashSet::from([root]);
    let mut order = vec![root];
    let mut at = 0;
    while let Some(&id) = order.get(at) {
        at += 1;
        let Some(node) = graph.test_node(id) else { continue };
        order.extend(follow(node).into_iter().flatten().filter(|next| seen.insert(*next)));
    }
    order
}

fn both(node: TestNode) -> [Option<NodeId>; 2] {
    [Some(node.matched), Some(node.unmatched)]
}

fn tests_number(graph: &Graph, root: NodeId, filter: FilterId) -> bool {
    let nodes = reach(graph, root, both);
    nodes.iter().any(|&id| graph.test_node(id).is_some_and(|node| graph.test(node.test).filter == filter))
}

fn is_tested(graph: &Graph, root: NodeId, filter: FilterId, number: u16) -> bool {
    let tests = |id: NodeId| graph.test_node(id).and_then(|node| outcome(graph, node, filter, number));
    reach(graph, root, both).into_iter().any(|id| tests(id) == Some(true))
}

/// The outcome of a test of `filter` for `number`; `None` for other tests.
fn outcome(graph: &Graph, node: TestNode, filter: FilterId, number: u16) -> Option<bool> {
    let key = graph.test(node.test);
    match &key.argument {
        Argument::Integer(value) if key.filter == filter => Some(*value == number),
        Argument::Numbers(values) if key.filter == filter => Some(values.contains(&number)),
        _ => None,
    }
}

fn allowed(graph: &Graph, root: NodeId, filter: FilterId, number: u16) -> bool {
    let ways = |node: TestNode| match outcome(graph, node, filter, number) {
        Some(true) => [Some(node.matched), None],
        Some(false) => [Some(node.unmatched), None],
        None => both(node),
    };
    reach(graph, root, ways)
        .into_iter()
        .filter(|&id| graph.test_node(id).is_none())
        .all(|terminal| graph.is_plain_allow(terminal))
}

/// The program for numbers outside `mask`. Nodes in which nothing changes stay shared; the others are copies.
fn without(graph: &mut Graph, root: NodeId, filter: FilterId, mask: &[u16]) -> Result<NodeId, CompileError> {
    let mut done: HashMap<NodeId, NodeId> = HashMap::new();
    let mut pending = vec![root];
    while let Some(&id) = pending.last() {
        let Some(node) = graph.test_node(id) else {
            done.insert(id, id);
            pending.pop();
            continue;
        };
        let key = graph.test(node.test);
        let masked = key.filter == filter
            && match &key.argument {
                Argument::Integer(value) => mask.contains(value),
                Argument::Numbers(values) => values.iter().all(|value| mask.contains(value)),
                _ => false,
            };
        match (done.get(&node.matched).copied(), done.get(&node.unmatched).copied()) {
            (_, Some(unmatched)) if masked => {
                done.insert(id, unmatched);
                pending.pop();
            }
            (Some(matched), Some(unmatched)) => {
                let new = if matched == unmatched {
                    matched
                } else if (matched, unmatched) == (node.matched, node.unmatched) {
                    id
                } else {
                    graph.fresh(Node::Test(TestNode { test: node.test, matched, unmatched }))?
                };
                done.insert(id, new);
                pending.pop();
            }
            (matched, unmatched) => {
                if unmatched.is_none() {
                    pending.push(node.unmatched);
                }
                if matched.is_none() && !masked {
                    pending.push(node.matched);
                }
            }
        }
    }
    Ok(done.get(&root).copied().unwrap_or(root))
}
