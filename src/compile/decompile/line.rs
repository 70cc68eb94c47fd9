//! From a graph whose edges were moved past decided tests to one whose rules stand one behind the other.
//!
//! Where nothing matches, a program goes from rule to rule along else edges: its *line*. A rule that fails leads to the next one, but
//! simplification moves such an edge on when the next tests are decided, perhaps into the middle of a later rule, and a rule
//! all of whose first tests are decided there drops out of the line. [`unfold`] moves the edges back:
//!
//! - every node belongs to the rule that leads to it; a node that several rules lead to is taken once for each;
//! - an edge that leaves its rule goes to the first later rule from which, with what is known on that edge, every way leads to
//!   where the edge led;
//! - a node to which several rules lead, and which the line may go through, becomes a rule of its own;
//! - a few tests at the end of a rule to which several ways lead, and which lead past later rules, are taken once for each
//!   way: on one way alone more is known.
//!
//! **Invariants:** a request reaches the same end in both graphs; edges lead forward in the line or inside a rule.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::facts::{Facts, TestId, Tests};
use super::flow::{Flow, Step};
use crate::blob::{NodeId, Program, ProgramNode};

/// Tests that one walk may meet.
const MAX_WALK: usize = 400;
/// Tests that all walks of one program may meet.
const MAX_WALKS: usize = 4_000_000;
/// Walks of one program.
const MAX_STARTS: usize = 2_000_000;
/// Words of the table of which rule leads where, and outcomes that may be remembered at once: of hostile programs both grow with the
/// square of the size.
const MAX_TABLE: usize = 16_000_000;
/// Times that the edges are gone over.
const MAX_ROUNDS: usize = 8;
/// The unfolded graph may have so many times the nodes, and then some.
const MAX_GROWTH: usize = 4;
const MIN_GROWTH: usize = 200;

/// Most tests that are taken once for each way to them.
const MAX_SPLIT: usize = 16;

/// A node of the unfolded graph: a node as a part of the rule at a place of the line, and which copy of it.
type Place = (usize, NodeId, u32);

/// An unfolded program.
pub(super) struct Unfolded<'p> {
    pub(super) flow: Flow<'p>,
    pub(super) root: NodeId,
}

/// Unfolds the program at `root`; ways end at `through` and at terminals. `None` when nothing is to be gained or the graph
/// would grow too large.
pub(super) fn unfold<'p>(
    program: &'p Program,
    tests: &Tests<'_>,
    root: NodeId,
    through: &[NodeId],
) -> Option<Unfolded<'p>> {
    let mut graph = Graph { program, tests, steps: Vec::new(), tangled: FxHashSet::default() };
    let mut root = root;
    let mut budget = (MAX_WALKS, MAX_STARTS);
    let mut limit = None;
    // What was moved back lets more be moved back.
    for _ in 0..MAX_ROUNDS {
        let mut work = Unfolding::of(&graph, root, through, budget);
        let limit = *limit.get_or_insert(MIN_GROWTH + MAX_GROWTH * work.order.len());
        let Some((steps, tangled, new_root, changed)) = work.round(root, limit) else { break };
        budget = (work.budget, work.starts);
        (graph.steps, graph.tangled, root) = (steps, tangled, new_root);
        if !changed {
            break;
        }
    }
    let steps: Vec<Step> = graph.steps.iter().map(|(step, _)| *step).collect();
    (!steps.is_empty()).then(|| Unfolded { flow: Flow::unfolded(program, steps), root })
}

/// The program's nodes, or what became of those of one root: then they are numbered behind the program's.
struct Graph<'p, 't> {
    program: &'p Program,
    tests: &'t Tests<'t>,
    steps: Vec<(Step, TestId)>,
    /// Nodes that are to be taken once for each way to them.
    tangled: FxHashSet<NodeId>,
}

/// The steps of a new graph, its tangled nodes, its root, and whether it is another graph than before.
type Round = (Vec<(Step, TestId)>, FxHashSet<NodeId>, NodeId, bool);

impl Graph<'_, '_> {
    fn step(&self, id: NodeId) -> Option<Step> {
        match id.index().checked_sub(self.program.nodes.len()) {
            Some(at) => self.steps.get(at).map(|node| node.0),
            None => match *self.program.node(id)? {
                ProgramNode::Test { filter, argument, matched, unmatched } => {
                    Some(Step { filter, argument, matched, unmatched })
                }
                ProgramNode::Terminal(_) => None,
            },
        }
    }

    fn test(&self, id: NodeId) -> Option<TestId> {
        match id.index().checked_sub(self.program.nodes.len()) {
            Some(at) => self.steps.get(at).map(|node| node.1),
            None => self.tests.at(id),
        }
    }
}

/// What one pass over the line found.
struct Pass {
    /// In the order of the line, inside a rule in the order of the graph.
    nodes: Vec<(Place, Step, [Target; 2])>,
    /// The rules that lead to a node beside the line.
    owners: FxHashMap<NodeId, BTreeSet<usize>>,
    /// What is known on the else edge of each node of the line.
    behind: FxHashMap<NodeId, Facts>,
    /// Edges that lead elsewhere than before.
    moved: usize,
}

/// Where an edge leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    Node(Place),
    End(NodeId),
}

struct Unfolding<'g> {
    graph: &'g Graph<'g, 'g>,
    through: &'g [NodeId],
    /// Every node that the root reaches, by its place in an order in which every node stands before what it leads to.
    order: Vec<NodeId>,
    position: FxHashMap<NodeId, usize>,
    budget: usize,
    starts: usize,
}

impl<'g> Unfolding<'g> {
    fn of(graph: &'g Graph<'_, '_>, root: NodeId, through: &'g [NodeId], budget: (usize, usize)) -> Self {
        let mut order = Vec::new();
        let mut seen = FxHashSet::default();
        let mut pending = vec![(root, false)];
        while let Some((id, leave)) = pending.pop() {
            if leave {
                order.push(id);
            } else if seen.insert(id) {
                pending.push((id, true));
                if let Some(step) = graph.step(id) {
                    pending.extend([(step.unmatched, false), (step.matched, false)]);
                }
            }
        }
        order.reverse();
        let position = order.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let (budget, starts) = budget;
        Self { graph, through, order, position, budget, starts }
    }

    fn step(&self, id: NodeId) -> Option<Step> {
        self.graph.step(id)
    }

    fn is_end(&self, id: NodeId) -> bool {
        self.through.contains(&id) || self.step(id).is_none()
    }

    fn position(&self, id: NodeId) -> usize {
        self.position.get(&id).copied().unwrap_or(usize::MAX)
    }

    fn round(&mut self, root: NodeId, limit: usize) -> Option<Round> {
        let mut line = self.line(root);
        let mut pass = self.pass(root, &line, limit)?;
        let missing = self.missing(&line, &pass);
        for (at, node) in missing.iter().rev() {
            line.insert(*at, *node);
        }
        if !missing.is_empty() {
            pass = self.pass(root, &line, limit)?;
        }
        let changed = pass.moved > 0 || pass.nodes.len() != self.graph.steps.len() || !self.graph.tangled.is_empty();
        self.finish(root, pass, changed)
    }

    /// The else edges from the root up to the program that it leads into, which stands last.
    fn line(&self, root: NodeId) -> Vec<NodeId> {
        let mut inside: FxHashSet<NodeId> = FxHashSet::default();
        let mut pending = self.through.to_vec();
        while let Some(id) = pending.pop() {
            if inside.insert(id)
                && let Some(step) = self.step(id)
            {
                pending.extend([step.matched, step.unmatched]);
            }
        }
        let mut line = Vec::new();
        let mut at = root;
        while let Some(step) = self.step(at).filter(|_| !inside.contains(&at)) {
            line.push(at);
            at = step.unmatched;
        }
        let mut ends: Vec<NodeId> = self.through.iter().copied().filter(|id| self.position.contains_key(id)).collect();
        ends.sort_by_key(|id| self.position(*id));
        ends.dedup();
        line.extend(ends);
        line
    }

    /// For every node the places of the line from which a way leads to it.
    fn reaching(&self, line: &[NodeId]) -> FxHashMap<NodeId, Vec<u64>> {
        let words = line.len().div_ceil(64);
        let mut out: FxHashMap<NodeId, Vec<u64>> = FxHashMap::default();
        let places: FxHashMap<NodeId, usize> = line.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        for &id in &self.order {
            let mut own = out.remove(&id).unwrap_or_else(|| vec![0; words]);
            if let Some(&at) = places.get(&id)
                && let Some(word) = own.get_mut(at / 64)
            {
                *word |= 1 << (at % 64);
            }
            if let Some(step) = self.step(id) {
                for next in [step.matched, step.unmatched] {
                    let words = out.entry(next).or_insert_with(|| vec![0; words]);
                    words.iter_mut().zip(&own).for_each(|(word, own)| *word |= own);
                }
            }
            out.insert(id, own);
        }
        out
    }

    /// Whether every way from `start` on which `facts` hold leads to `end`.
    fn leads(&mut self, start: NodeId, end: NodeId, facts: &Facts) -> bool {
        if self.starts == 0 {
            return false;
        }
        self.starts -= 1;
        let last = self.position(end);
        let mut seen = FxHashSet::default();
        let mut pending = vec![start];
        while let Some(id) = pending.pop() {
            if id == end || !seen.insert(id) {
                continue;
            }
            let (Some(step), Some(test)) = (self.step(id), self.graph.test(id)) else { return false };
            if seen.len() > MAX_WALK || self.budget == 0 || self.position(id) > last {
                return false;
            }
            self.budget -= 1;
            match self.graph.tests.outcome(facts, test) {
                // What is loaded there would be another thing than what is loaded here.
                Some(true) if self.graph.tests.is_load(test) => return false,
                Some(true) => pending.push(step.matched),
                Some(false) => pending.push(step.unmatched),
                None => pending.extend([step.unmatched, step.matched]),
            }
        }
        true
    }

    /// Moves the edges of every rule back, first rule first.
    fn pass(&mut self, root: NodeId, line: &[NodeId], limit: usize) -> Option<Pass> {
        if line.len().div_ceil(64).saturating_mul(self.order.len()) > MAX_TABLE {
            return None;
        }
        let places: FxHashMap<NodeId, usize> = line.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let reaching = self.reaching(line);
        let mut remembered = 0;
        let mut facts: FxHashMap<Place, Facts> = FxHashMap::from_iter([((0, root, 0), Facts::default())]);
        let mut pass = Pass { nodes: Vec::new(), owners: FxHashMap::default(), behind: FxHashMap::default(), moved: 0 };
        let mut copies = 0;
        for (at, &head) in line.iter().enumerate() {
            if self.is_end(head) || !facts.contains_key(&(at, head, 0)) {
                continue;
            }
            let mut pending = BTreeSet::from([(self.position(head), head, 0)]);
            while let Some((_, id, copy)) = pending.pop_first() {
                let (Some(step), Some(test), Some(here)) =
                    (self.step(id), self.graph.test(id), facts.remove(&(at, id, copy)))
                else {
                    return None;
                };
                let known = [true, false].map(|outcome| {
                    let mut known = here.clone();
                    self.graph.tests.learn(&mut known, test, outcome);
                    known
                });
                if id == head {
                    remembered += known[1].len();
                    pass.behind.insert(head, known[1].clone());
                }
                let old = [step.matched, step.unmatched];
                let mut ends = old;
                for (end, known) in ends.iter_mut().zip(&known) {
                    *end = self.moved_back(*end, at, line, &places, &reaching, known);
                }
                // The test decides something, or it would not be here.
                if ends[0] == ends[1] {
                    ends = old;
                }
                pass.moved += usize::from(ends != old);
                let targets = ends.map(|end| match places.get(&end) {
                    _ if self.is_end(end) => Target::End(end),
                    Some(&place) if place > at => Target::Node((place, end, 0)),
                    _ if self.graph.tangled.contains(&end) => {
                        copies += 1;
                        Target::Node((at, end, copies))
                    }
                    _ => Target::Node((at, end, 0)),
                });
                for (target, known) in targets.iter().zip(known) {
                    let Target::Node(place) = *target else { continue };
                    if place.0 == at {
                        pass.owners.entry(place.1).or_default().insert(at);
                        pending.insert((self.position(place.1), place.1, place.2));
                    }
                    match facts.get_mut(&place) {
                        Some(facts) => facts.keep_common(&known),
                        None => {
                            remembered += known.len();
                            facts.insert(place, known);
                        }
                    }
                }
                remembered -= here.len().min(remembered);
                if remembered > MAX_TABLE {
                    return None;
                }
                pass.nodes.push(((at, id, copy), step, targets));
                if pass.nodes.len() > limit {
                    return None;
                }
            }
        }
        Some(pass)
    }

    /// The first rule behind the one at `at` from which `end` is reached for certain, else `end`.
    fn moved_back(
        &mut self,
        end: NodeId,
        at: usize,
        line: &[NodeId],
        places: &FxHashMap<NodeId, usize>,
        reaching: &FxHashMap<NodeId, Vec<u64>>,
        known: &Facts,
    ) -> NodeId {
        if self.step(end).is_none() {
            return end;
        }
        let last = places.get(&end).copied().unwrap_or(line.len());
        let Some(words) = reaching.get(&end) else { return end };
        for (number, &word) in words.iter().enumerate().skip((at + 1) / 64) {
            let mut left = word;
            while left != 0 {
                let place = number * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                if place >= last {
                    return end;
                }
                if let Some(&start) = line.get(place).filter(|_| place > at)
                    && self.leads(start, end, known)
                {
                    return start;
                }
            }
        }
        end
    }

    /// Nodes beside the line that belong into it, each with its place.
    fn missing(&mut self, line: &[NodeId], pass: &Pass) -> Vec<(usize, NodeId)> {
        let places: FxHashMap<NodeId, usize> = line.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut shared: Vec<NodeId> =
            pass.owners.iter().filter(|(_, owners)| owners.len() > 1).map(|(id, _)| *id).collect();
        shared.sort_by_key(|id| self.position(*id));
        let mut out: Vec<(usize, NodeId)> = Vec::new();
        for id in shared {
            let Some(place) = self.first_reached(id, &places) else { continue };
            let before = place.checked_sub(1).and_then(|before| line.get(before));
            let (Some(before), Some(&next)) = (before, line.get(place)) else { continue };
            let Some(known) = pass.behind.get(before) else { continue };
            if out.iter().all(|other| other.0 != place) && self.leads(id, next, known) {
                out.push((place, id));
            }
        }
        out.sort_by_key(|found| found.0);
        out
    }

    /// The first place of the line that `id` leads to.
    fn first_reached(&self, id: NodeId, places: &FxHashMap<NodeId, usize>) -> Option<usize> {
        let mut seen = FxHashSet::from_iter([id]);
        let mut pending = vec![id];
        let mut first = None;
        while let Some(id) = pending.pop() {
            if let Some(&place) = places.get(&id) {
                first = Some(first.map_or(place, |first: usize| first.min(place)));
            } else if let Some(step) = self.step(id) {
                pending.extend([step.matched, step.unmatched].into_iter().filter(|next| seen.insert(*next)));
            }
        }
        first
    }

    /// Places beside the line to which several ways lead, and a short way from which leads past the next rule.
    fn tangled(&self, pass: &Pass) -> FxHashSet<Place> {
        let mut ways: FxHashMap<Place, usize> = FxHashMap::default();
        // Tests behind a place in the same rule, and whether one leads past the next.
        let mut behind: FxHashMap<Place, (usize, bool)> = FxHashMap::default();
        for (place, _, targets) in pass.nodes.iter().rev() {
            let (mut tests, mut past) = (1_usize, false);
            for target in targets {
                let Target::Node(next) = *target else { continue };
                if next.0 == place.0 {
                    *ways.entry(next).or_default() += 1;
                    let known = behind.get(&next).copied().unwrap_or_default();
                    tests = tests.saturating_add(known.0);
                    past |= known.1;
                } else {
                    past |= next.0 > place.0 + 1;
                }
            }
            behind.insert(*place, (tests, past));
        }
        ways.retain(|place, ways| *ways > 1 && behind.get(place).is_some_and(|known| known.1 && known.0 <= MAX_SPLIT));
        ways.into_keys().collect()
    }

    /// The new graph.
    fn finish(&self, root: NodeId, mut pass: Pass, changed: bool) -> Option<Round> {
        pass.nodes.sort_by_key(|((at, id, copy), ..)| (*at, self.position(*id), *copy));
        let tangled = self.tangled(&pass);
        let base = self.graph.program.nodes.len();
        let numbers: FxHashMap<Place, NodeId> = pass
            .nodes
            .iter()
            .enumerate()
            .map(|(at, (place, ..))| Some((*place, NodeId(u32::try_from(base + at).ok()?))))
            .collect::<Option<_>>()?;
        let number = |target: Target| match target {
            Target::Node(place) => numbers.get(&place).copied(),
            Target::End(id) => Some(id),
        };
        let steps = pass.nodes.iter().map(|(place, step, [matched, unmatched])| {
            let step = Step { matched: number(*matched)?, unmatched: number(*unmatched)?, ..*step };
            Some((step, self.graph.test(place.1)?))
        });
        let tangled: FxHashSet<NodeId> = tangled.iter().filter_map(|place| numbers.get(place).copied()).collect();
        let changed = changed || !tangled.is_empty();
        Some((steps.collect::<Option<_>>()?, tangled, numbers.get(&(0, root, 0)).copied()?, changed))
    }
}
