//! The writer's first walk: the numbers of nodes and message-filter programs (`spec/blob-format.md` section 10.5,
//! `spec/codegen-rules.md` section 7.3).

use std::collections::VecDeque;

use super::EncodeError;
use super::generation::TerminalForm;
use super::program::{NodeId, PolicyId, Profile, Program, ProgramNode, Roots};

/// What the walk found.
pub(super) struct Numbers {
    /// By arena position.
    nodes: Vec<State>,
    pub(super) count: u32,
    /// By policy: its index in the policy table.
    policies: Vec<Option<u16>>,
    pub(super) policy_count: u16,
    /// Nodes in the order numbered; only the recovery of an order looks at it.
    log: Vec<NodeId>,
    /// Terminals with an array, as their nodes, in the order reached.
    pub(super) arrays: Vec<NodeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    /// On the way from a root: meeting it again is a cycle.
    Open,
    /// Numbered, counted from the top, but its message-filter programs are on the way.
    Numbered(u32),
    Done(u32),
}

enum Step {
    Visit(NodeId),
    Finish(NodeId),
    Policy(PolicyId),
}

pub(super) fn dangling(what: &'static str, value: u32) -> EncodeError {
    EncodeError::Dangling { what, value: value as usize }
}

/// Numbers all nodes that the roots reach.
pub(super) fn number(program: &Program) -> Result<Numbers, EncodeError> {
    let mut numbers = Numbers::new(program);
    match &program.roots {
        Roots::Single(roots) => numbers.walk(program, roots)?,
        Roots::Collection { profiles, numbering } if numbering.len() == profiles.len() => {
            for profile in numbering.iter().filter_map(|&at| profiles.get(usize::from(at))) {
                numbers.walk(program, &profile.roots)?;
            }
        }
        Roots::Collection { profiles, .. } => {
            for profile in profiles {
                numbers.walk(program, &profile.roots)?;
            }
        }
    }
    Ok(numbers)
}

impl Numbers {
    fn new(program: &Program) -> Self {
        Self {
            nodes: vec![State::Unseen; program.nodes.len()],
            count: 0,
            policies: vec![None; program.policies.len()],
            policy_count: 0,
            log: Vec::new(),
            arrays: Vec::new(),
        }
    }

    fn walk(&mut self, program: &Program, roots: &[NodeId]) -> Result<(), EncodeError> {
        let mut steps = Vec::new();
        for &root in roots {
            steps.push(Step::Visit(root));
            while let Some(step) = steps.pop() {
                match step {
                    Step::Visit(id) => self.visit(program, id, &mut steps)?,
                    Step::Finish(id) => self.finish(id),
                    Step::Policy(id) => steps.push(Step::Visit(self.policy(program, id)?)),
                }
            }
        }
        Ok(())
    }

    fn visit(&mut self, program: &Program, id: NodeId, steps: &mut Vec<Step>) -> Result<(), EncodeError> {
        let state = self.nodes.get_mut(id.index()).ok_or_else(|| dangling("node", id.0))?;
        match *state {
            State::Unseen => *state = State::Open,
            State::Open | State::Numbered(_) => return Err(EncodeError::Cycle { node: id.0 }),
            State::Done(_) => return Ok(()),
        }
        match program.node(id) {
            Some(&ProgramNode::Test { matched, unmatched, .. }) => {
                steps.extend([Step::Finish(id), Step::Visit(unmatched), Step::Visit(matched)]);
            }
            Some(&ProgramNode::Terminal(terminal)) => {
                let terminal = program.terminal(terminal).ok_or_else(|| dangling("terminal", terminal.0))?;
                *state = State::Numbered(self.count);
                self.take(id);
                if terminal.modifiers.len() > 1 && program.generation.format().terminal == TerminalForm::Wide {
                    self.arrays.push(id);
                }
                steps.push(Step::Finish(id));
                steps.extend(terminal.policies().rev().map(Step::Policy));
            }
            None => return Err(dangling("node", id.0)),
        }
        Ok(())
    }

    fn take(&mut self, id: NodeId) -> u32 {
        let number = self.count;
        self.count += 1;
        self.log.push(id);
        number
    }

    fn finish(&mut self, id: NodeId) {
        let number = match self.nodes.get(id.index()) {
            Some(State::Numbered(number)) => *number,
            _ => self.take(id),
        };
        if let Some(state) = self.nodes.get_mut(id.index()) {
            *state = State::Done(number);
        }
    }

    /// Gives the program its index in the policy table when it is first used; gives its root.
    fn policy(&mut self, program: &Program, id: PolicyId) -> Result<NodeId, EncodeError> {
        let root = *program.policies.get(id.index()).ok_or_else(|| dangling("policy", id.0))?;
        let slot = self.policies.get_mut(id.index()).ok_or_else(|| dangling("policy", id.0))?;
        if slot.is_none() {
            *slot = Some(self.policy_count);
            self.policy_count = self.policy_count.checked_add(1).ok_or(EncodeError::TooMany {
                what: "message-filter programs",
                have: program.policies.len(),
                limit: u16::MAX.into(),
            })?;
        }
        Ok(root)
    }

    /// The index of a node in the blob; `None` when no root reaches it or the nodes are too many for the format.
    pub(super) fn node_index(&self, id: NodeId) -> Option<u16> {
        match self.nodes.get(id.index())? {
            State::Done(from_top) => u16::try_from(self.count - 1 - from_top).ok(),
            State::Unseen | State::Open | State::Numbered(_) => None,
        }
    }

    /// The index of a message-filter program in the policy table.
    pub(super) fn policy_index(&self, id: PolicyId) -> Option<u16> {
        self.policies.get(id.index()).copied().flatten()
    }

    /// Takes back everything numbered since `count` nodes were.
    fn undo(&mut self, count: u32, policy_count: u16) {
        for id in self.log.drain(count as usize..) {
            if let Some(state) = self.nodes.get_mut(id.index()) {
                *state = State::Unseen;
            }
        }
        if self.policy_count != policy_count {
            self.policies.iter_mut().for_each(|slot| *slot = slot.filter(|&index| index < policy_count));
        }
        (self.count, self.policy_count) = (count, policy_count);
    }
}

/// The order in which the profiles of a collection were numbered, when the arena positions are the numbers; empty when it is
/// the record order or cannot be found.
///
/// Numbers fall as nodes are numbered, so a profile that brought new nodes has its lowest root below all earlier ones. A
/// profile that brought none may look like that too; each candidate is tried and taken back when it numbers otherwise.
pub(super) fn recover_order(program: &Program, profiles: &[Profile]) -> Vec<u16> {
    let total = program.nodes.len();
    let as_found =
        |log: &[NodeId], from: u32| (from..).zip(log).all(|(number, id)| id.index() + number as usize + 1 == total);
    let in_record_order = |numbers: &mut Numbers| {
        profiles.iter().all(|profile| {
            let from = numbers.count;
            numbers.walk(program, &profile.roots).is_ok()
                && as_found(numbers.log.get(from as usize..).unwrap_or_default(), from)
        })
    };
    if in_record_order(&mut Numbers::new(program)) {
        return Vec::new();
    }
    let lowest = |profile: &Profile| profile.roots.iter().min().map_or(0, |root| root.index());
    let mut pending = (0_u16..).zip(profiles).map(|(at, profile)| (lowest(profile), at)).collect::<Vec<_>>();
    pending.sort_by_key(|&(lowest, at)| (std::cmp::Reverse(lowest), at));
    let mut pending = VecDeque::from(pending);
    let (mut order, mut without_nodes) = (Vec::new(), Vec::new());
    let mut numbers = Numbers::new(program);
    // An honest collection needs one attempt a profile and few more; hostile ones must not cost the square.
    let mut work = 16 * (total + profiles.len() * (usize::from(program.op_count) + 16));
    while (numbers.count as usize) < total {
        while pending.front().is_some_and(|&(lowest, _)| lowest + numbers.count as usize >= total) {
            without_nodes.extend(pending.pop_front().map(|(_, at)| at));
        }
        let (from, policies) = (numbers.count, numbers.policy_count);
        let found = pending.iter().position(|&(_, at)| {
            let Some(profile) = profiles.get(usize::from(at)).filter(|_| work > 0) else { return false };
            let walked = numbers.walk(program, &profile.roots).is_ok();
            let undone = if numbers.policy_count == policies { 0 } else { program.policies.len() };
            work = work.saturating_sub((numbers.count - from) as usize + profile.roots.len() + undone + 16);
            let right = walked && as_found(numbers.log.get(from as usize..).unwrap_or_default(), from);
            if !right {
                numbers.undo(from, policies);
            }
            right
        });
        match found.and_then(|at| pending.remove(at)) {
            Some((_, at)) => order.push(at),
            None => return Vec::new(),
        }
    }
    without_nodes.extend(pending.into_iter().map(|(_, at)| at));
    without_nodes.sort_unstable();
    order.extend(without_nodes);
    order
}
