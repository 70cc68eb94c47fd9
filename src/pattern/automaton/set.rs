//! Many patterns about one subject, for decisions: built once, asked often, without `mut`.
//!
//! Literals, prefixes and subpaths without variables go into a radix tree: as fast to build as to read, and its size is
//! that of the texts. The others go into a dense automaton when it stays small, else they are simulated.

use super::{ByteClass, DfaState, LazyDfa, Nfa, TooManyStates, Variables};
use crate::pattern::{Pattern, PatternKind};

/// States of the dense automaton; above it regexes are simulated state set by state set.
const MAX_DENSE: usize = 4096;

/// A fixed list of patterns, compiled for matching.
#[derive(Debug, Clone)]
pub struct PatternSet {
    len: usize,
    tree: Tree,
    /// The numbers of the patterns that are not in the tree, and their automaton.
    others: Vec<u32>,
    automaton: Automaton,
}

impl PatternSet {
    /// Compiles `patterns`; they are numbered in order.
    pub fn new(patterns: &[Pattern], variables: &Variables) -> Self {
        let mut tree = Tree { nodes: vec![Node::default()] };
        let mut others = Vec::new();
        let mut nfa = Nfa::new();
        for (number, pattern) in (0u32..).zip(patterns) {
            let (kind, text) = pattern.shape();
            match kind {
                PatternKind::Regex => {}
                _ if pattern.has_variables() => {}
                _ => {
                    tree.insert(text, kind, number);
                    continue;
                }
            }
            others.push(number);
            nfa.add(pattern, variables);
        }
        Self { len: patterns.len(), tree, others, automaton: Automaton::new(nfa) }
    }

    /// The number of patterns.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers of the patterns that match `subject`, ascending.
    pub fn matches(&self, subject: &[u8]) -> Vec<u32> {
        let mut found = Vec::new();
        self.tree.matches(subject, &mut found);
        match &self.automaton {
            Automaton::None => {}
            Automaton::Dense(dense) => {
                let from = dense.run(subject) * dense.words;
                let words = dense.accepts.get(from..from + dense.words).unwrap_or_default();
                let numbers = words.iter().enumerate().flat_map(|(at, word)| bits(*word).map(move |bit| at * 64 + bit));
                found.extend(numbers.filter_map(|number| self.others.get(number)));
            }
            Automaton::Simulated(nfa) => {
                found.extend(nfa.matches(subject).into_iter().filter_map(|number| self.others.get(number as usize)));
            }
        }
        found.sort_unstable();
        found
    }
}

fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

/// A radix tree over texts.
#[derive(Debug, Clone)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// The bytes from the parent to here.
    label: Vec<u8>,
    /// Children by the first byte of their label, ascending.
    children: Vec<(u8, u32)>,
    /// What ends here.
    ends: Vec<(PatternKind, u32)>,
}

impl Tree {
    fn insert(&mut self, text: &[u8], kind: PatternKind, number: u32) {
        let mut at = 0usize;
        let mut rest = text;
        while let Some(&first) = rest.first() {
            let slot = self.nodes[at].children.binary_search_by_key(&first, |child| child.0);
            let child = match slot {
                Err(slot) => {
                    let leaf = self.push(Node { label: rest.to_vec(), ..Node::default() });
                    self.nodes[at].children.insert(slot, (first, leaf));
                    at = leaf as usize;
                    break;
                }
                Ok(slot) => self.nodes[at].children[slot].1 as usize,
            };
            let common = self.nodes[child].label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            if common < self.nodes[child].label.len() {
                self.split(child, common);
            }
            rest = &rest[common..];
            at = child;
        }
        self.nodes[at].ends.push((kind, number));
    }

    fn push(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    /// Puts a node in the middle of the way to `at`, which keeps its number for the upper half. `common` is inside the label.
    fn split(&mut self, at: usize, common: usize) {
        let mut lower = std::mem::take(&mut self.nodes[at]);
        let tail = lower.label.split_off(common);
        let upper = std::mem::replace(&mut lower.label, tail);
        let first = lower.label[0];
        let lower = self.push(lower);
        self.nodes[at] = Node { label: upper, children: vec![(first, lower)], ends: Vec::new() };
    }

    fn matches(&self, subject: &[u8], found: &mut Vec<u32>) {
        let mut node = &self.nodes[0];
        let mut rest = subject;
        loop {
            for (kind, number) in &node.ends {
                let matches = match kind {
                    PatternKind::Prefix => true,
                    PatternKind::Subpath => rest.first().is_none_or(|byte| *byte == b'/'),
                    PatternKind::Literal | PatternKind::Regex => rest.is_empty(),
                };
                if matches {
                    found.push(*number);
                }
            }
            let Some(first) = rest.first() else { return };
            let Ok(slot) = node.children.binary_search_by_key(first, |child| child.0) else { return };
            node = &self.nodes[node.children[slot].1 as usize];
            match rest.strip_prefix(node.label.as_slice()) {
                Some(behind) => rest = behind,
                None => return,
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Automaton {
    None,
    Dense(Dense),
    Simulated(Nfa),
}

impl Automaton {
    fn new(nfa: Nfa) -> Self {
        if nfa.pattern_count() == 0 {
            return Self::None;
        }
        match Dense::new(&nfa) {
            Ok(dense) => Self::Dense(dense),
            Err(TooManyStates) => Self::Simulated(nfa),
        }
    }
}

/// A whole deterministic automaton as one table.
#[derive(Debug, Clone)]
struct Dense {
    classes: Box<[u8; 256]>,
    width: usize,
    next: Vec<DfaState>,
    words: usize,
    accepts: Vec<u64>,
}

impl Dense {
    fn new(nfa: &Nfa) -> Result<Self, TooManyStates> {
        let mut lazy = LazyDfa::new(nfa.clone(), MAX_DENSE);
        let width = lazy.representatives().len();
        let mut next = Vec::new();
        let mut accepts = Vec::new();
        let mut state: DfaState = 0;
        // States are numbered as they are found, so this reaches them all.
        while (state as usize) < lazy.len() {
            for class in 0..width {
                next.push(lazy.step(state, class as ByteClass)?);
            }
            accepts.extend_from_slice(lazy.accepts(state));
            state += 1;
        }
        // At most 256 classes of bytes.
        let classes = Box::new(std::array::from_fn(|byte| lazy.class(byte as u8) as u8));
        Ok(Self { classes, width, next, words: lazy.words(), accepts })
    }

    fn run(&self, subject: &[u8]) -> usize {
        subject.iter().fold(0usize, |state, byte| {
            let class = usize::from(self.classes[usize::from(*byte)]);
            self.next[state * self.width + class] as usize
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REGEXES: &[&str] = &["^/a", "b$", "a|b", "^a*$", "/(x|y)+/", "(/|$)", "b.....$"];

    proptest! {
        /// The set says what its members say one by one.
        #[test]
        fn agrees_with_the_patterns(
            wanted in prop::collection::vec((0usize..5, 0usize..7, "[/ab]{0,5}"), 0..20),
            subjects in prop::collection::vec("[/abx]{0,8}", 1..12),
        ) {
            let mut variables = Variables::none();
            variables.add("V", "/a");
            variables.add("V", "b");
            let patterns: Vec<Pattern> = wanted
                .iter()
                .map(|(kind, regex, text)| match kind {
                    0 => Pattern::literal(text.as_str()),
                    1 => Pattern::prefix(text.as_str()),
                    2 => Pattern::subpath(text.as_str()),
                    3 => Pattern::new(PatternKind::Subpath, format!("{text}${{v}}"), true).unwrap(),
                    _ => Pattern::new(PatternKind::Regex, REGEXES[*regex], false).unwrap(),
                })
                .collect();
            let set = PatternSet::new(&patterns, &variables);
            for subject in &subjects {
                let expected: Vec<u32> = (0u32..)
                    .zip(&patterns)
                    .filter(|(_, pattern)| pattern.matches(subject.as_bytes(), &variables))
                    .map(|(number, _)| number)
                    .collect();
                prop_assert_eq!(set.matches(subject.as_bytes()), expected, "{:?} on {:?}", patterns, subject);
            }
        }
    }

    #[test]
    fn an_automaton_that_explodes_is_simulated() {
        let patterns = [Pattern::new(PatternKind::Regex, "a.............$", false).unwrap(), Pattern::literal("x")];
        let set = PatternSet::new(&patterns, &Variables::none());
        assert!(matches!(set.automaton, Automaton::Simulated(_)));
        assert_eq!(set.matches(b"xxaxxxxxxxxxxxxx"), [0]);
        assert_eq!(set.matches(b"x"), [1]);
    }
}
