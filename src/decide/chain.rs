//! The rules of a policy as the chain of tests that compiling makes of them.
//!
//! A test of an entitlement's value looks at the entitlement that was loaded last. Mostly its load stands beside it in the same "and",
//! and a rule is a condition of its own. Where it does not (`(require-all (require-any LOAD-A LOAD-B) VALUE)`, a load in one rule and the
//! value in another), which one was loaded hangs on the way through the tests, in the order in which they are asked. This is that order:
//! rules newest first, parts first to last, as `compile` makes nodes of them.
//!
//! **Invariants:** a node stands behind those that it leads to; equal nodes are one.

use std::convert::Infallible;

use indexmap::IndexSet;

use super::graph::GraphError;
use super::lift::{Step, Tests};
use super::rules::{lists, programs};
use crate::blob::NodeId;
use crate::policy::{Arg, Filter, Policy, Test};
use crate::vocab::{Action, FilterId, Target};

/// Whether some test of a value in `policy` may look at another load than the one beside it.
pub(crate) fn is_needed_for(policy: &Policy) -> bool {
    let Some(filters) = Entitlements::of(policy.target()) else { return false };
    let mut needed = false;
    for filter in policy.rules().iter().filter_map(|rule| rule.filter.as_ref()) {
        filters.known_behind(filter, false, &mut needed);
    }
    needed
}

/// The filters that load and look back.
struct Entitlements<'t> {
    target: &'t Target,
    load: FilterId,
}

impl<'t> Entitlements<'t> {
    fn of(target: &'t Target) -> Option<Self> {
        target.filters().iter().find_map(|info| info.requires).map(|load| Self { target, load })
    }

    fn is_value(&self, filter: FilterId) -> bool {
        self.target.filter(filter).is_some_and(|info| info.requires.is_some())
    }

    /// Whether it is known behind a match of `filter` what is loaded, if that is `known` before it. Recursion is bounded by the policy's
    /// limit on nesting.
    fn known_behind(&self, filter: &Filter, known: bool, needed: &mut bool) -> bool {
        match filter {
            Filter::Test(test) => {
                *needed |= !known && self.is_value(test.filter);
                known || test.filter == self.load
            }
            Filter::All(parts) => parts.iter().fold(known, |known, part| self.known_behind(part, known, needed)),
            // A part that fails may have loaded something too.
            Filter::Any(parts) => parts.iter().fold(known, |known, part| {
                self.known_behind(part, known, needed);
                known && !self.loads(part)
            }),
            Filter::Not(inner) => {
                self.known_behind(inner, known, needed);
                known && !self.loads(inner)
            }
        }
    }

    fn loads(&self, filter: &Filter) -> bool {
        match filter {
            Filter::Test(test) => test.filter == self.load,
            Filter::All(parts) | Filter::Any(parts) => parts.iter().any(|part| self.loads(part)),
            Filter::Not(inner) => self.loads(inner),
        }
    }
}

const DENY: NodeId = NodeId(0);
const ALLOW: NodeId = NodeId(1);
/// The number of the first test.
const FIRST: u32 = 2;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Node {
    /// Its place among the tests.
    test: usize,
    matched: NodeId,
    unmatched: NodeId,
}

/// All rules of a policy as tests.
pub(super) struct Chain {
    tests: IndexSet<Test>,
    nodes: IndexSet<Node>,
    /// By node: whether what was loaded before it may be looked at.
    looks_back: Vec<bool>,
    filters: Option<(FilterId, Vec<FilterId>)>,
}

impl Chain {
    /// The tests of `policy`, and where each operation begins, by number.
    pub(super) fn new(policy: &Policy) -> (Self, Vec<NodeId>) {
        let target = policy.target();
        let filters = Entitlements::of(target).map(|known| {
            let values = target.filters().iter().map(|info| info.id).filter(|id| known.is_value(*id));
            (known.load, values.collect())
        });
        let mut chain =
            Self { tests: IndexSet::new(), nodes: IndexSet::new(), looks_back: vec![false; FIRST as usize], filters };
        let end = |action| if action == Action::Allow { ALLOW } else { DENY };
        let Ok(roots) = programs(policy, &lists(policy), end, |id, answer, rest| {
            let filter = policy.get(id).and_then(|rule| rule.filter.as_ref());
            Ok::<_, Infallible>(filter.map_or(rest, |filter| chain.rule(filter, answer, rest)))
        });
        (chain, roots)
    }

    /// The node that goes to `matched` when `filter` holds and to `unmatched` when not. Recursion is bounded by the policy's limit on
    /// nesting.
    fn rule(&mut self, filter: &Filter, matched: NodeId, unmatched: NodeId) -> NodeId {
        match filter {
            Filter::Test(test) => self.node(test, matched, unmatched),
            Filter::Not(inner) => self.rule(inner, unmatched, matched),
            Filter::All(parts) => parts.iter().rev().fold(matched, |rest, part| self.rule(part, rest, unmatched)),
            Filter::Any(parts) => parts.iter().rev().fold(unmatched, |rest, part| self.rule(part, matched, rest)),
        }
    }

    fn node(&mut self, test: &Test, matched: NodeId, unmatched: NodeId) -> NodeId {
        let number = match self.tests.get_index_of(test) {
            Some(number) => number,
            None => self.tests.insert_full(test.clone()).0,
        };
        let (place, is_new) = self.nodes.insert_full(Node { test: number, matched, unmatched });
        if is_new {
            let (is_load, is_value) = self
                .filters
                .as_ref()
                .map_or((false, false), |(load, values)| (test.filter == *load, values.contains(&test.filter)));
            let looks = is_value || self.looks_back(unmatched) || !is_load && self.looks_back(matched);
            self.looks_back.push(looks);
        }
        // More than 2^32 nodes do not fit into memory.
        NodeId(FIRST + place as u32)
    }

    fn get(&self, node: NodeId) -> Option<(&Node, &Test)> {
        let node = self.nodes.get_index(node.index().checked_sub(FIRST as usize)?)?;
        Some((node, self.tests.get_index(node.test)?))
    }
}

impl Tests for Chain {
    fn step(&self, node: NodeId) -> Step<'_> {
        let Some((Node { matched, unmatched, .. }, test)) = self.get(node) else { return Step::Answer(node == ALLOW) };
        let is_load = self.filters.as_ref().is_some_and(|(load, _)| test.filter == *load);
        let loads = match &test.arg {
            Arg::String(name) if is_load => Some(name.as_slice()),
            _ => None,
        };
        Step::Test { loads, matched: *matched, unmatched: *unmatched }
    }

    fn condition(&self, node: NodeId) -> Result<Filter, GraphError> {
        Ok(self.get(node).map_or(Filter::Any(Vec::new()), |(_, test)| Filter::Test(test.clone())))
    }

    fn looks_back(&self, node: NodeId) -> bool {
        self.looks_back.get(node.index()).copied().unwrap_or(false)
    }
}
