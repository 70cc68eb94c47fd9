use proptest::prelude::*;

use super::*;
use crate::compile::graph::{Node, TestId, TestKey, build};
use crate::compile::tests::{any_rule, is_true, literal, load, policy, rule};
use crate::policy::{Filter, Policy, Rule};
use crate::vocab::{Action, default_target};

impl Kept {
    /// What is known at a test.
    fn known_at(&self, id: NodeId) -> Option<(Vec<TestId>, Vec<TestId>, Option<TestId>)> {
        let facts = self.facts(id)?;
        Some((facts.with_outcome(true).collect(), facts.with_outcome(false).collect(), facts.loaded))
    }
}

/// What the roots lead to: nodes in scan order with what they test.
fn reached(graph: &Graph) -> Vec<(NodeId, Node, Option<TestKey>)> {
    let scan = Scan::of(graph);
    let content = |id| graph.test_node(id).map(|node| graph.test(node.test).clone());
    scan.order().iter().map(|&id| (id, graph.node(id), content(id))).collect()
}

/// Simplification as it is described: nothing is kept, and every step starts with a scan of its own.
fn plainly(graph: &mut Graph) -> usize {
    let mut exclusions = Exclusions::new(graph, default_target());
    let mut work = 0;
    loop {
        loop {
            let scan = Scan::of(graph);
            let moved = decided::pass(graph, &mut exclusions, &scan);
            let scan = Scan::of(graph);
            if !(useless::pass(graph, &scan) | moved) {
                break;
            }
        }
        let scan = Scan::of(graph);
        if !edit(graph, scan, &mut exclusions, &Limits::default(), &mut work).unwrap() {
            return work;
        }
    }
}

fn built(policy: &Policy) -> Graph {
    build(policy, &Limits::default()).unwrap()
}

/// Rules among which loads stand close together: whether one is gone past depends on what is behind it.
fn rule_with_loads() -> impl Strategy<Value = Rule> {
    let name = || proptest::sample::select(&["a", "b"][..]);
    let leaf = prop_oneof![3 => name().prop_map(load), 2 => name().prop_map(is_true), 1 => Just(literal("/a"))];
    let filter = proptest::collection::vec(leaf, 1..5).prop_map(Filter::All);
    let operations = proptest::sample::select(&["file-read*", "file-read-data"][..]);
    (any::<bool>(), operations, filter).prop_map(|(allow, operation, filter)| {
        rule(if allow { Action::Allow } else { Action::Deny }, &[operation], Some(filter))
    })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop_oneof![
        proptest::collection::vec(any_rule(), 1..25),
        proptest::collection::vec(rule_with_loads(), 1..9),
        proptest::collection::vec(prop_oneof![any_rule(), rule_with_loads()], 1..15),
    ]
}

proptest! {
    // Wrong shortcuts that were tried showed within some hundred cases.
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// What is kept from pass to pass changes neither the graph nor the steps that count for the limit.
    #[test]
    fn the_fast_way_gives_the_graph_of_the_plain_one(rules in rules()) {
        let policy = policy(rules);
        let mut plain = built(&policy);
        let steps = plainly(&mut plain);
        // The second goes without room for facts, as a graph too large for them does.
        for max_kept in [MAX_KEPT, 0] {
            let mut fast = built(&policy);
            let fast_steps = simplify_keeping(&mut fast, default_target(), &Limits::default(), max_kept).unwrap();
            prop_assert_eq!(fast_steps, steps);
            prop_assert_eq!(fast.operations.clone(), plain.operations.clone());
            prop_assert_eq!(reached(&fast), reached(&plain));
        }
    }

    /// Each single pass moves the same edges, and the facts that are kept are those that are found anew.
    #[test]
    fn each_pass_moves_the_same_edges(rules in rules()) {
        let policy = policy(rules);
        let (mut plain, mut fast) = (built(&policy), built(&policy));
        let mut exclusions = Exclusions::new(&plain, default_target());
        let mut kept = Kept::default();
        let mut work = 0;
        for _ in 0..50 {
            let scan = Scan::of(&plain);
            let moved = decided::pass(&mut plain, &mut exclusions, &scan);
            prop_assert_eq!(kept.pass(&mut fast, &mut exclusions, &scan), moved);
            prop_assert_eq!(reached(&fast), reached(&plain));
            if !moved {
                // Nothing can be moved, so this only finds the facts.
                let mut anew = Kept::default();
                let scan = Scan::of(&fast);
                prop_assert!(!anew.pass(&mut fast, &mut exclusions, &scan));
                for &id in scan.order() {
                    prop_assert_eq!(kept.known_at(id), anew.known_at(id));
                }
            }
            let scan = Scan::of(&plain);
            let removed = useless::pass(&mut plain, &scan);
            prop_assert_eq!(useless::pass(&mut fast, &scan), removed);
            if !moved && !removed {
                let scan = Scan::of(&plain);
                if !edit(&mut plain, scan, &mut exclusions, &Limits::default(), &mut work).unwrap() {
                    break;
                }
                let scan = Scan::of(&fast);
                edit(&mut fast, scan, &mut exclusions, &Limits::default(), &mut work).unwrap();
            }
        }
    }
}
