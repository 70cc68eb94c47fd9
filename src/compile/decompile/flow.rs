//! The tests of one profile as a flow graph: order, reach, gates.

use std::cell::RefCell;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use crate::blob::{Argument, NodeId, Program, ProgramNode};

/// A test node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) filter: u8,
    pub(super) argument: Argument,
    pub(super) matched: NodeId,
    pub(super) unmatched: NodeId,
}

/// The nodes of a program that some roots reach, or an unfolded part of it (`super::line`).
///
/// The tests of an unfolded part have numbers behind those of the program's nodes, in an order in which every one stands before
/// what it leads to; they end at nodes of the program.
pub(super) struct Flow<'p> {
    program: &'p Program,
    unfolded: Vec<Step>,
    /// Where an unfolded part ends.
    ends: IndexSet<NodeId, FxBuildHasher>,
    /// By slot: its place in an order in which every node stands before what it leads to.
    position: Vec<u32>,
    /// Which nodes a walk has met.
    marks: RefCell<Marks>,
}

/// A set of nodes that is emptied in no time: a node is in it when its mark is of the current round.
#[derive(Debug, Default)]
struct Marks {
    round: u32,
    of: Vec<u32>,
}

impl Marks {
    fn clear(&mut self) {
        self.round += 1;
    }

    /// True when it was not in the set.
    fn insert(&mut self, slot: usize) -> bool {
        match self.of.get_mut(slot) {
            Some(mark) if *mark != self.round => {
                *mark = self.round;
                true
            }
            _ => false,
        }
    }

    fn contains(&self, slot: usize) -> bool {
        self.of.get(slot) == Some(&self.round)
    }
}

const UNREACHED: u32 = u32::MAX;

impl<'p> Flow<'p> {
    /// Orders what `roots` reach. The program has no cycle (an invariant of `blob`).
    pub(super) fn of(program: &'p Program, roots: impl IntoIterator<Item = NodeId>) -> Self {
        let count = program.nodes.len();
        let marks = RefCell::new(Marks { round: 0, of: vec![0; count] });
        let position = vec![UNREACHED; count];
        let mut flow = Self { program, unfolded: Vec::new(), ends: IndexSet::default(), position, marks };
        let mut order = Vec::new();
        let mut seen = vec![false; program.nodes.len()];
        let mut pending: Vec<(NodeId, bool)> = roots.into_iter().map(|root| (root, false)).collect();
        while let Some((id, leave)) = pending.pop() {
            if leave {
                order.push(id);
                continue;
            }
            match seen.get_mut(id.index()) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            pending.push((id, true));
            if let Some(step) = flow.step(id) {
                pending.extend([(step.unmatched, false), (step.matched, false)]);
            }
        }
        for (at, id) in (0_u32..).zip(order.iter().rev()) {
            if let Some(position) = flow.position.get_mut(id.index()) {
                *position = at;
            }
        }
        flow
    }

    /// An unfolded part: the tests in order, `program.nodes.len()` the number of the first.
    pub(super) fn unfolded(program: &'p Program, unfolded: Vec<Step>) -> Self {
        let base = program.nodes.len();
        let next = unfolded.iter().flat_map(|step| [step.matched, step.unmatched]);
        let ends: IndexSet<NodeId, FxBuildHasher> = next.filter(|id| id.index() < base).collect();
        let count = unfolded.len() + ends.len();
        let position = (0..).take(count).collect();
        Self { program, unfolded, ends, position, marks: RefCell::new(Marks { round: 0, of: vec![0; count] }) }
    }

    /// The place of `id` in the lists.
    fn slot(&self, id: NodeId) -> usize {
        if self.unfolded.is_empty() {
            return id.index();
        }
        match id.index().checked_sub(self.program.nodes.len()) {
            Some(at) => at,
            None => self.ends.get_index_of(&id).map_or(usize::MAX, |at| self.unfolded.len() + at),
        }
    }

    pub(super) fn program(&self) -> &'p Program {
        self.program
    }

    /// The test at `id`; `None` for a terminal.
    pub(super) fn step(&self, id: NodeId) -> Option<Step> {
        if !self.unfolded.is_empty() {
            return self.unfolded.get(id.index().checked_sub(self.program.nodes.len())?).copied();
        }
        match *self.program.node(id)? {
            ProgramNode::Test { filter, argument, matched, unmatched } => {
                Some(Step { filter, argument, matched, unmatched })
            }
            ProgramNode::Terminal(_) => None,
        }
    }

    pub(super) fn is_terminal(&self, id: NodeId) -> bool {
        self.step(id).is_none() && !matches!(self.program.node(id), Some(ProgramNode::Test { .. }))
    }

    /// The place of `id` in the order.
    pub(super) fn position(&self, id: NodeId) -> u32 {
        self.position.get(self.slot(id)).copied().unwrap_or(UNREACHED)
    }

    /// What `start` reaches without going through a node that `stop` names; the first list holds the tests, in order,
    /// the second the places where it stopped.
    pub(super) fn reach(&self, start: NodeId, stop: impl Fn(NodeId) -> bool) -> (Vec<NodeId>, Vec<NodeId>) {
        self.reach_from(&[start], stop, usize::MAX)
    }

    /// Everything that `starts` reach: tests and terminals.
    pub(super) fn reach_all(&self, starts: &[NodeId]) -> (Vec<NodeId>, Vec<NodeId>) {
        self.reach_from(starts, |_| false, usize::MAX)
    }

    /// As [`Flow::reach`]; `None` when there are more than `limit` tests.
    pub(super) fn reach_few(
        &self,
        start: NodeId,
        stop: impl Fn(NodeId) -> bool,
        limit: usize,
    ) -> Option<(Vec<NodeId>, Vec<NodeId>)> {
        let found = self.reach_from(&[start], stop, limit);
        (found.0.len() <= limit).then_some(found)
    }

    /// Gives up behind `limit` tests.
    fn reach_from(&self, starts: &[NodeId], stop: impl Fn(NodeId) -> bool, limit: usize) -> (Vec<NodeId>, Vec<NodeId>) {
        let (mut tests, mut ends) = (Vec::new(), Vec::new());
        let mut seen = self.marks.borrow_mut();
        seen.clear();
        let mut pending: Vec<NodeId> = starts.iter().copied().filter(|id| seen.insert(self.slot(*id))).collect();
        while let Some(id) = pending.pop().filter(|_| tests.len() <= limit) {
            match self.step(id) {
                Some(step) if !stop(id) => {
                    tests.push(id);
                    pending.extend(
                        [step.matched, step.unmatched].into_iter().filter(|next| seen.insert(self.slot(*next))),
                    );
                }
                _ => ends.push(id),
            }
        }
        tests.sort_by_key(|id| self.position(*id));
        ends.sort_by_key(|id| self.position(*id));
        (tests, ends)
    }

    /// How many tests [`Flow::reach`] would list, at most `limit`.
    pub(super) fn count(&self, start: NodeId, stop: impl Fn(NodeId) -> bool, limit: usize) -> usize {
        let mut seen = self.marks.borrow_mut();
        seen.clear();
        seen.insert(self.slot(start));
        let mut tests = 0;
        let mut pending = vec![start];
        while let Some(id) = pending.pop().filter(|_| tests < limit) {
            let Some(step) = self.step(id).filter(|_| !stop(id)) else { continue };
            tests += 1;
            pending.extend([step.matched, step.unmatched].into_iter().filter(|next| seen.insert(self.slot(*next))));
        }
        tests
    }

    /// The tests among `tests` (in order, the first is the start) through which every way from the start to a sink goes.
    /// Empty when no sink is reached.
    pub(super) fn gates(&self, tests: &[NodeId], is_sink: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let mut alive = self.marks.borrow_mut();
        alive.clear();
        for &id in tests.iter().rev() {
            let Some(step) = self.step(id) else { continue };
            let leads =
                [step.matched, step.unmatched].into_iter().any(|next| is_sink(next) || alive.contains(self.slot(next)));
            if leads && !is_sink(id) {
                alive.insert(self.slot(id));
            }
        }
        let mut gates = Vec::new();
        // The farthest place that an edge from before leads to.
        let mut farthest = 0;
        for (at, &id) in tests.iter().filter(|id| alive.contains(self.slot(**id))).enumerate() {
            let position = self.position(id);
            if at == 0 || farthest == position {
                gates.push(id);
            }
            let Some(step) = self.step(id) else { continue };
            for next in [step.matched, step.unmatched] {
                if is_sink(next) {
                    farthest = UNREACHED;
                } else if alive.contains(self.slot(next)) {
                    farthest = farthest.max(self.position(next));
                }
            }
        }
        if tests.first().is_some_and(|start| alive.contains(self.slot(*start))) { gates } else { Vec::new() }
    }
}
