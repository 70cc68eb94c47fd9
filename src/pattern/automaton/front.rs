//! What a subject read so far leaves open: a set of states of an [`Nfa`], its *front*, and the way from one front to the next.

use std::collections::HashMap;

use super::nfa::{Nfa, State, StateId};
use super::{ByteClass, Variables};
use crate::pattern::Pattern;
use crate::pattern::byteset::ByteSet;

/// The states that a subject can be in: those that need a byte, the end, or nothing more. Ascending.
pub(crate) type Front = Box<[StateId]>;

/// The patterns of an [`Nfa`] and the bytes that they tell apart.
#[derive(Debug, Clone)]
pub(crate) struct Fronts {
    nfa: Nfa,
    owners: Vec<u32>,
    classes: Box<[ByteClass; 256]>,
    representatives: Vec<u8>,
}

/// Which states one traversal has seen; kept from one to the next so that nothing is cleared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    seen: Vec<u32>,
    round: u32,
}

impl Marks {
    fn begin(&mut self, states: usize) {
        if self.seen.len() < states || self.round == u32::MAX {
            self.seen = vec![0; states];
            self.round = 0;
        }
        self.round += 1;
    }

    /// True the first time.
    fn is_new(&mut self, state: StateId) -> bool {
        std::mem::replace(&mut self.seen[state as usize], self.round) != self.round
    }
}

impl Fronts {
    pub(crate) fn new(nfa: Nfa) -> Self {
        let (classes, representatives) = byte_classes(&nfa);
        Self { owners: nfa.owners(), classes, representatives, nfa }
    }

    /// The fronts of `patterns`, numbered in order.
    pub(crate) fn of(patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let mut nfa = Nfa::new();
        for pattern in patterns {
            nfa.add(&pattern, &Variables::none());
        }
        Self::new(nfa)
    }

    /// Upper-case ASCII letters read as lower-case ones.
    pub(super) fn folding(mut self) -> Self {
        for letter in b'A'..=b'Z' {
            self.classes[usize::from(letter)] = self.class(letter.to_ascii_lowercase());
        }
        self
    }

    /// One byte for each class, the most readable one.
    pub(crate) fn representatives(&self) -> &[u8] {
        &self.representatives
    }

    pub(super) fn class(&self, byte: u8) -> ByteClass {
        self.classes[usize::from(byte)]
    }

    /// Where each pattern begins, by number.
    pub(crate) fn starts(&self) -> &[StateId] {
        &self.nfa.starts
    }

    /// The pattern that `state` belongs to.
    pub(crate) fn owner(&self, state: StateId) -> u32 {
        self.owners[state as usize]
    }

    /// Whether the pattern of `state` matches whatever follows.
    pub(crate) fn has_matched(&self, state: StateId) -> bool {
        matches!(self.nfa.states[state as usize], State::AcceptAll(_))
    }

    /// Where `front` leads with `byte`, before [`Fronts::closure`].
    pub(super) fn after(&self, front: &[StateId], byte: u8) -> Vec<StateId> {
        let next = front.iter().filter_map(|item| match &self.nfa.states[*item as usize] {
            State::Bytes(set, next) => set.contains(byte).then_some(*next),
            State::AcceptAll(_) => Some(*item),
            _ => None,
        });
        next.collect()
    }

    /// Adds to `after`, by class of bytes, where `front` leads with each, before [`Fronts::closure`].
    pub(crate) fn spread(&self, front: &[StateId], after: &mut [Vec<StateId>]) {
        for item in front {
            match &self.nfa.states[*item as usize] {
                State::Bytes(set, next) => match set.only() {
                    Some(byte) => after[usize::from(self.class(byte))].push(*next),
                    None => {
                        let classes = after.iter_mut().zip(&self.representatives);
                        classes.filter(|(_, byte)| set.contains(**byte)).for_each(|(list, _)| list.push(*next));
                    }
                },
                State::AcceptAll(_) => after.iter_mut().for_each(|list| list.push(*item)),
                _ => {}
            }
        }
    }

    /// The patterns that match when the subject ends in a state of `items`.
    pub(crate) fn ends(&self, items: &[StateId], at_start: bool, marks: &mut Marks) -> Vec<u32> {
        marks.begin(self.nfa.len());
        let mut todo = items.to_vec();
        let mut found = Vec::new();
        while let Some(id) = todo.pop() {
            if !marks.is_new(id) {
                continue;
            }
            match &self.nfa.states[id as usize] {
                State::Split(next) => todo.extend(next),
                State::AtStart(next) if at_start => todo.push(*next),
                State::AtEnd(next) => todo.push(*next),
                State::Accept(number) | State::AcceptAll(number) => found.push(*number),
                State::Bytes(..) | State::AtStart(_) => {}
            }
        }
        found
    }

    /// What is reachable from `from` without a byte. A pattern that has matched whatever follows keeps only that fact.
    pub(crate) fn closure(&self, from: &[StateId], at_start: bool, marks: &mut Marks) -> Front {
        marks.begin(self.nfa.len());
        let mut todo = from.to_vec();
        let mut items = Vec::new();
        let mut decided = Vec::new();
        while let Some(id) = todo.pop() {
            if !marks.is_new(id) {
                continue;
            }
            match &self.nfa.states[id as usize] {
                State::Split(next) => todo.extend(next),
                State::AtStart(next) if at_start => todo.push(*next),
                State::AtStart(_) => {}
                State::AcceptAll(number) => {
                    decided.push(*number);
                    items.push(id);
                }
                State::Bytes(..) | State::AtEnd(_) | State::Accept(_) => items.push(id),
            }
        }
        items.sort_unstable();
        if !decided.is_empty() {
            decided.sort_unstable();
            decided.dedup();
            let mut kept = None;
            items.retain(|id| {
                let owner = self.owner(*id);
                // One accepting state says it all; a pattern with several keeps the first.
                let first = self.has_matched(*id) && kept != Some(owner);
                if first {
                    kept = Some(owner);
                }
                first || decided.binary_search(&owner).is_err()
            });
        }
        items.into_boxed_slice()
    }
}

/// How readable a byte is in a witness; less is better.
fn rank(byte: u8) -> u32 {
    let group = match byte {
        b'a'..=b'z' => 0,
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'-' | b'_' => 3,
        b'.' | b'/' => 4,
        b'!'..=b'~' => 5,
        b' ' => 6,
        _ => 7,
    };
    group << 8 | u32::from(byte)
}

/// Numbers for the bytes that no state of `nfa` tells apart, the most readable first, and one byte of each.
fn byte_classes(nfa: &Nfa) -> (Box<[ByteClass; 256]>, Vec<u8>) {
    let mut sets: Vec<&ByteSet> = Vec::new();
    let mut known: std::collections::HashSet<&ByteSet> = std::collections::HashSet::new();
    for state in &nfa.states {
        if let State::Bytes(set, _) = state
            && known.insert(set)
        {
            sets.push(set);
        }
    }
    let mut classes = Box::new([0 as ByteClass; 256]);
    for set in sets {
        let mut renamed: HashMap<(ByteClass, bool), ByteClass> = HashMap::new();
        for byte in 0..=255u8 {
            let count = renamed.len() as ByteClass;
            let slot = &mut classes[usize::from(byte)];
            *slot = *renamed.entry((*slot, set.contains(byte))).or_insert(count);
        }
    }
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.sort_by_key(|byte| rank(*byte));
    let mut representatives = Vec::new();
    let mut numbers: HashMap<ByteClass, ByteClass> = HashMap::new();
    for byte in bytes {
        let class = classes[usize::from(byte)];
        numbers.entry(class).or_insert_with(|| {
            representatives.push(byte);
            representatives.len() as ByteClass - 1
        });
    }
    for class in classes.iter_mut() {
        *class = numbers.get(class).copied().unwrap_or(0);
    }
    (classes, representatives)
}
