//! Facts about the graph of nodes as it is stored. References that lead nowhere count as leading nowhere.

use super::kinds::{ModifierKind, modifier_kind};
use super::node::{Node, Payload, RawModifier};
use super::{Blob, Table};

/// The nodes that a node leads to: match and else of a test, the programs of a terminal's message filters.
struct Successors<'b, 'a> {
    blob: &'b Blob<'a>,
    policies: Vec<u16>,
}

impl<'b, 'a> Successors<'b, 'a> {
    fn new(blob: &'b Blob<'a>) -> Self {
        Self { blob, policies: blob.table(Table::Policies).collect() }
    }

    fn push(&self, index: u16, out: &mut Vec<u16>) {
        match self.blob.node(index) {
            Some(Node::Test { matched, unmatched, .. }) => out.extend([matched, unmatched]),
            Some(Node::Terminal { payload: Payload::Inline(modifier), .. }) => out.extend(self.policy(modifier)),
            Some(Node::Terminal { payload: Payload::Array { count, index, .. }, .. }) => {
                let entries = self.blob.modifier_array(index, count).unwrap_or_default();
                let entries = entries.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok());
                out.extend(entries.filter_map(|entry| self.policy(RawModifier::read(entry))));
            }
            Some(Node::Terminal { .. } | Node::Invalid(_)) | None => {}
        }
    }

    fn policy(&self, modifier: RawModifier) -> Option<u16> {
        let kind = modifier_kind(self.blob.header().format(), modifier.id);
        self.policies.get(usize::from(modifier.argument)).copied().filter(|_| kind == ModifierKind::Policy)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Unseen,
    Open,
    Done,
}

/// A node that leads back to itself, if there is one.
pub(crate) fn find_cycle(blob: &Blob<'_>) -> Option<u32> {
    // Compiler output without message filters: tests lead to higher indexes only.
    let forward = (0_u16..)
        .zip(blob.nodes())
        .all(|(at, node)| node.edges().is_none_or(|edges| edges.iter().all(|&next| next > at)));
    let successors = Successors::new(blob);
    if forward && successors.policies.is_empty() {
        return None;
    }
    let mut marks = vec![Mark::Unseen; blob.header().node_count.into()];
    let (mut pending, mut next) = (Vec::new(), Vec::new());
    for start in 0..blob.header().node_count {
        pending.push((start, false));
        while let Some((index, leave)) = pending.pop() {
            let Some(mark) = marks.get_mut(usize::from(index)) else { continue };
            match (*mark, leave) {
                (_, true) => *mark = Mark::Done,
                (Mark::Unseen, false) => {
                    *mark = Mark::Open;
                    pending.push((index, true));
                    successors.push(index, &mut next);
                    pending.extend(next.drain(..).map(|next| (next, false)));
                }
                (Mark::Open, false) => return Some(index.into()),
                (Mark::Done, false) => {}
            }
        }
    }
    None
}

/// Which nodes are reached from an operation.
pub(crate) fn reachable(blob: &Blob<'_>) -> Vec<bool> {
    let roots = (0..blob.profile_count()).flat_map(|profile| blob.op_table(profile)).collect::<Vec<_>>();
    reachable_from(blob, &roots)
}

/// Which nodes are reached from `roots`.
pub(crate) fn reachable_from(blob: &Blob<'_>, roots: &[u16]) -> Vec<bool> {
    let successors = Successors::new(blob);
    let mut reached = vec![false; blob.header().node_count.into()];
    let mut pending = Vec::new();
    for &root in roots {
        pending.push(root);
        while let Some(index) = pending.pop() {
            match reached.get_mut(usize::from(index)) {
                Some(reached) if !*reached => *reached = true,
                _ => continue,
            }
            successors.push(index, &mut pending);
        }
    }
    reached
}
