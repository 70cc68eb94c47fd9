//! From a part of the graph to a condition: `require-any`, `require-all` and `require-not` found again.
//!
//! A part has one start; its ends mean yes or no. When every way to yes goes through some node, the condition is an "and" of what
//! leads there and what follows; when every way to no does, an "or". The compiler's own graphs are of these two kinds, before
//! edges are moved. Where neither holds a part is taken apart in the way that looks at the fewest tests again:
//!
//! - at a node J where ways meet: yes without J, or the ways to J and what follows J;
//! - at the first test: written out in both outcomes.

use rustc_hash::FxHashMap;

use super::Stop;
use super::flow::{Flow, Step};
use super::leaf::Leaves;
use crate::blob::NodeId;
use crate::policy::Filter;

/// Deepest nesting that is followed; a policy's filters nest at most 256 deep.
const MAX_DEPTH: usize = 100;
/// Nodes that may be looked at for the conditions of one program.
const MAX_WORK: usize = 6_000_000;
/// Tests of one condition.
const MAX_TESTS: usize = 20_000;
/// Joins that are weighed against each other.
const MAX_JOINS: usize = 64;

/// Where a part ends, and what that means. Terminals that are not listed mean no.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) yes: Vec<NodeId>,
    pub(super) no: Vec<NodeId>,
}

impl Ends {
    fn contain(&self, id: NodeId) -> bool {
        self.yes.contains(&id) || self.no.contains(&id)
    }

    /// Those that are among `reached`, in its order.
    fn among(&self, reached: &[NodeId]) -> Self {
        let (yes, no) = reached.iter().partition(|id| self.yes.contains(id));
        Self { yes, no }
    }
}

/// A condition, or what it always is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Always,
    Never,
    When(Filter),
}

impl Condition {
    /// Number of tests.
    fn size(&self) -> usize {
        match self {
            Self::Always | Self::Never => 0,
            Self::When(filter) => count(filter),
        }
    }
}

/// Number of tests in `filter`.
pub(super) fn count(filter: &Filter) -> usize {
    let mut tests = 0;
    filter.for_each_test(&mut |_| tests += 1);
    tests
}

/// Finds conditions in one flow.
pub(super) struct Conditions<'f, 'p> {
    flow: &'f Flow<'p>,
    leaves: &'f Leaves<'p>,
    known: FxHashMap<(NodeId, Ends), Condition>,
    work: usize,
}

impl<'f, 'p> Conditions<'f, 'p> {
    pub(super) fn new(flow: &'f Flow<'p>, leaves: &'f Leaves<'p>) -> Self {
        Self { flow, leaves, known: FxHashMap::default(), work: 0 }
    }

    /// When the part from `start` ends in a yes.
    pub(super) fn of(&mut self, start: NodeId, ends: &Ends) -> Result<Condition, Stop> {
        self.part(start, ends, 0)
    }

    fn part(&mut self, start: NodeId, ends: &Ends, depth: usize) -> Result<Condition, Stop> {
        if ends.yes.contains(&start) {
            return Ok(Condition::Always);
        }
        if ends.no.contains(&start) || self.flow.is_terminal(start) {
            return Ok(Condition::Never);
        }
        let (tests, reached) = self.flow.reach(start, |id| ends.contain(id));
        self.work += tests.len();
        if depth > MAX_DEPTH || self.work > MAX_WORK {
            return Err(Stop::TooComplex);
        }
        let ends = &ends.among(&reached);
        if ends.yes.is_empty() {
            return Ok(Condition::Never);
        }
        if ends.no.is_empty() {
            return Ok(Condition::Always);
        }
        let key = (start, ends.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let found = self.apart(start, &tests, ends, depth)?;
        if matches!(&found, Condition::When(filter) if count(filter) > MAX_TESTS) {
            return Err(Stop::TooComplex);
        }
        self.known.insert(key, found.clone());
        Ok(found)
    }

    fn apart(&mut self, start: NodeId, tests: &[NodeId], ends: &Ends, depth: usize) -> Result<Condition, Stop> {
        let gates = self.flow.gates(tests, |id| ends.yes.contains(&id));
        if gates.len() > 1 {
            return self.sequence(&gates, ends, depth, Kind::All);
        }
        let gates = self.flow.gates(tests, |id| ends.no.contains(&id));
        if gates.len() > 1 {
            return self.sequence(&gates, ends, depth, Kind::Any);
        }
        let Some(step) = self.flow.step(start) else { return Ok(Condition::Never) };
        if let Some(join) = self.join(start, &step, tests, ends) {
            return self.at_join(start, join, ends, depth);
        }
        let matched = self.part(step.matched, ends, depth + 1)?;
        let unmatched = self.part(step.unmatched, ends, depth + 1)?;
        let test = self.leaves.filter(&step)?;
        Ok(self.split(test, matched, unmatched))
    }

    /// Tests from `start` on, at most `limit`.
    fn size(&mut self, start: NodeId, stop: impl Fn(NodeId) -> bool, limit: usize) -> usize {
        let size = self.flow.count(start, stop, limit);
        self.work += size;
        size
    }

    /// The join at which a part is best taken apart; `None` when that is its first test.
    fn join(&mut self, start: NodeId, step: &Step, tests: &[NodeId], ends: &Ends) -> Option<NodeId> {
        let is_end = |id: NodeId| ends.contain(id);
        let (matched, unmatched) =
            (self.size(step.matched, is_end, usize::MAX), self.size(step.unmatched, is_end, usize::MAX));
        if matched == 0 || unmatched == 0 {
            return None;
        }
        let mut best = (1 + matched + unmatched, None);
        let mut ways: FxHashMap<NodeId, usize> = FxHashMap::default();
        for step in tests.iter().filter_map(|id| self.flow.step(*id)) {
            for next in [step.matched, step.unmatched] {
                *ways.entry(next).or_default() += 1;
            }
        }
        let mut joins: Vec<NodeId> =
            tests.iter().copied().filter(|id| ways.get(id).is_some_and(|ways| *ways > 1)).collect();
        if joins.len() > MAX_JOINS {
            // Those to which most ways lead, in order.
            let mut ranked = joins.clone();
            ranked.sort_by_key(|id| std::cmp::Reverse(ways.get(id).copied()));
            ranked.truncate(MAX_JOINS);
            joins.retain(|id| ranked.contains(id));
        }
        for join in joins {
            // No more than the best can cost so far needs to be counted.
            let before = self.size(start, |id| id == join || ends.contain(id), best.0.div_ceil(2));
            let left = best.0.saturating_sub(2 * before);
            let cost = 2 * before + self.size(join, is_end, left);
            if cost < best.0 {
                best = (cost, Some(join));
            }
        }
        best.1
    }

    /// Yes without coming to `join`, or the ways to `join` and yes behind it. Both forms of the ways are right; the shorter is
    /// taken.
    fn at_join(&mut self, start: NodeId, join: NodeId, ends: &Ends, depth: usize) -> Result<Condition, Stop> {
        let and = |ends: &[NodeId]| ends.iter().copied().chain([join]).collect::<Vec<_>>();
        let beside = self.part(start, &Ends { yes: ends.yes.clone(), no: and(&ends.no) }, depth + 1)?;
        let behind = self.part(join, ends, depth + 1)?;
        let others = ends.yes.iter().chain(&ends.no).copied().collect();
        let exact = self.part(start, &Ends { yes: vec![join], no: others }, depth + 1)?;
        let wide = self.part(start, &Ends { yes: and(&ends.yes), no: ends.no.clone() }, depth + 1)?;
        let forms = [exact, wide]
            .map(|to| self.joined(vec![beside.clone(), self.joined(vec![to, behind.clone()], Kind::All)], Kind::Any));
        let [exact, wide] = forms;
        Ok(if wide.size() < exact.size() { wide } else { exact })
    }

    /// The conditions from gate to gate, joined.
    fn sequence(&mut self, gates: &[NodeId], ends: &Ends, depth: usize, kind: Kind) -> Result<Condition, Stop> {
        let mut parts = Vec::with_capacity(gates.len());
        for (at, &gate) in gates.iter().enumerate() {
            let next = gates.get(at + 1).copied();
            let ends = match (next, kind) {
                (None, _) => ends.clone(),
                (Some(next), Kind::All) => {
                    Ends { yes: vec![next], no: ends.no.iter().chain(&ends.yes).copied().collect() }
                }
                (Some(next), Kind::Any) => Ends { no: ends.no.iter().copied().chain([next]).collect(), ..ends.clone() },
            };
            parts.push(self.part(gate, &ends, depth + 1)?);
        }
        Ok(self.joined(parts, kind))
    }

    /// `parts` as one condition, groups of the same kind flattened.
    fn joined(&self, parts: Vec<Condition>, kind: Kind) -> Condition {
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
                    for filter in inner {
                        self.add(&mut filters, filter);
                    }
                }
                (Condition::When(filter), _) => self.add(&mut filters, filter),
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

    /// Saying something twice says nothing more, but for tests that look at what was loaded, and loads: between the two another one may stand.
    fn add(&self, filters: &mut Vec<Filter>, filter: Filter) {
        if !filters.contains(&filter) || self.leaves.hangs_on_order(&filter) {
            filters.push(filter);
        }
    }

    /// `test` decides between two conditions.
    fn split(&self, test: Filter, matched: Condition, unmatched: Condition) -> Condition {
        use Condition::{Always, Never, When};
        if matched == unmatched {
            return matched;
        }
        let when = |filter: Filter| When(filter);
        match (matched, unmatched) {
            (Always, unmatched) => self.joined(vec![when(test), unmatched], Kind::Any),
            (matched, Never) => self.joined(vec![when(test), matched], Kind::All),
            (Never, unmatched) => self.joined(vec![when(negated(test)), unmatched], Kind::All),
            (matched, Always) => self.joined(vec![when(negated(test)), matched], Kind::Any),
            (matched, unmatched) => {
                let yes = self.joined(vec![when(test.clone()), matched], Kind::All);
                let no = self.joined(vec![when(negated(test)), unmatched], Kind::All);
                self.joined(vec![yes, no], Kind::Any)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Any,
}

fn negated(filter: Filter) -> Filter {
    match filter {
        Filter::Not(inner) => *inner,
        other => Filter::Not(Box::new(other)),
    }
}
