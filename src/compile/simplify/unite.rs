//! Neighbouring string tests become one test of the union (`spec/codegen-rules.md` §5.4) [certain].
//!
//! q is the else of p, both test strings of the same filter (no regex of the table), both lead to the same place when they match,
//! q has no other way in and is no root (`bsd_broader`: the parent's node is a root). It works across rules and across a former
//! neighbour that an exchange moved away. Numbers are never united (P17: number chains in both orders).
//!
//! The order of the alternatives inside the record comes from [`crate::pattern::union`].

use std::sync::Arc;

use super::Edit;
use super::order::Scan;
use super::properties::Table;
use crate::compile::CompileError;
use crate::compile::graph::{Argument, Graph, NodeId, PatternArgument, TestKey, TestNode};
use crate::compile::patterns;

/// Unites `id` with all that follow it.
pub(super) fn edit(graph: &mut Graph, scan: &mut Scan, known: &mut Table, id: NodeId) -> Result<Edit, CompileError> {
    let Some(mut node) = graph.test_node(id).filter(|node| known.of(node.test).string) else { return Ok(Edit::None) };
    let filter = known.of(node.test).filter;
    let Some(first) = pattern(graph, node) else { return Ok(Edit::None) };
    let mut chain = Vec::new();
    while let Some(next) = graph.test_node(node.unmatched) {
        let same = next.matched == node.matched && known.of(next.test).filter == filter && known.of(next.test).string;
        if !same || !scan.has_one_way_in(node.unmatched) {
            break;
        }
        let Some(other) = pattern(graph, next) else { break };
        if chain.is_empty() {
            chain.clone_from(&first.chain);
        }
        chain.extend(other.chain.iter().cloned());
        scan.removed(node.unmatched);
        scan.left(node.matched);
        node.unmatched = next.unmatched;
    }
    if chain.is_empty() {
        return Ok(Edit::None);
    }
    let tree = patterns::unite(&chain, &mut graph.vocabulary.variables)
        .map_err(|error| CompileError::Pattern { filter: known.target().filter_name(filter).into_owned(), error })?;
    let tests = graph.test_count();
    let argument = Argument::Pattern(Arc::new(PatternArgument { chain, tree }));
    node.test = graph.intern_test(TestKey { filter, argument });
    known.update(graph);
    graph.set(id, node);
    let known_before = node.test.index() < tests;
    let target_lost_ways = graph.test_node(node.matched).is_some();
    Ok(if known_before || target_lost_ways { Edit::Restart } else { Edit::Local })
}

/// What a string test compares.
fn pattern(graph: &Graph, node: TestNode) -> Option<&PatternArgument> {
    match &graph.test(node.test).argument {
        Argument::Pattern(pattern) => Some(pattern),
        _ => None,
    }
}
