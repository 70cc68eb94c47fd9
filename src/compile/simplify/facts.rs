//! What is known on a way through the graph: tests with their outcomes.

use crate::compile::graph::TestId;

/// Outcomes of tests, two bit sets over [`TestId`], and what was loaded last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// In turn a word of the tests that matched and one of those that did not.
    words: Vec<u64>,
    /// The test whose match came last of those that tests of a value look back at (`%entitlement-load`); `None` when there was none, or
    /// another one on every way.
    pub(super) loaded: Option<TestId>,
}

/// The word and the bit of an outcome.
fn place(test: TestId, outcome: bool) -> (usize, u64) {
    (test.index() / 64 * 2 + usize::from(!outcome), 1 << (test.index() % 64))
}

impl Facts {
    /// Nothing known, room for `tests` tests.
    pub(super) fn none(tests: usize) -> Self {
        Self { words: vec![0; Self::words(tests)], loaded: None }
    }

    /// How many words hold the outcomes of `tests` tests.
    pub(super) fn words(tests: usize) -> usize {
        tests.div_ceil(64) * 2
    }

    /// Makes room for `tests` tests; never less than there is.
    pub(super) fn widen(&mut self, tests: usize) {
        let words = Self::words(tests).max(self.words.len());
        self.words.resize(words, 0);
    }

    /// Becomes `other` without new memory.
    pub(super) fn copy(&mut self, other: &Self) {
        self.words.clone_from(&other.words);
        self.loaded = other.loaded;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
        self.loaded = None;
    }

    /// Adds an outcome. The test is one of those there was room made for.
    pub(super) fn add(&mut self, test: TestId, outcome: bool) {
        let (word, bit) = place(test, outcome);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes an outcome away.
    pub(super) fn remove(&mut self, test: TestId, outcome: bool) {
        let (word, bit) = place(test, outcome);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    /// The outcome of exactly this test.
    pub(super) fn outcome(&self, test: TestId) -> Option<bool> {
        let has = |outcome: bool| {
            let (word, bit) = place(test, outcome);
            self.words.get(word).is_some_and(|word| word & bit != 0)
        };
        [true, false].into_iter().find(|outcome| has(*outcome))
    }

    /// Keeps what `other` knows as well.
    pub(super) fn keep_common(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
        self.loaded = self.loaded.filter(|loaded| other.loaded == Some(*loaded));
    }

    /// The tests that had `outcome`.
    pub(super) fn with_outcome(&self, outcome: bool) -> impl Iterator<Item = TestId> + '_ {
        (0_u32..).step_by(64).zip(self.words.iter().skip(usize::from(!outcome)).step_by(2)).flat_map(
            |(first, &word)| {
                let rest = |word: u64| Some(word).filter(|word| *word != 0);
                std::iter::successors(rest(word), move |word| rest(word & (word - 1)))
                    .map(move |word| TestId(first + word.trailing_zeros()))
            },
        )
    }
}
