//! The program that is said, read by operation, and what of it the compiler adds by itself.

use std::collections::BTreeSet;

use super::flow::Flow;
use super::leaf::Leaves;
use super::operation::Entry;
use crate::blob::{Argument, NodeId, ProgramNode, Terminal};
use crate::pattern::Pattern;
use crate::policy::{Arg, Filter, Test};
use crate::profile::{has_flow_divert, implicit_self};
use crate::vocab::{Action, FilterId, OpId, Target};

const FLOW_DIVERT: &[u8] = b"com.apple.flow-divert";
/// Inferred system calls where the version does not allow all: operation, filter, numbers, and the operation that must be able to
/// allow.
const INFERRED: &[(&str, u8, &[u16], &str)] =
    &[("syscall-unix", 65, &[1, 37], "signal"), ("syscall-mach", 75, &[100], "iokit-open-user-client")];

/// Nodes that may be looked at for the numbers of one mask.
const MAX_MASK_WORK: usize = 4_000_000;

/// One profile of a blob.
pub(super) struct Subject<'f, 'p> {
    pub(super) flow: &'f Flow<'p>,
    pub(super) leaves: &'f Leaves<'p>,
    target: &'static Target,
    pub(super) roots: &'p [NodeId],
    /// Plain allows that are not the ordinary one: what is left of a message filter that filters nothing.
    separate: BTreeSet<NodeId>,
}

impl<'f, 'p> Subject<'f, 'p> {
    pub(super) fn new(
        flow: &'f Flow<'p>,
        leaves: &'f Leaves<'p>,
        target: &'static Target,
        roots: &'p [NodeId],
    ) -> Self {
        Self { flow, leaves, target, roots, separate: separate_allows(flow, roots) }
    }

    /// Whether the answer at `id` is what is left of a message filter that filters nothing.
    pub(super) fn is_separate(&self, id: NodeId) -> bool {
        self.separate.contains(&id)
    }

    pub(super) fn root(&self, operation: OpId) -> Option<NodeId> {
        self.roots.get(usize::from(operation.0)).copied()
    }

    pub(super) fn terminal(&self, id: NodeId) -> Option<&'p Terminal> {
        self.leaves.terminal(id).map(|(_, terminal)| terminal)
    }

    pub(super) fn is_plain(&self, id: NodeId, action: Action) -> bool {
        let flags = if action == Action::Deny { 5 } else { 0 };
        let plain = |terminal: &Terminal| terminal.flags == flags && terminal.modifiers.is_empty();
        !self.separate.contains(&id) && self.terminal(id).is_some_and(plain)
    }

    /// Whether the rules that the compiler adds can be behind what the blob holds.
    pub(super) fn shows_what_is_implied(&self) -> bool {
        let operation = |name: &str| self.target.operation_named(name).and_then(|id| Some((id, self.root(id)?)));
        let of_self = implicit_self(self.target).filter_map(operation);
        // A cheaper test may stand before it.
        let tests_self = |id: &NodeId| {
            self.flow.step(*id).is_some_and(|step| {
                self.target.filter_named("target") == Some(FilterId(step.filter))
                    && step.argument == Argument::Integer(1)
                    && self.is_plain(step.matched, Action::Allow)
            })
        };
        let mut of_self = of_self.map(|(_, root)| root);
        if !of_self
            .all(|root| self.is_plain(root, Action::Allow) || self.flow.reach_all(&[root]).0.iter().any(tests_self))
        {
            return false;
        }
        let Some((_, root)) = operation("network-outbound").filter(|_| has_flow_divert(self.target)) else {
            return true;
        };
        let (tests, ends) = self.flow.reach_all(&[root]);
        let allows = |id: &NodeId| self.terminal(*id).is_some_and(|terminal| terminal.flags & 1 == 0);
        let mut filters = tests.iter().filter_map(|id| self.leaves.filter(&self.flow.step(*id)?).ok());
        self.flow.is_terminal(root) || !ends.iter().any(allows) || filters.any(|filter| self.is_divert_test(&filter))
    }

    /// The test that the compiler adds to `network-outbound`.
    fn is_divert(&self, filter: &Filter) -> bool {
        matches!(filter, Filter::Test(_)) && self.is_divert_test(filter)
    }

    /// That test, or one united with it.
    fn is_divert_test(&self, filter: &Filter) -> bool {
        let mut found = false;
        filter.for_each_test(&mut |test| {
            found |= self.target.filter_named("control-name") == Some(test.filter)
                && matches!(&test.arg, Arg::Pattern(pattern) if *pattern == Pattern::literal(FLOW_DIVERT));
        });
        found
    }

    /// The highest version whose prelude agrees with most of the operations that some prelude allows.
    pub(super) fn likely_version(&self) -> u8 {
        let default_is_allow = self.root(OpId::DEFAULT).is_some_and(|root| self.is_plain(root, Action::Allow));
        if default_is_allow {
            return 1;
        }
        let allowed = |version: u8| {
            let rows = self.target.operations().iter().filter(|row| row.prelude == version);
            let (mut allowed, mut others) = (0, 0);
            for root in rows.filter_map(|row| self.root(row.id)) {
                if self.is_plain(root, Action::Allow) {
                    allowed += 1;
                } else {
                    others += 1;
                }
            }
            allowed >= others
        };
        match (allowed(1), allowed(2)) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    /// Any terminal of the program that is a plain `action`.
    pub(super) fn some_plain(&self, action: Action) -> Option<&'p Terminal> {
        let flags = if action == Action::Deny { 5 } else { 0 };
        let terminals = &self.flow.program().terminals;
        terminals.iter().find(|terminal| terminal.flags == flags && terminal.modifiers.is_empty())
    }

    /// Whether some answer assigns a storage class.
    pub(super) fn defines_storage_classes(&self) -> bool {
        let Some(id) = self.target.modifier_named("assign-storage-class").map(|info| info.id) else { return false };
        let (_, ends) = self.flow.reach_all(self.roots);
        ends.into_iter().any(|end| match self.flow.program().node(end) {
            Some(ProgramNode::Terminal(terminal)) => {
                let terminal = self.flow.program().terminal(*terminal);
                terminal.is_some_and(|terminal| terminal.modifiers.iter().any(|modifier| modifier.id == id.0))
            }
            _ => false,
        })
    }

    /// The program behind a number mask and behind `(target self)`; the tests of masked numbers that need a rule in a text of
    /// `version`, in which with `explicit` nothing is implied.
    pub(super) fn without_additions(
        &self,
        operation: OpId,
        root: NodeId,
        version: u8,
        explicit: bool,
    ) -> (NodeId, Vec<Filter>) {
        let name = self.target.operation(operation).name;
        let Some(step) = self.flow.step(root) else { return (root, Vec::new()) };
        if !explicit
            && implicit_self(self.target).any(|implied| implied == name)
            && self.target.filter_named("target") == Some(FilterId(step.filter))
            && step.argument == Argument::Integer(1)
            && self.is_plain(step.matched, Action::Allow)
        {
            return (step.unmatched, Vec::new());
        }
        let Argument::Bitmask(mask) = step.argument else { return (root, Vec::new()) };
        let Some(mask) = self.flow.program().bitmasks.get(mask.index()) else { return (root, Vec::new()) };
        let numbers: Vec<u16> = mask.numbers().filter_map(|number| u16::try_from(number).ok()).collect();
        let inferred = INFERRED
            .iter()
            .find(|row| row.0 == name && row.1 == step.filter && version > 1 && !explicit)
            .filter(|row| self.target.operation_named(row.3).is_some_and(|cause| self.can_allow(cause)));
        let inferred = inferred.map_or(&[][..], |row| row.2);
        // Where an allow follows in any case the compiler fills the mask by itself.
        let falls_to_allow = self.last(step.unmatched).is_some_and(|end| self.is_plain(end, Action::Allow));
        let filter = FilterId(step.filter);
        let mut work = 0;
        let tests = numbers
            .into_iter()
            .filter(|number| !inferred.contains(number))
            .filter(|number| !(falls_to_allow && self.allows_anyway(step.unmatched, filter, *number, &mut work)))
            .map(|number| Filter::Test(Test { filter, arg: Arg::Integer(number) }))
            .collect();
        (step.unmatched, tests)
    }

    /// Whether the program at `root` is a plain allow where `filter` has the value `number`, whatever else holds. A program too
    /// large to be walked for each number is not: a rule that says what holds anyway does no harm.
    fn allows_anyway(&self, root: NodeId, filter: FilterId, number: u16, work: &mut usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending = vec![root];
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            *work += 1;
            if *work > MAX_MASK_WORK {
                return false;
            }
            let Some(step) = self.flow.step(id) else {
                if !self.is_plain(id, Action::Allow) {
                    return false;
                }
                continue;
            };
            match step.argument {
                Argument::Integer(value) if FilterId(step.filter) == filter => {
                    pending.push(if value == number { step.matched } else { step.unmatched });
                }
                _ => pending.extend([step.matched, step.unmatched]),
            }
        }
        true
    }

    /// Whether `operation` allows anything besides what the compiler adds, so that a rule of the text does and the compiler adds it.
    pub(super) fn can_allow(&self, operation: OpId) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending: Vec<NodeId> = self.root(operation).into_iter().collect();
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(step) = self.flow.step(id) else {
                if self.terminal(id).is_some_and(|terminal| terminal.flags & 1 == 0) {
                    return true;
                }
                continue;
            };
            let added = self.leaves.filter(&step).is_ok_and(|filter| self.is_divert(&filter));
            pending.extend((!added).then_some(step.matched));
            pending.push(step.unmatched);
        }
        false
    }

    /// The end of the way on which nothing matches.
    fn last(&self, mut at: NodeId) -> Option<NodeId> {
        while let Some(step) = self.flow.step(at) {
            at = step.unmatched;
        }
        Some(at)
    }

    /// Takes the compiler's own alternative out of a rule; true when nothing is left of the rule.
    pub(super) fn is_flow_divert(&self, entry: &mut Entry) -> bool {
        let added = |filter: &Filter| self.is_divert(filter);
        if !self.is_plain(entry.answer, Action::Allow) {
            return false;
        }
        match &mut entry.filter {
            Filter::Any(parts) => {
                parts.retain(|part| !added(part));
                parts.is_empty()
            }
            filter => added(filter),
        }
    }
}

/// The plain allows besides the one to which most ways lead, without those of number masks.
fn separate_allows(flow: &Flow<'_>, roots: &[NodeId]) -> BTreeSet<NodeId> {
    let program = flow.program();
    let is_plain = |id: NodeId| match program.node(id) {
        Some(ProgramNode::Terminal(terminal)) => {
            program.terminal(*terminal).is_some_and(|terminal| terminal.flags == 0 && terminal.modifiers.is_empty())
        }
        _ => false,
    };
    let mut ways: std::collections::BTreeMap<NodeId, usize> = std::collections::BTreeMap::new();
    let mut of_masks = BTreeSet::new();
    let (tests, ends) = flow.reach_all(roots);
    for id in ends.into_iter().filter(|id| is_plain(*id)) {
        ways.entry(id).or_default();
    }
    for step in tests.iter().filter_map(|id| flow.step(*id)) {
        if matches!(step.argument, Argument::Bitmask(_)) {
            of_masks.insert(step.matched);
        }
        for next in [step.matched, step.unmatched] {
            ways.entry(next).and_modify(|count| *count += 1);
        }
    }
    for root in roots {
        ways.entry(*root).and_modify(|count| *count += 1);
    }
    ways.retain(|id, _| !of_masks.contains(id));
    let ordinary = ways.iter().max_by_key(|(_, count)| **count).map(|(id, _)| *id);
    ways.into_keys().filter(|id| Some(*id) != ordinary).collect()
}
