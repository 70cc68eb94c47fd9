//! Questions about several languages at once: overlap, inclusion, equality, and a subject that shows it.
//!
//! A [`Space`] is the automaton of a list of patterns. Every question of set algebra is a condition on *which patterns match*
//! (bit n for pattern n): union is "a or b", difference "a and not b", complement "not a". [`Space::witness`] decides a
//! condition and returns the shortest subject that meets it. Nothing is sampled: an answer of "none" is a proof, and a spent
//! budget is an error.

use std::collections::{HashSet, VecDeque};

use super::{ByteClass, DfaState, LazyDfa, Nfa, TooManyStates, Variables};
use crate::pattern::Pattern;
use crate::pattern::regex;

/// Which subjects count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Every byte string.
    Anything,
    /// Canonical absolute paths, as the kernel hands them to a filter: `/`, or components that are not empty, not `.` and not
    /// `..`, without NUL and without a slash at the end.
    Paths,
    /// Such paths as a filter that folds case sees them: without upper-case ASCII letters.
    FoldedPaths,
    /// Names: not empty, without NUL.
    Names,
    /// Such names without upper-case ASCII letters.
    FoldedNames,
}

impl Domain {
    /// A regex for it; none for [`Domain::Anything`].
    const fn regex(self) -> Option<&'static [u8]> {
        match self {
            Self::Anything => None,
            Self::Paths => Some(b"^(/|(/([^/.\0][^/\0]*|\\.([^/.\0][^/\0]*|\\.[^/\0]+)))+)$"),
            Self::FoldedPaths => Some(b"^(/|(/([^/.\0A-Z][^/\0A-Z]*|\\.([^/.\0A-Z][^/\0A-Z]*|\\.[^/\0A-Z]+)))+)$"),
            Self::Names => Some(b"^[^\0]+$"),
            Self::FoldedNames => Some(b"^[^\0A-Z]+$"),
        }
    }

    /// The pattern that the subjects match, and no other strings do; none for [`Domain::Anything`].
    pub(crate) fn pattern(self) -> Option<Pattern> {
        // The texts are constants that a test parses.
        self.regex().and_then(|text| regex::parse(text).ok()).map(Pattern::from_regex)
    }
}

/// The patterns that match a subject: bit `n % 64` of word `n / 64` for pattern n.
pub type Matching = [u64];

/// Whether pattern `number` is in `matching`.
pub fn contains(matching: &Matching, number: usize) -> bool {
    matching.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
}

/// A set of patterns that some subject matches, and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// The patterns, as [`Matching`].
    pub matching: Vec<u64>,
    /// The shortest such subject.
    pub subject: Vec<u8>,
}

/// A list of patterns and the subjects that count.
#[derive(Debug, Clone)]
pub struct Space {
    dfa: LazyDfa,
    patterns: usize,
    /// The number of the pattern that stands for the domain.
    domain: Option<u32>,
}

impl Space {
    /// The space of `patterns` inside `domain`. `budget` is the number of automaton states that questions may build.
    pub fn new(patterns: &[Pattern], variables: &Variables, domain: Domain, budget: usize) -> Self {
        let mut nfa = Nfa::new();
        for pattern in patterns {
            nfa.add(pattern, variables);
        }
        let domain = domain.pattern().map(|domain| nfa.add(&domain, variables));
        Self { dfa: LazyDfa::new(nfa, budget), patterns: patterns.len(), domain }
    }

    /// The number of patterns.
    pub fn len(&self) -> usize {
        self.patterns
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns == 0
    }

    /// The shortest subject for which `wanted` holds, made of readable bytes where there is a choice; none when no subject
    /// meets it.
    ///
    /// # Errors
    /// [`TooManyStates`] when the budget is spent: undecided.
    pub fn witness(&mut self, mut wanted: impl FnMut(&Matching) -> bool) -> Result<Option<Vec<u8>>, TooManyStates> {
        let mut found = None;
        self.walk(|matching, path| {
            if wanted(matching) {
                found = Some(path());
            }
            found.is_none()
        })?;
        Ok(found)
    }

    /// Every combination of matching patterns that some subject has, each with its shortest subject; shorter subjects first.
    ///
    /// # Errors
    /// [`TooManyStates`] when the budget is spent.
    pub fn combinations(&mut self) -> Result<Vec<Combination>, TooManyStates> {
        let mut known = HashSet::new();
        let mut out = Vec::new();
        self.walk(|matching, path| {
            if known.insert(matching.to_vec()) {
                out.push(Combination { matching: matching.to_vec(), subject: path() });
            }
            true
        })?;
        Ok(out)
    }

    /// A subject that pattern `number` matches.
    ///
    /// # Errors
    /// [`TooManyStates`] when the budget is spent.
    pub fn example(&mut self, number: usize) -> Result<Option<Vec<u8>>, TooManyStates> {
        self.witness(|matching| contains(matching, number))
    }

    /// A subject that both patterns match; none when they exclude each other.
    ///
    /// # Errors
    /// [`TooManyStates`] when the budget is spent.
    pub fn overlap(&mut self, a: usize, b: usize) -> Result<Option<Vec<u8>>, TooManyStates> {
        self.witness(|matching| contains(matching, a) && contains(matching, b))
    }

    /// A subject of `inner` that `outer` does not match; none when `outer` covers `inner`.
    ///
    /// # Errors
    /// [`TooManyStates`] when the budget is spent.
    pub fn uncovered(&mut self, inner: usize, outer: usize) -> Result<Option<Vec<u8>>, TooManyStates> {
        self.witness(|matching| contains(matching, inner) && !contains(matching, outer))
    }

    /// A subject on which the two patterns differ; none when they are equivalent.
    ///
    /// # Errors
    /// [`TooManyStates`] when the budget is spent.
    pub fn difference(&mut self, a: usize, b: usize) -> Result<Option<Vec<u8>>, TooManyStates> {
        self.witness(|matching| contains(matching, a) != contains(matching, b))
    }

    /// Visits the subjects of the domain breadth first, one for each state; `visit` gets the matching patterns and a way
    /// to spell the subject, and says whether to go on.
    fn walk(&mut self, mut visit: impl FnMut(&Matching, &dyn Fn() -> Vec<u8>) -> bool) -> Result<(), TooManyStates> {
        let start = self.dfa.start();
        let mut reached = vec![Reached::Start];
        let mut queue = VecDeque::from([start]);
        let mut matching = vec![0u64; self.patterns.div_ceil(64)];
        while let Some(state) = queue.pop_front() {
            let accepts = self.dfa.accepts(state);
            if self.domain.is_none_or(|domain| contains(accepts, domain as usize)) {
                for (word, accepted) in matching.iter_mut().zip(accepts) {
                    *word = *accepted;
                }
                if let (Some(domain), Some(last)) = (self.domain, matching.last_mut()) {
                    // The domain's own bit may share the last word.
                    if domain as usize / 64 + 1 == self.patterns.div_ceil(64) {
                        *last &= !(1 << (domain % 64));
                    }
                }
                if !visit(&matching, &|| spell(&reached, state)) {
                    return Ok(());
                }
            }
            for class in 0..self.dfa.representatives().len() {
                let next = self.dfa.step(state, class as ByteClass)?;
                if reached.len() < self.dfa.len() {
                    reached.resize(self.dfa.len(), Reached::NotYet);
                }
                let Some(entry @ Reached::NotYet) = reached.get_mut(next as usize) else { continue };
                if self.domain.is_none_or(|domain| self.dfa.is_alive(next, domain)) {
                    let byte = self.dfa.representatives().get(class).copied().unwrap_or_default();
                    *entry = Reached::From(state, byte);
                    queue.push_back(next);
                } else {
                    *entry = Reached::OutOfDomain;
                }
            }
        }
        Ok(())
    }
}

/// How a walk came to a state first.
#[derive(Debug, Clone, Copy)]
enum Reached {
    NotYet,
    Start,
    /// By this byte from that state.
    From(DfaState, u8),
    /// No subject of the domain goes this way.
    OutOfDomain,
}

fn spell(reached: &[Reached], state: DfaState) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = state;
    while let Some(Reached::From(before, byte)) = reached.get(at as usize) {
        out.push(*byte);
        at = *before;
    }
    out.reverse();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternKind;

    fn regex(text: &str) -> Pattern {
        Pattern::new(PatternKind::Regex, text, false).unwrap()
    }

    fn space(patterns: &[Pattern], domain: Domain) -> Space {
        Space::new(patterns, &Variables::none(), domain, 10_000)
    }

    #[test]
    fn the_path_domain_is_what_a_kernel_path_is() {
        let paths = Pattern::from_regex(regex::parse(Domain::Paths.regex().unwrap()).unwrap());
        for (subject, expected) in [
            ("/", true),
            ("/a", true),
            ("/a/b", true),
            ("/.a", true),
            ("/...", true),
            ("/..a", true),
            ("", false),
            ("a", false),
            ("/a/", false),
            ("//", false),
            ("/a//b", false),
            ("/.", false),
            ("/a/./b", false),
            ("/a/..", false),
            ("/a\0", false),
        ] {
            assert_eq!(paths.matches(subject.as_bytes(), &Variables::none()), expected, "{subject:?}");
        }
    }

    #[test]
    fn folded_domains_hold_no_upper_case_and_names_are_not_empty() {
        let first = |domain, text: &str| space(&[regex(text)], domain).example(0).unwrap();
        assert_eq!(first(Domain::FoldedPaths, "[A-Z]"), None);
        assert_eq!(first(Domain::Paths, "[A-Z]").unwrap(), b"/A");
        assert_eq!(first(Domain::FoldedPaths, "^/[^a-z]$").unwrap(), b"/0");
        assert_eq!(first(Domain::Names, "^$"), None);
        assert_eq!(first(Domain::FoldedNames, "^[A-Z]*x?$").unwrap(), b"x");
    }

    #[test]
    fn algebra_is_decided_with_the_shortest_example() {
        let patterns = [
            Pattern::subpath("/a"),
            Pattern::literal("/a/b"),
            Pattern::prefix("/a"),
            regex("^/b(/|$)"),
            regex("\\.x$"),
        ];
        let mut space = space(&patterns, Domain::Paths);
        assert_eq!(space.example(0).unwrap().unwrap(), b"/a");
        assert_eq!(space.uncovered(1, 0).unwrap(), None);
        assert_eq!(space.uncovered(0, 1).unwrap().unwrap(), b"/a");
        assert_eq!(space.uncovered(2, 0).unwrap().unwrap(), b"/aa");
        assert_eq!(space.overlap(0, 3).unwrap(), None);
        assert_eq!(space.overlap(0, 4).unwrap().unwrap(), b"/a/.x");
        assert_eq!(space.difference(0, 0).unwrap(), None);
    }

    #[test]
    fn the_domain_decides_what_is_equivalent() {
        // Below a trailing slash the regex also matches `/a/`, which is no path.
        let patterns = [Pattern::subpath("/a"), regex("^/a(/.|$)")];
        assert_eq!(space(&patterns, Domain::Paths).difference(0, 1).unwrap(), None);
        assert_eq!(space(&patterns, Domain::Anything).difference(0, 1).unwrap().unwrap(), b"/a/");
    }

    #[test]
    fn a_spent_budget_is_an_error_and_no_answer() {
        let patterns = [regex("a..............$"), Pattern::literal("x")];
        let mut small = Space::new(&patterns, &Variables::none(), Domain::Anything, 100);
        assert_eq!(small.overlap(0, 1), Err(TooManyStates));
    }

    #[test]
    fn combinations_are_the_feasible_ones_only() {
        let patterns = [Pattern::subpath("/a"), Pattern::literal("/a/b"), Pattern::literal("/c")];
        let mut space = space(&patterns, Domain::Paths);
        let found: Vec<_> =
            space.combinations().unwrap().into_iter().map(|one| (one.matching[0], one.subject)).collect();
        assert_eq!(found, [(0, b"/".to_vec()), (1, b"/a".to_vec()), (0b100, b"/c".to_vec()), (0b11, b"/a/b".to_vec())]);
    }

    #[test]
    fn the_domain_bit_does_not_show_in_a_full_word() {
        let patterns: Vec<Pattern> = (0..63).map(|number| Pattern::literal(format!("/n{number}"))).collect();
        let mut space = space(&patterns, Domain::Paths);
        let none = space.witness(|matching| matching.iter().all(|word| *word == 0)).unwrap();
        assert_eq!(none.unwrap(), b"/");
    }
}
