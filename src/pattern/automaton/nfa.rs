//! Non-deterministic automata over bytes, with the two assertions `^` and `$`.

use std::collections::BTreeMap;

use crate::pattern::byteset::ByteSet;
use crate::pattern::regex::{Node, Repeat};
use crate::pattern::variable::{self, Meaning};
use crate::pattern::{Pattern, PatternKind, Piece, pieces};

/// What the pattern variables (`${HOME}`) stand for: a name for any of the values given here; else `ANY_UUID` and
/// `ANY_PATH_COMPONENT` for what they say, every other name for nothing. Names are compared without regard to ASCII case, because folded patterns hold folded names. Values are compared
/// as they are: fold them for a folded pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<Vec<u8>, Meaning>);

impl Variables {
    /// No variable has a value.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every variable of `patterns` as something that no pattern names: `${NAME}` as one unknown component, or as an absolute path
    /// of one unknown component where it begins a text. Two patterns relate under these values as they do for every value
    /// that is no special case of a literal text.
    pub fn opaque<'p>(patterns: impl IntoIterator<Item = &'p Pattern>) -> Self {
        let mut variables = Self::default();
        for name in patterns.into_iter().flat_map(Pattern::variable_names) {
            let name = name.to_ascii_lowercase();
            if variables.values(&name).is_empty() {
                let component = [b"${", name.as_slice(), b"}"].concat();
                variables.add(name.clone(), [b"/", component.as_slice()].concat());
                variables.add(name, component);
            }
        }
        variables
    }

    /// Lets `name` stand for `value` too.
    pub fn add(&mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        match self.0.entry(name.into().to_ascii_lowercase()).or_insert(Meaning::Values(Vec::new())) {
            Meaning::Values(values) => values.push(value.into()),
            other => *other = Meaning::Values(vec![value.into()]),
        }
    }

    /// Lets `name` stand for `meaning` and nothing else.
    pub fn set(&mut self, name: &[u8], meaning: Meaning) {
        self.0.insert(name.to_ascii_lowercase(), meaning);
    }

    /// What `name` stands for.
    pub fn meaning(&self, name: &[u8]) -> &Meaning {
        const NOTHING: &Meaning = &Meaning::Values(Vec::new());
        self.0.get(&name.to_ascii_lowercase()).or_else(|| variable::fixed(name)).unwrap_or(NOTHING)
    }

    /// The values given to `name`.
    pub fn values(&self, name: &[u8]) -> &[Vec<u8>] {
        match self.0.get(&name.to_ascii_lowercase()) {
            Some(Meaning::Values(values)) => values,
            _ => &[],
        }
    }
}

/// The number of a state.
pub(crate) type StateId = u32;

/// One state.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// One byte of the set, then on.
    Bytes(ByteSet, StateId),
    /// On without a byte.
    Split(Vec<StateId>),
    /// On without a byte, at the beginning only.
    AtStart(StateId),
    /// On without a byte, at the end only.
    AtEnd(StateId),
    /// Pattern number matches if the subject ends here.
    Accept(u32),
    /// Pattern number matches whatever follows.
    AcceptAll(u32),
}

/// An automaton for one or several patterns.
#[derive(Debug, Clone, Default)]
pub struct Nfa {
    pub(super) states: Vec<State>,
    pub(super) starts: Vec<StateId>,
    patterns: u32,
    /// The number of states after each pattern.
    ends: Vec<u32>,
}

impl Nfa {
    /// An automaton without patterns.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of states.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether there is no state.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Adds `pattern` and returns its number, counted from 0.
    pub fn add(&mut self, pattern: &Pattern, variables: &Variables) -> u32 {
        let number = self.patterns;
        self.patterns += 1;
        let start = match pattern.regex() {
            Some(regex) => {
                let accept = self.push(State::AcceptAll(number));
                let body = self.node(regex.node(), accept, variables);
                if starts_anchored(regex.node()) {
                    body
                } else {
                    let skip = self.push(State::Split(vec![body]));
                    let any = self.push(State::Bytes(ByteSet::ALL, skip));
                    self.states[skip as usize] = State::Split(vec![body, any]);
                    skip
                }
            }
            None => {
                let (kind, text) = pattern.shape();
                let end = match kind {
                    PatternKind::Prefix => self.push(State::AcceptAll(number)),
                    PatternKind::Subpath => {
                        let below = self.push(State::AcceptAll(number));
                        let slash = self.push(State::Bytes(ByteSet::one(b'/'), below));
                        let itself = self.push(State::Accept(number));
                        self.push(State::Split(vec![slash, itself]))
                    }
                    PatternKind::Literal | PatternKind::Regex => self.push(State::Accept(number)),
                };
                pieces(text, pattern.has_variables()).iter().rev().fold(end, |next, piece| match piece {
                    Piece::Bytes(bytes) => self.bytes(bytes, next),
                    Piece::Variable(name) => self.variable(name, next, variables),
                })
            }
        };
        self.starts.push(start);
        self.ends.push(self.states.len() as u32);
        number
    }

    /// The number of patterns.
    pub fn pattern_count(&self) -> u32 {
        self.patterns
    }

    /// For each state the pattern that it belongs to.
    pub(super) fn owners(&self) -> Vec<u32> {
        let mut from = 0;
        let mut owners = Vec::with_capacity(self.states.len());
        for (number, end) in self.ends.iter().enumerate() {
            owners.resize(owners.len() + (end - from) as usize, number as u32);
            from = *end;
        }
        owners
    }

    pub(super) fn push(&mut self, state: State) -> StateId {
        // A pattern set of 2^32 states would need hundreds of gigabytes first.
        let id = self.states.len() as StateId;
        self.states.push(state);
        id
    }

    fn bytes(&mut self, bytes: &[u8], next: StateId) -> StateId {
        bytes.iter().rev().fold(next, |next, byte| self.push(State::Bytes(ByteSet::one(*byte), next)))
    }

    fn variable(&mut self, name: &[u8], next: StateId, variables: &Variables) -> StateId {
        match variables.meaning(name) {
            Meaning::Values(values) => {
                let branches = values.iter().map(|value| self.bytes(value, next)).collect();
                self.push(State::Split(branches))
            }
            Meaning::Uuid => variable::uuid_bytes().rev().fold(next, |next, set| self.push(State::Bytes(set, next))),
            Meaning::Component => self.run_of(variable::bytes_but(b"/\0"), next),
            Meaning::Anything => self.run_of(variable::bytes_but(b"\0"), next),
        }
    }

    /// One or more bytes of `set`.
    fn run_of(&mut self, set: ByteSet, next: StateId) -> StateId {
        let fork = self.push(State::Split(Vec::new()));
        let byte = self.push(State::Bytes(set, fork));
        self.states[fork as usize] = State::Split(vec![byte, next]);
        byte
    }

    /// States for `node` that go on to `next`; recursion is bounded by the regex depth limit.
    fn node(&mut self, node: &Node, next: StateId, variables: &Variables) -> StateId {
        match node {
            Node::Empty => next,
            Node::Byte(byte) => self.push(State::Bytes(ByteSet::one(*byte), next)),
            Node::Any => self.push(State::Bytes(ByteSet::ALL, next)),
            Node::Class(class) => self.push(State::Bytes(class.bytes(), next)),
            Node::Start => self.push(State::AtStart(next)),
            Node::End => self.push(State::AtEnd(next)),
            Node::Variable(name) => self.variable(name, next, variables),
            Node::Concat(parts) => parts.iter().rev().fold(next, |next, part| self.node(part, next, variables)),
            Node::Alternate(branches) => {
                let starts = branches.iter().map(|branch| self.node(branch, next, variables)).collect();
                self.push(State::Split(starts))
            }
            Node::Repeat(body, Repeat::Optional) => {
                let inner = self.node(body, next, variables);
                self.push(State::Split(vec![inner, next]))
            }
            Node::Repeat(body, repeat) => {
                let fork = self.push(State::Split(Vec::new()));
                let inner = self.node(body, fork, variables);
                self.states[fork as usize] = State::Split(vec![inner, next]);
                if *repeat == Repeat::Plus { inner } else { fork }
            }
        }
    }

    /// The numbers of the patterns that match `subject`, ascending. Time: states × length.
    pub fn matches(&self, subject: &[u8]) -> Vec<u32> {
        let mut walk = Walk { nfa: self, seen: vec![0; self.states.len()], round: 0, found: Vec::new() };
        let mut here = walk.closure(&self.starts, true, subject.is_empty());
        for (index, byte) in subject.iter().enumerate() {
            let next: Vec<StateId> = here
                .iter()
                .filter_map(|id| match &self.states[*id as usize] {
                    State::Bytes(set, next) if set.contains(*byte) => Some(*next),
                    _ => None,
                })
                .collect();
            if next.is_empty() {
                break;
            }
            here = walk.closure(&next, false, index + 1 == subject.len());
        }
        let mut found = walk.found;
        found.sort_unstable();
        found.dedup();
        found
    }
}

struct Walk<'n> {
    nfa: &'n Nfa,
    seen: Vec<u32>,
    round: u32,
    found: Vec<u32>,
}

impl Walk<'_> {
    /// The byte states reachable without a byte; accepting states met on the way are noted.
    fn closure(&mut self, from: &[StateId], at_start: bool, at_end: bool) -> Vec<StateId> {
        self.round += 1;
        let mut todo: Vec<StateId> = from.to_vec();
        let mut out = Vec::new();
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut self.seen[id as usize], self.round) == self.round {
                continue;
            }
            match &self.nfa.states[id as usize] {
                State::Bytes(..) => out.push(id),
                State::Split(next) => todo.extend(next),
                State::AtStart(next) if at_start => todo.push(*next),
                State::AtEnd(next) if at_end => todo.push(*next),
                State::Accept(number) if at_end => self.found.push(*number),
                State::AcceptAll(number) => self.found.push(*number),
                State::AtStart(_) | State::AtEnd(_) | State::Accept(_) => {}
            }
        }
        out
    }
}

/// Whether every match begins at the subject's start, seen from the tree's left edge.
pub(crate) fn starts_anchored(node: &Node) -> bool {
    match node {
        Node::Start => true,
        Node::Concat(parts) => parts.first().is_some_and(starts_anchored),
        Node::Alternate(branches) => branches.iter().all(starts_anchored),
        Node::Repeat(body, Repeat::Plus) => starts_anchored(body),
        _ => false,
    }
}
