//! From a part of the graph to a condition: `require-any`, `require-all` and `require-not` found again.
//!
//! A part has one start; its ends mean yes or no. When every way to yes goes through some node, the condition is an "and" of what
//! leads there and what follows; when every way to no does, an "or". Only where neither holds a test is written out in both
//! outcomes. The compiler's own graphs are always of the first two kinds, before edges are moved.

use std::collections::HashSet;
use std::rc::Rc;

use super::Stop;
use super::flow::Flow;
use super::leaf::Leaves;
use crate::blob::NodeId;
use crate::policy::Filter;

/// Deepest nesting that is followed; a policy's filters nest at most 256 deep.
const MAX_DEPTH: usize = 100;
/// Nodes that may be looked at for one condition, for each test of the part.
const WORK_PER_TEST: usize = 16;
/// And at least so many.
const MIN_WORK: usize = 2_000;

/// Where a part ends, and what that means. Terminals that are not listed mean no.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    pub(super) yes: Vec<NodeId>,
    pub(super) no: Vec<NodeId>,
    /// Further places that mean no.
    pub(super) line: Rc<HashSet<NodeId>>,
}

impl Ends {
    fn is_no(&self, id: NodeId) -> bool {
        self.no.contains(&id) || self.line.contains(&id)
    }
}

/// A condition, or what it always is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Always,
    Never,
    When(Filter),
}

/// Finds conditions in one flow.
pub(super) struct Conditions<'f, 'p> {
    flow: &'f Flow<'p>,
    leaves: &'f Leaves<'p>,
    work: usize,
    limit: usize,
}

impl<'f, 'p> Conditions<'f, 'p> {
    pub(super) fn new(flow: &'f Flow<'p>, leaves: &'f Leaves<'p>) -> Self {
        Self { flow, leaves, work: 0, limit: 0 }
    }

    /// When the part from `start` ends in a yes.
    pub(super) fn of(&mut self, start: NodeId, ends: &Ends) -> Result<Condition, Stop> {
        self.work = 0;
        let (tests, _) = self.flow.reach(start, |id| ends.yes.contains(&id) || ends.is_no(id));
        self.limit = MIN_WORK.max(WORK_PER_TEST * tests.len());
        self.part(start, ends, 0)
    }

    fn part(&mut self, start: NodeId, ends: &Ends, depth: usize) -> Result<Condition, Stop> {
        if ends.yes.contains(&start) {
            return Ok(Condition::Always);
        }
        if ends.is_no(start) || self.flow.is_terminal(start) {
            return Ok(Condition::Never);
        }
        let is_end = |id: NodeId| ends.yes.contains(&id) || ends.is_no(id);
        let (tests, _) = self.flow.reach(start, is_end);
        self.work += tests.len();
        if depth > MAX_DEPTH || self.work > self.limit {
            return Err(Stop::TooComplex);
        }
        let gates = self.flow.gates(&tests, |id| ends.yes.contains(&id));
        if gates.len() > 1 {
            return self.sequence(&gates, ends, depth, Kind::All);
        }
        let is_no = |id: NodeId| !ends.yes.contains(&id) && (ends.is_no(id) || self.flow.is_terminal(id));
        let gates = self.flow.gates(&tests, is_no);
        if gates.len() > 1 {
            return self.sequence(&gates, ends, depth, Kind::Any);
        }
        let Some(step) = self.flow.step(start) else { return Ok(Condition::Never) };
        let matched = self.part(step.matched, ends, depth + 1)?;
        let unmatched = self.part(step.unmatched, ends, depth + 1)?;
        let test = self.leaves.filter(&step)?;
        Ok(split(test, matched, unmatched))
    }

    /// The conditions from gate to gate, joined.
    fn sequence(&mut self, gates: &[NodeId], ends: &Ends, depth: usize, kind: Kind) -> Result<Condition, Stop> {
        let mut parts = Vec::with_capacity(gates.len());
        for (at, &gate) in gates.iter().enumerate() {
            let next = gates.get(at + 1).copied();
            let ends = match (next, kind) {
                (None, _) => ends.clone(),
                (Some(next), Kind::All) => Ends { yes: vec![next], ..ends.clone() },
                (Some(next), Kind::Any) => Ends { no: ends.no.iter().copied().chain([next]).collect(), ..ends.clone() },
            };
            parts.push(self.part(gate, &ends, depth + 1)?);
        }
        Ok(join(parts, kind))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Any,
}

/// `parts` as one condition, groups of the same kind flattened.
fn join(parts: Vec<Condition>, kind: Kind) -> Condition {
    let (neutral, decided) = match kind {
        Kind::All => (Condition::Always, Condition::Never),
        Kind::Any => (Condition::Never, Condition::Always),
    };
    if parts.contains(&decided) {
        return decided;
    }
    let mut filters = Vec::new();
    for part in parts {
        match (part, kind) {
            (Condition::When(Filter::All(inner)), Kind::All) | (Condition::When(Filter::Any(inner)), Kind::Any) => {
                filters.extend(inner);
            }
            (Condition::When(filter), _) => filters.push(filter),
            (Condition::Always | Condition::Never, _) => {}
        }
    }
    match (filters.len(), kind) {
        (0, _) => neutral,
        (1, _) => filters.pop().map_or(neutral, Condition::When),
        (_, Kind::All) => Condition::When(Filter::All(filters)),
        (_, Kind::Any) => Condition::When(Filter::Any(filters)),
    }
}

fn negated(filter: Filter) -> Filter {
    match filter {
        Filter::Not(inner) => *inner,
        other => Filter::Not(Box::new(other)),
    }
}

/// `test` decides between two conditions.
fn split(test: Filter, matched: Condition, unmatched: Condition) -> Condition {
    use Condition::{Always, Never, When};
    if matched == unmatched {
        return matched;
    }
    let when = |filter: Filter| When(filter);
    match (matched, unmatched) {
        (Always, unmatched) => join(vec![when(test), unmatched], Kind::Any),
        (matched, Never) => join(vec![when(test), matched], Kind::All),
        (Never, unmatched) => join(vec![when(negated(test)), unmatched], Kind::All),
        (matched, Always) => join(vec![when(negated(test)), matched], Kind::Any),
        (matched, unmatched) => {
            let yes = join(vec![when(test.clone()), matched], Kind::All);
            let no = join(vec![when(negated(test)), unmatched], Kind::All);
            join(vec![yes, no], Kind::Any)
        }
    }
}
