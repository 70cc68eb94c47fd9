//! What is known on a way through the graph: tests with their outcomes.

use crate::compile::graph::TestId;

/// Outcomes of tests, two bit sets over [`TestId`], and what was loaded last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    matched: Vec<u64>,
    unmatched: Vec<u64>,
    /// The test whose match came last of those that tests of a value look back at (`%entitlement-load`); `None` when there was none, or
    /// another one on every way.
    pub(super) loaded: Option<TestId>,
}

fn has(bits: &[u64], test: TestId) -> bool {
    bits.get(test.index() / 64).is_some_and(|word| word >> (test.index() % 64) & 1 == 1)
}

impl Facts {
    /// Nothing known, room for `tests` tests.
    pub(super) fn none(tests: usize) -> Self {
        let words = tests.div_ceil(64);
        Self { matched: vec![0; words], unmatched: vec![0; words], loaded: None }
    }

    /// Adds an outcome. The test is one of those there was room made for.
    pub(super) fn add(&mut self, test: TestId, outcome: bool) {
        let bits = if outcome { &mut self.matched } else { &mut self.unmatched };
        if let Some(word) = bits.get_mut(test.index() / 64) {
            *word |= 1 << (test.index() % 64);
        }
    }

    /// Takes an outcome away.
    pub(super) fn remove(&mut self, test: TestId, outcome: bool) {
        let bits = if outcome { &mut self.matched } else { &mut self.unmatched };
        if let Some(word) = bits.get_mut(test.index() / 64) {
            *word &= !(1 << (test.index() % 64));
        }
    }

    /// The outcome of exactly this test.
    pub(super) fn outcome(&self, test: TestId) -> Option<bool> {
        if has(&self.matched, test) {
            Some(true)
        } else if has(&self.unmatched, test) {
            Some(false)
        } else {
            None
        }
    }

    /// Keeps what `other` knows as well.
    pub(super) fn keep_common(&mut self, other: &Self) {
        for (bits, others) in [(&mut self.matched, &other.matched), (&mut self.unmatched, &other.unmatched)] {
            bits.iter_mut().zip(others).for_each(|(word, other)| *word &= other);
        }
        self.loaded = self.loaded.filter(|loaded| other.loaded == Some(*loaded));
    }

    /// The tests that matched.
    pub(super) fn matched(&self) -> impl Iterator<Item = TestId> + '_ {
        members(&self.matched)
    }

    /// The tests that did not match.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = TestId> + '_ {
        members(&self.unmatched)
    }
}

fn members(bits: &[u64]) -> impl Iterator<Item = TestId> + '_ {
    (0_u32..)
        .zip(bits)
        .filter(|(_, word)| **word != 0)
        .flat_map(|(at, &word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| TestId(at * 64 + bit)))
}
