//! Facts about the graph of nodes.

use super::BlobError;
use super::program::{NodeId, Program, ProgramNode};

/// The nodes that `id` leads to: match and else of a test, the programs of a terminal's message filters.
pub(crate) fn successors(program: &Program, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    let (edges, terminal) = match program.node(id) {
        Some(&ProgramNode::Test { matched, unmatched, .. }) => ([Some(matched), Some(unmatched)], None),
        Some(&ProgramNode::Terminal(terminal)) => ([None, None], program.terminal(terminal)),
        None => ([None, None], None),
    };
    let policies = terminal.into_iter().flat_map(|terminal| terminal.policies());
    edges.into_iter().flatten().chain(policies.filter_map(|policy| program.policies.get(policy.index()).copied()))
}

/// Refuses cycles anywhere in the arena.
pub(crate) fn check_acyclic(program: &Program) -> Result<(), BlobError> {
    // Compiler output: tests lead to higher indexes only and nothing leads back.
    let forward = (0_u32..).zip(&program.nodes).all(|(at, node)| match *node {
        ProgramNode::Test { matched, unmatched, .. } => matched.0 > at && unmatched.0 > at,
        ProgramNode::Terminal(_) => true,
    });
    if forward && program.policies.is_empty() {
        return Ok(());
    }
    // 0 unseen, 1 on the way, 2 done.
    let mut state = vec![0_u8; program.nodes.len()];
    let mut pending = Vec::new();
    for start in (0_u32..).take(program.nodes.len()).map(NodeId) {
        pending.push((start, false));
        while let Some((id, leave)) = pending.pop() {
            let Some(state) = state.get_mut(id.index()) else { continue };
            match (*state, leave) {
                (_, true) => *state = 2,
                (0, false) => {
                    *state = 1;
                    pending.push((id, true));
                    pending.extend(successors(program, id).map(|next| (next, false)));
                }
                (1, false) => return Err(BlobError::Cycle { index: id.0 }),
                _ => {}
            }
        }
    }
    Ok(())
}
