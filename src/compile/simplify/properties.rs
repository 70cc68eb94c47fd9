//! What simplification asks about a test, looked up once for each.

use super::cost::cost;
use crate::compile::graph::{Argument, Graph, TestId};
use crate::vocab::{FilterId, Target};

/// The properties of one test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Properties {
    pub(super) filter: FilterId,
    /// As [`cost`].
    pub(super) cost: i64,
    /// A string test that can be united with another one.
    pub(super) string: bool,
    /// Two values never match at once.
    pub(super) single_valued: bool,
    /// Excludes other filters of this kind.
    pub(super) contrary: bool,
    /// A match of it is what tests of a value look back at (`%entitlement-load`).
    pub(super) loads: bool,
    /// The filter that such a test looks back at.
    pub(super) requires: Option<FilterId>,
}

/// The properties of all tests of a graph, by test.
pub(super) struct Table {
    target: &'static Target,
    tests: Vec<Properties>,
}

impl Table {
    pub(super) fn new(target: &'static Target) -> Self {
        Self { target, tests: Vec::new() }
    }

    pub(super) fn target(&self) -> &'static Target {
        self.target
    }

    /// Takes in the tests that were made since the last time; due after each new test.
    pub(super) fn update(&mut self, graph: &Graph) {
        for test in self.tests.len()..graph.test_count() {
            self.tests.push(properties(self.target, graph, TestId(test as u32)));
        }
    }

    /// The properties of a test that was taken in.
    pub(super) fn of(&self, test: TestId) -> &Properties {
        &self.tests[test.index()]
    }
}

fn properties(target: &Target, graph: &Graph, test: TestId) -> Properties {
    let key = graph.test(test);
    let info = target.filter(key.filter);
    Properties {
        filter: key.filter,
        cost: cost(target, key),
        string: matches!(&key.argument, Argument::Pattern(pattern) if !pattern.tree.is_search()),
        single_valued: info.is_some_and(|info| info.single_valued),
        contrary: info.is_some_and(|info| info.contrary),
        loads: target.filters().iter().any(|info| info.requires == Some(key.filter)),
        requires: info.and_then(|info| info.requires),
    }
}
