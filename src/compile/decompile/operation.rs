//! The program of one operation as rules, newest first, and what is left when none applies.

use super::Stop;
use super::condition::{Condition, Conditions, Ends, count};
use super::flow::{Flow, Step};
use super::leaf::Leaves;
use crate::blob::{NodeId, Terminal};
use crate::policy::Filter;

/// One condition with its answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) filter: Filter,
    /// A terminal.
    pub(super) answer: NodeId,
}

/// A program taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parts {
    /// Newest first.
    pub(super) entries: Vec<Entry>,
    /// What answers when no entry does: a terminal, or the place where another operation's program begins.
    pub(super) end: NodeId,
}

/// Programs with at most so many tests are tried as one condition.
const SMALL: usize = 100;
/// And at most so often for one operation.
const MAX_ATTEMPTS: usize = 8;

/// Longest segment of a program as it is stored; where one is longer, edges were moved, and the program is unfolded first.
pub(super) const MAX_STORED_SEGMENT: usize = 16;

/// See [`Splitter::spine`].
struct Spine {
    gates: Vec<NodeId>,
    last: Option<NodeId>,
    /// Of all tests, ascending.
    positions: Vec<u32>,
}

impl Spine {
    /// How many tests stand at `position` or behind it.
    fn tests_from(&self, position: u32) -> usize {
        self.positions.len() - self.positions.partition_point(|other| *other < position)
    }
}

/// Takes programs of one flow apart.
pub(super) struct Splitter<'f, 'p> {
    flow: &'f Flow<'p>,
    leaves: &'f Leaves<'p>,
    conditions: Conditions<'f, 'p>,
    /// Most tests in one segment.
    max_segment: usize,
}

impl<'f, 'p> Splitter<'f, 'p> {
    pub(super) fn new(flow: &'f Flow<'p>, leaves: &'f Leaves<'p>, max_segment: usize) -> Self {
        Self { flow, leaves, conditions: Conditions::new(flow, leaves), max_segment }
    }

    fn terminal(&self, id: NodeId) -> Option<&'p Terminal> {
        self.leaves.terminal(id).map(|(_, terminal)| terminal)
    }

    /// The rules from `root` on. Ways end at the nodes in `through` and at terminals; `usual` is the answer that is expected
    /// when no rule applies.
    pub(super) fn split(&mut self, root: NodeId, through: &[NodeId], usual: Option<&Terminal>) -> Result<Parts, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut at = root;
        let spine = self.spine(root, through);
        let mut attempts = 0;
        while let Some(step) = self.flow.step(at).filter(|_| !through.contains(&at)) {
            let ends = |id: NodeId| self.flow.is_terminal(id) && !through.contains(&id);
            let is_usual = |id: NodeId| usual.is_some() && self.terminal(id) == usual;
            let direct = match (ends(step.matched), ends(step.unmatched)) {
                (true, true) if is_usual(step.matched) && !is_usual(step.unmatched) => Some(false),
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            };
            let plain = direct == Some(true) && !is_usual(step.matched);
            if !plain && attempts < MAX_ATTEMPTS && spine.tests_from(self.flow.position(at)) <= SMALL {
                attempts += 1;
                if let Some((entry, end)) = self.positive(at, through, usual)? {
                    entries.push(entry);
                    at = end;
                    break;
                }
            }
            at = match direct {
                Some(outcome) => self.direct(&step, outcome, &mut entries)?,
                None => self.segment(at, &spine, through, &mut entries)?,
            };
        }
        Ok(Parts { entries: self.joined(entries), end: at })
    }

    /// Everything from `at` on as one condition for one answer, when it needs no negation.
    fn positive(
        &mut self,
        at: NodeId,
        through: &[NodeId],
        usual: Option<&Terminal>,
    ) -> Result<Option<(Entry, NodeId)>, Stop> {
        let (_, ends) = self.flow.reach(at, |id| through.contains(&id));
        if ends.iter().any(|id| !self.flow.is_terminal(*id)) {
            return Ok(None);
        }
        let (no, yes): (Vec<NodeId>, Vec<NodeId>) = ends.iter().partition(|id| self.terminal(**id) == usual);
        let one = yes.iter().all(|id| self.terminal(*id) == yes.first().and_then(|first| self.terminal(*first)));
        let (Some(&answer), Some(&end), true) = (yes.first(), no.first(), one) else { return Ok(None) };
        match self.conditions.of(at, &Ends { yes, no }) {
            Ok(Condition::When(filter)) if !negates(&filter) => Ok(Some((Entry { filter, answer }, end))),
            Ok(_) | Err(Stop::TooComplex) => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// A test one outcome of which is the answer.
    fn direct(&self, step: &Step, outcome: bool, entries: &mut Vec<Entry>) -> Result<NodeId, Stop> {
        let test = self.leaves.filter(step)?;
        let (filter, answer, next) = if outcome {
            (test, step.matched, step.unmatched)
        } else {
            (Filter::Not(Box::new(test)), step.unmatched, step.matched)
        };
        entries.push(Entry { filter, answer });
        Ok(next)
    }

    /// The tests that every way from `root` to the end goes through. The end is the program that it leads into, else the last
    /// test, which only terminals follow.
    fn spine(&self, root: NodeId, through: &[NodeId]) -> Spine {
        let (tests, ends) = self.flow.reach(root, |id| through.contains(&id));
        let mut sinks: Vec<NodeId> = ends.into_iter().filter(|id| !self.flow.is_terminal(*id)).collect();
        if sinks.is_empty() {
            sinks.extend(tests.last());
        }
        let mut gates = self.flow.gates(&tests, |id| sinks.contains(&id));
        if let [sink] = sinks.as_slice() {
            gates.push(*sink);
        }
        let positions = tests.iter().map(|id| self.flow.position(*id)).collect();
        Spine { gates, last: tests.last().copied(), positions }
    }

    /// Several tests up to the next one that every way to the end goes through.
    fn segment(
        &mut self,
        at: NodeId,
        spine: &Spine,
        through: &[NodeId],
        entries: &mut Vec<Entry>,
    ) -> Result<NodeId, Stop> {
        let here = self.flow.position(at);
        let next = spine.gates.iter().copied().find(|gate| self.flow.position(*gate) > here);
        let next = next.or(spine.last).filter(|next| *next != at).ok_or(Stop::TooComplex)?;
        let stop = |id: NodeId| id == next || through.contains(&id);
        let (_, ends) = self.flow.reach_few(at, stop, self.max_segment).ok_or(Stop::TooComplex)?;
        let no: Vec<NodeId> = through.iter().copied().chain([next]).collect();
        let answers = self.grouped(&ends);
        let mut best: Option<Vec<Entry>> = None;
        for order in orders(&answers) {
            let found = self.answers(at, &no, &order)?;
            let tests = |entries: &[Entry]| entries.iter().map(|entry| count(&entry.filter)).sum::<usize>();
            if best.as_ref().is_none_or(|best| tests(&found) < tests(best)) {
                best = Some(found);
            }
        }
        entries.extend(best.unwrap_or_default());
        Ok(next)
    }

    /// The terminals among `ends`, those with the same answer together.
    fn grouped(&self, ends: &[NodeId]) -> Vec<Vec<NodeId>> {
        let mut answers: Vec<Vec<NodeId>> = Vec::new();
        for &end in ends.iter().filter(|id| self.flow.is_terminal(**id)) {
            let same = |known: &Vec<NodeId>| known.first().map(|id| self.terminal(*id)) == Some(self.terminal(end));
            match answers.iter_mut().find(|known| same(known)) {
                Some(known) => known.push(end),
                None => answers.push(vec![end]),
            }
        }
        answers
    }

    /// One entry for each answer. An answer's condition may take in what an earlier entry has answered.
    fn answers(&mut self, at: NodeId, no: &[NodeId], order: &[Vec<NodeId>]) -> Result<Vec<Entry>, Stop> {
        let mut entries = Vec::new();
        let mut yes = Vec::new();
        for answer in order {
            yes.extend_from_slice(answer);
            let condition = self.conditions.of(at, &Ends { yes: yes.clone(), no: no.to_vec() })?;
            if let (Condition::When(filter), Some(&answer)) = (condition, answer.first()) {
                entries.push(Entry { filter, answer });
            }
        }
        Ok(entries)
    }

    /// Neighbours with one answer are one rule with several filters.
    fn joined(&self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut out: Vec<Entry> = Vec::new();
        for entry in entries {
            match out.last_mut() {
                Some(last) if self.terminal(last.answer) == self.terminal(entry.answer) => {
                    let before = std::mem::replace(&mut last.filter, Filter::Any(Vec::new()));
                    let mut alternatives = Vec::new();
                    for filter in [before, entry.filter] {
                        match filter {
                            Filter::Any(parts) => alternatives.extend(parts),
                            other => alternatives.push(other),
                        }
                    }
                    last.filter = Filter::Any(alternatives);
                }
                _ => out.push(entry),
            }
        }
        out
    }
}

/// Every order of at most three answers; of more, the order found and its reverse.
fn orders(answers: &[Vec<NodeId>]) -> Vec<Vec<Vec<NodeId>>> {
    match answers {
        [] => Vec::new(),
        [_] => vec![answers.to_vec()],
        [a, b, c] => [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]
            .into_iter()
            .map(|order| order.into_iter().cloned().collect())
            .collect(),
        _ => vec![answers.to_vec(), answers.iter().rev().cloned().collect()],
    }
}

/// Filters nest at most as deep as [`Conditions`] goes.
fn negates(filter: &Filter) -> bool {
    match filter {
        Filter::Test(_) => false,
        Filter::Not(_) => true,
        Filter::All(parts) | Filter::Any(parts) => parts.iter().any(negates),
    }
}
