//! Many patterns in one pass: an automaton that is made deterministic only where it is walked.

use rustc_hash::FxHashMap;

use super::front::{Front, Fronts, Marks};
use super::nfa::{Nfa, StateId};
use crate::diag::{Code, Diagnostic};
use crate::pattern::codes;

/// A state of a [`LazyDfa`].
pub type DfaState = u32;

/// Bytes that no pattern tells apart.
pub type ByteClass = u16;

/// The automaton holds as many states as its owner allows and a new one is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the patterns need more automaton states than the limit allows")]
pub struct TooManyStates;

impl TooManyStates {
    /// The stable code.
    pub fn code(&self) -> Code {
        codes::BUDGET
    }

    /// The same as a diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error(self.code(), self.to_string())
            .with_help("Raise the limit on automaton states, or split the question.")
    }
}

const UNKNOWN: DfaState = DfaState::MAX;

const START: DfaState = 0;

/// What a state may hold on average before the limit counts as reached: it bounds memory, not only the number of states.
const ITEMS_PER_STATE: usize = 256;

/// A deterministic automaton over all patterns of an [`Nfa`], built on demand. Every state knows which patterns match a
/// subject that ends there.
#[derive(Debug, Clone)]
pub struct LazyDfa {
    fronts: Fronts,
    marks: Marks,
    words: usize,
    /// How many classes of bytes there are.
    width: usize,
    limit: usize,
    ids: FxHashMap<Front, DfaState>,
    /// The states by where their items come from: most classes of bytes lead a state to one of few others.
    moves: FxHashMap<Box<[StateId]>, DfaState>,
    items: Vec<Front>,
    /// How many numbers `items` and `moves` hold together.
    held: usize,
    next: Vec<DfaState>,
    accepts: Vec<u64>,
}

impl LazyDfa {
    /// An automaton for the patterns of `nfa` that never holds more than `limit` states (at least 3: the start,
    /// where a walk is, and where it goes).
    pub fn new(nfa: Nfa, limit: usize) -> Self {
        Self::of(Fronts::new(nfa), limit)
    }

    /// The same for patterns in lower case; ASCII letters of either case in a subject are read as lower-case ones.
    pub fn folding(nfa: Nfa, limit: usize) -> Self {
        Self::of(Fronts::new(nfa).folding(), limit)
    }

    fn of(fronts: Fronts, limit: usize) -> Self {
        let mut dfa = Self {
            words: fronts.starts().len().div_ceil(64).max(1),
            width: fronts.representatives().len(),
            limit: limit.max(3),
            ids: FxHashMap::default(),
            moves: FxHashMap::default(),
            items: Vec::new(),
            held: 0,
            next: Vec::new(),
            accepts: Vec::new(),
            marks: Marks::default(),
            fronts,
        };
        dfa.add_start();
        dfa
    }

    fn add_start(&mut self) {
        let items = self.fronts.closure(self.fronts.starts(), true, &mut self.marks);
        self.add(items, true);
    }

    /// The state before the first byte.
    pub fn start(&self) -> DfaState {
        START
    }

    /// The number of states built so far.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Never true: the start is always there.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number of 64-bit words of [`LazyDfa::accepts`].
    pub fn words(&self) -> usize {
        self.words
    }

    /// One byte for each class, the most readable one.
    pub fn representatives(&self) -> &[u8] {
        self.fronts.representatives()
    }

    /// The class of `byte`.
    pub fn class(&self, byte: u8) -> ByteClass {
        self.fronts.class(byte)
    }

    /// The patterns that match a subject ending in `state`: bit `n % 64` of word `n / 64` for pattern `n`.
    pub fn accepts(&self, state: DfaState) -> &[u64] {
        let from = state as usize * self.words;
        &self.accepts[from..from + self.words]
    }

    /// Whether `pattern` matches some subject that goes on from `state`, as far as its own states tell.
    pub fn is_alive(&self, state: DfaState, pattern: u32) -> bool {
        self.items[state as usize].iter().any(|item| self.fronts.owner(*item) == pattern)
    }

    /// The state after one more byte of `class`.
    ///
    /// # Errors
    /// [`TooManyStates`]; the automaton stays usable.
    pub fn step(&mut self, state: DfaState, class: ByteClass) -> Result<DfaState, TooManyStates> {
        let slot = state as usize * self.width + usize::from(class);
        match self.next[slot] {
            UNKNOWN => self.make(state, class, slot),
            known => Ok(known),
        }
    }

    fn make(&mut self, state: DfaState, class: ByteClass, slot: usize) -> Result<DfaState, TooManyStates> {
        let byte = self.fronts.representatives()[usize::from(class)];
        let from = self.fronts.after(&self.items[state as usize], byte);
        if let Some(id) = self.moves.get(from.as_slice()) {
            self.next[slot] = *id;
            return Ok(*id);
        }
        let items = self.fronts.closure(&from, false, &mut self.marks);
        let id = match self.ids.get(&items) {
            Some(id) => *id,
            // Three states are always held, so that a walk can go on after it forgot the others.
            None if self.items.len() >= self.limit || (self.items.len() > 2 && self.is_full()) => {
                return Err(TooManyStates);
            }
            None => self.add(items, false),
        };
        if !self.is_full() {
            self.held += from.len();
            self.moves.insert(from.into_boxed_slice(), id);
        }
        self.next[slot] = id;
        Ok(id)
    }

    /// The patterns that match `subject`, as [`LazyDfa::accepts`] gives them. When the limit is reached, what was built is
    /// forgotten and building starts anew.
    pub fn matches(&mut self, subject: &[u8]) -> &[u64] {
        let mut state = START;
        let mut at = 0;
        while let Some(byte) = subject.get(at) {
            let class = self.class(*byte);
            match self.step(state, class) {
                Ok(next) => {
                    state = next;
                    at += 1;
                }
                Err(TooManyStates) => state = self.forget(state),
            }
        }
        self.accepts(state)
    }

    /// Drops every state but the start and `keep`, whose new number is returned.
    fn forget(&mut self, keep: DfaState) -> DfaState {
        let kept = std::mem::take(&mut self.items[keep as usize]);
        self.ids.clear();
        self.moves.clear();
        self.held = 0;
        self.items.clear();
        self.next.clear();
        self.accepts.clear();
        self.add_start();
        // The start may only stand for itself: `^` holds there and nowhere else.
        if keep == START { START } else { self.add(kept, false) }
    }

    fn add(&mut self, items: Front, is_start: bool) -> DfaState {
        let id = self.items.len() as DfaState;
        let from = self.accepts.len();
        self.accepts.resize(from + self.words, 0);
        for pattern in self.fronts.ends(&items, is_start, &mut self.marks) {
            self.accepts[from + pattern as usize / 64] |= 1 << (pattern % 64);
        }
        self.next.resize(self.next.len() + self.width, UNKNOWN);
        if !is_start {
            self.ids.insert(items.clone(), id);
        }
        self.held += items.len();
        self.items.push(items);
        id
    }

    fn is_full(&self) -> bool {
        self.held >= self.limit.saturating_mul(ITEMS_PER_STATE)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::{Pattern, PatternKind, Variables};

    const REGEXES: &[&str] =
        &["^/a", "b$", "a|b", "^a*$", "/(x|y)+/", "[^/]$", "^$", "(/|$)", "a.*b", "^/a/[ab]*$", ".", "(^|/)x"];

    fn pattern(choice: usize, text: &str) -> Pattern {
        match choice % 4 {
            0 => Pattern::literal(text),
            1 => Pattern::prefix(text),
            2 => Pattern::subpath(text),
            _ => Pattern::new(PatternKind::Regex, REGEXES[choice % REGEXES.len()], false).unwrap(),
        }
    }

    proptest! {
        /// The one automaton says what the patterns say one by one, also when it has to forget.
        #[test]
        fn agrees_with_the_patterns(
            wanted in prop::collection::vec((0usize..48, "[/abxy]{0,6}"), 1..9),
            subjects in prop::collection::vec("[/abxy]{0,9}", 1..12),
            limit in prop::sample::select(vec![1usize, 2, 5, 1000]),
        ) {
            let patterns: Vec<Pattern> = wanted.iter().map(|(choice, text)| pattern(*choice, text)).collect();
            let mut nfa = Nfa::new();
            for each in &patterns {
                nfa.add(each, &Variables::none());
            }
            let mut dfa = LazyDfa::new(nfa, limit);
            for subject in &subjects {
                let found = dfa.matches(subject.as_bytes()).to_vec();
                for (number, each) in patterns.iter().enumerate() {
                    let bit = found[number / 64] >> (number % 64) & 1 == 1;
                    let expected = each.matches(subject.as_bytes(), &Variables::none());
                    prop_assert_eq!(bit, expected, "{:?} on {:?}", each, subject);
                }
            }
        }
    }

    #[test]
    fn a_folding_automaton_reads_either_case() {
        let mut nfa = Nfa::new();
        nfa.add(&Pattern::subpath("/ab"), &Variables::none());
        nfa.add(&Pattern::new(PatternKind::Regex, "[a-c]x$", false).unwrap(), &Variables::none());
        let mut dfa = LazyDfa::folding(nfa, 100);
        assert_eq!(dfa.matches(b"/AB/cX"), [0b11]);
        assert_eq!(dfa.matches(b"/aB"), [0b01]);
        assert_eq!(dfa.matches(b"/b"), [0]);
    }

    #[test]
    fn sixty_five_patterns_need_two_words() {
        let mut nfa = Nfa::new();
        for number in 0..65 {
            nfa.add(&Pattern::literal(format!("n{number}")), &Variables::none());
        }
        let mut dfa = LazyDfa::new(nfa, 1000);
        assert_eq!(dfa.matches(b"n64"), [0, 1]);
        assert_eq!(dfa.matches(b"n0"), [1, 0]);
    }

    /// A state of a large regex holds thousands of items; without a bound on them the limit on states would say nothing.
    #[test]
    fn memory_is_bounded_and_walks_still_end() {
        let many = Pattern::new(PatternKind::Regex, "(a|b)*a(a|b){200}(a|b){200}$", false).unwrap();
        let mut nfa = Nfa::new();
        nfa.add(&many, &Variables::none());
        let mut dfa = LazyDfa::new(nfa, 3);
        let subject: Vec<u8> = (0..2000u32).map(|at| if at % 7 == 0 { b'b' } else { b'a' }).collect();
        assert_eq!(dfa.matches(&subject)[0] == 1, many.matches(&subject, &Variables::none()));
        assert!(dfa.held < 20_000, "{}", dfa.held);
    }
}
