//! The programs of all operations (`spec/codegen-rules.md` §4).
//!
//! An operation's program is its fallback, else the program of its parent, with the own rules around it from the oldest to the
//! newest, so that the newest is asked first [certain]. All programs are built before anything is simplified: `metafilter_any`
//! needs it, there the second test of one operation is the root of another [likely].

use super::rules::{Entry, entries};
use super::{Graph, NodeId, Vocabulary};
use crate::compile::{CompileError, Limits};
use crate::policy::{Fallback, Policy};
use crate::vocab::OpId;

/// The unsimplified graph of `policy`.
pub(crate) fn build(policy: &Policy, limits: &Limits) -> Result<Graph, CompileError> {
    let mut graph = Graph::new(Vocabulary::of(policy)?, limits.nodes);
    let mut programs = Programs::new(policy);
    for operation in policy.target().operations().iter().filter(|operation| operation.in_op_table) {
        let root = programs.root(&mut graph, policy, operation.id)?;
        graph.operations.push(root);
    }
    super::messages::build(&mut graph, policy)?;
    Ok(graph)
}

/// The roots known so far, by operation.
pub(super) struct Programs(Vec<Option<NodeId>>);

impl Programs {
    pub(super) fn new(policy: &Policy) -> Self {
        Self(vec![None; policy.target().operations().len()])
    }

    /// The program of `operation`. Parent chains are short and have no cycle (tested in `vocab`).
    pub(super) fn root(&mut self, graph: &mut Graph, policy: &Policy, operation: OpId) -> Result<NodeId, CompileError> {
        let index = usize::from(operation.0);
        if let Some(Some(root)) = self.0.get(index) {
            return Ok(*root);
        }
        let terminal = match policy.fallback(operation) {
            Fallback::Parent(parent) => Err(parent),
            Fallback::Own(action) => Ok(graph.terminals.plain(action)),
            Fallback::Rule(rule) => match policy.get(rule) {
                Some(rule) => Ok(graph.terminals.of_rule(policy.target(), rule)),
                // A policy's own ids exist; its base action answers otherwise.
                None => Ok(graph.terminals.plain(crate::vocab::Action::Deny)),
            },
        };
        let mut root = match terminal {
            Ok(terminal) => graph.terminal_node(terminal)?,
            Err(parent) => self.root(graph, policy, parent)?,
        };
        for Entry { any_of, terminal } in entries(policy, &policy.operation(operation), &mut graph.terminals) {
            let answer = graph.terminal_node(terminal)?;
            root = graph.any_of(policy.target(), &any_of, answer, root)?;
        }
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(root);
        }
        Ok(root)
    }
}
