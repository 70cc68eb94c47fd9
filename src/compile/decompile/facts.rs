//! Which outcomes of tests are known, and what they decide.
//!
//! The compiler moves an edge past tests whose outcome is known on every way (`compile::simplify`). To find the place from which
//! an edge was moved, the same is asked of the finished graph.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use crate::blob::{Argument, NodeId, Program, ProgramNode};
use crate::compile::patterns;
use crate::vocab::{FilterId, FilterInfo, Target};

/// A filter with its argument; equal ones have one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TestId(u32);

/// Outcomes that hold on every way to a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// By test.
    known: Vec<(TestId, bool)>,
}

impl Facts {
    fn outcome(&self, test: TestId) -> Option<bool> {
        let at = self.known.binary_search_by_key(&test, |known| known.0).ok()?;
        self.known.get(at).map(|known| known.1)
    }

    fn matched(&self) -> impl Iterator<Item = TestId> + '_ {
        self.known.iter().filter(|known| known.1).map(|known| known.0)
    }

    fn add(&mut self, test: TestId, outcome: bool) {
        match self.known.binary_search_by_key(&test, |known| known.0) {
            Ok(at) => self.known[at].1 = outcome,
            Err(at) => self.known.insert(at, (test, outcome)),
        }
    }

    /// How many outcomes are known.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// What holds on both ways.
    pub(super) fn keep_common(&mut self, other: &Self) {
        self.known.retain(|&(test, outcome)| other.outcome(test) == Some(outcome));
    }
}

/// What one test asks.
#[derive(Clone, Copy)]
struct Asked {
    filter: FilterId,
    argument: Argument,
    /// `None`: the target has no such filter.
    info: Option<&'static FilterInfo>,
    /// See [`Tests::is_load`].
    load: bool,
}

/// The tests of one program and how they exclude each other.
pub(super) struct Tests<'p> {
    program: &'p Program,
    /// By node.
    of_node: Vec<Option<TestId>>,
    tests: Vec<Asked>,
    disjoint: RefCell<FxHashMap<(TestId, TestId), bool>>,
}

impl<'p> Tests<'p> {
    pub(super) fn new(program: &'p Program, target: &'static Target) -> Self {
        // Arguments are numbers of records, or values of 16 bits.
        let mut numbers = FxHashMap::default();
        let mut tests = Vec::new();
        let of_node = program.nodes.iter().map(|node| match *node {
            ProgramNode::Test { filter, argument, .. } => {
                Some(*numbers.entry((filter, argument)).or_insert_with(|| {
                    let filter = FilterId(filter);
                    let needs = |info: &FilterInfo| info.requires == Some(filter);
                    let (info, load) = (target.filter(filter), target.filters().iter().any(needs));
                    tests.push(Asked { filter, argument, info, load });
                    TestId(tests.len() as u32 - 1)
                }))
            }
            ProgramNode::Terminal(_) => None,
        });
        let of_node = of_node.collect();
        Self { program, of_node, tests, disjoint: RefCell::default() }
    }

    /// The test at `node`.
    pub(super) fn at(&self, node: NodeId) -> Option<TestId> {
        self.of_node.get(node.index()).copied().flatten()
    }

    fn get(&self, test: TestId) -> Option<&Asked> {
        self.tests.get(test.0 as usize)
    }

    /// Whether a match of `test` sets what later tests look at (`%entitlement-load`).
    pub(super) fn is_load(&self, test: TestId) -> bool {
        self.get(test).is_some_and(|test| test.load)
    }

    /// Adds an outcome. Tests whose meaning hangs on a test before them are not remembered.
    pub(super) fn learn(&self, facts: &mut Facts, test: TestId, outcome: bool) {
        let info = self.get(test).and_then(|test| test.info);
        if info.is_none_or(|info| info.requires.is_none()) {
            facts.add(test, outcome);
        }
    }

    /// The outcome of `test` where `facts` hold.
    pub(super) fn outcome(&self, facts: &Facts, test: TestId) -> Option<bool> {
        let info = self.get(test)?.info?;
        if info.requires.is_some() {
            return None;
        }
        if let Some(outcome) = facts.outcome(test) {
            return Some(outcome);
        }
        if !info.single_valued && !info.contrary {
            return None;
        }
        facts.matched().any(|matched| self.excludes(matched, test)).then_some(false)
    }

    fn excludes(&self, matched: TestId, other: TestId) -> bool {
        let (Some(a), Some(b)) = (self.get(matched), self.get(other)) else { return false };
        if a.filter != b.filter {
            let contrary = |test: &Asked| test.info.is_some_and(|info| info.contrary);
            return contrary(a) && contrary(b);
        }
        if !a.info.is_some_and(|info| info.single_valued) {
            return false;
        }
        *self
            .disjoint
            .borrow_mut()
            .entry((matched, other))
            .or_insert_with(|| self.no_common_value(a.argument, b.argument))
    }

    fn no_common_value(&self, a: Argument, b: Argument) -> bool {
        let program = self.program;
        match (a, b) {
            (Argument::Integer(a), Argument::Integer(b)) => a != b,
            (Argument::Integer(one), Argument::Bitmask(set)) | (Argument::Bitmask(set), Argument::Integer(one)) => {
                let set = program.bitmasks.get(set.index());
                set.is_some_and(|set| set.numbers().all(|number| number != u32::from(one)))
            }
            (Argument::String(a), Argument::String(b)) => {
                program.strings.get(a.index()) != program.strings.get(b.index())
            }
            (Argument::Pattern(a), Argument::Pattern(b)) => {
                match (program.patterns.get(a.index()), program.patterns.get(b.index())) {
                    (Some(a), Some(b)) => {
                        let names = &program.variables.names;
                        patterns::disjoint(a, b, |number| names.get(usize::from(number)).map(Vec::as_slice))
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
}
