//! Message filters: the programs of `(apply-message-filter …)` (`spec/codegen-rules.md` §7).
//!
//! - [certain] The rules inside decide the operations that have no entry in the op table; their fallback is
//!   `default-message-filter`, which allows. They use the profile's own node and terminal tables
//!   (`gate_v2_mach_bootstrap_deny_message_send` shares the ordinary terminals).
//! - [certain] A program that is a plain allow gives no modifier; the terminal stays apart all the same.
//! - [open] Which operations get a program when `default-message-filter` itself has rules: all that fall back on it.

use super::build::Programs;
use super::{Graph, NodeId};
use crate::compile::CompileError;
use crate::policy::{MessageFilter, Policy};
use crate::vocab::{ModifierId, OpId};

/// The modifier that holds a message filter.
pub(crate) const MESSAGE_FILTER: ModifierId = ModifierId(19);
/// The root of the operations inside message filters.
const DEFAULT_MESSAGE_FILTER: &str = "default-message-filter";

/// The program of one operation inside one message filter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterProgram {
    /// Number of the message filter.
    pub(crate) filter: usize,
    /// The operation that it decides.
    pub(crate) operation: OpId,
    pub(crate) root: NodeId,
}

/// Builds the programs of every message filter that a terminal holds.
pub(super) fn build(graph: &mut Graph, policy: &Policy) -> Result<(), CompileError> {
    // The rules inside hold no message filters (an invariant of `policy`), so the list does not grow on the way.
    let filters: Vec<MessageFilter> = graph.terminals.filters().to_vec();
    for (number, filter) in filters.into_iter().enumerate() {
        let mut inner = Policy::new(policy.target(), policy.version());
        for rule in filter.rules {
            inner.push(rule);
        }
        let target = policy.target();
        let has_rules = |operation: OpId| {
            let rules = inner.operation(operation);
            rules.fallback.is_some() || !rules.filtered.is_empty()
        };
        let default = target.operation_named(DEFAULT_MESSAGE_FILTER);
        let all = default.is_some_and(has_rules);
        let mut programs = Programs::new(&inner);
        for operation in target.operations().iter().filter(|operation| !operation.in_op_table) {
            if Some(operation.id) != default && (all || has_rules(operation.id)) {
                let root = programs.root(graph, &inner, operation.id)?;
                graph.filter_programs.push(FilterProgram { filter: number, operation: operation.id, root });
            }
        }
    }
    Ok(())
}
