//! The strings of one attribute, shortest first, as far as they matter for a condition.
//!
//! A walk reads subjects byte by byte and carries the condition along: a pattern that has matched whatever follows is put in as
//! true, one that nothing can make match any more as false, and patterns on which what is left of the condition does not
//! depend are dropped. So a place is *what is left of the condition* and the front of the patterns that it still tests, not
//! one state of the product of all patterns; where nothing is left no subject is read further.
//!
//! **Invariants:** subjects come in order of length, and within one length readable bytes first. A subject is left out only
//! when a subject before it led to the same place, or when no way to go on makes the condition true.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Undecided;
use crate::decide::atoms::{Atom, Column};
use crate::decide::dag::{Dag, Root};
use crate::pattern::automaton::{Front, Fronts, Marks, StateId};

/// What a place may hold on average before the limit counts as reached: it bounds memory, not only the number of places.
const ITEMS_PER_PLACE: usize = 256;

/// A search through the strings of one column.
pub(super) struct Walk<'w> {
    fronts: &'w Fronts,
    column: u32,
    /// The pattern that stands for the strings that count.
    domain: u32,
    limit: usize,
    places: Vec<Place>,
    /// The place whose turn is next.
    next: usize,
    /// Conditions with fronts that there is a place for, as one list of numbers.
    known: FxHashSet<Box<[u32]>>,
    /// The same before the closure of the front: most ways end here.
    tried: FxHashSet<Box<[u32]>>,
    /// Conditions with the patterns that match where a subject ended.
    ended: FxHashSet<Box<[u32]>>,
    /// How many numbers places and keys hold together.
    held: usize,
    supports: FxHashMap<Root, Rc<[u32]>>,
    marks: Marks,
    /// By pattern, the last arrival in which it was alive, or had matched.
    alive: Vec<u32>,
    matched: Vec<u32>,
    arrivals: u32,
    after: Vec<Vec<StateId>>,
}

struct Place {
    root: Root,
    front: Front,
    /// From which place, by which byte.
    before: Option<(u32, u8)>,
}

impl<'w> Walk<'w> {
    /// A walk through the strings of `column`, whose number is `number`, for the condition `root`, with at most `limit` places.
    pub(super) fn new(
        column: &'w Column,
        number: u32,
        limit: usize,
        dag: &mut Dag,
        root: Root,
    ) -> Result<Self, Undecided> {
        let fronts = column.fronts();
        let patterns = fronts.starts().len();
        let mut walk = Self {
            fronts,
            column: number,
            domain: patterns as u32 - 1,
            limit,
            places: Vec::new(),
            next: 0,
            known: FxHashSet::default(),
            tried: FxHashSet::default(),
            ended: FxHashSet::default(),
            held: 0,
            supports: FxHashMap::default(),
            marks: Marks::default(),
            alive: vec![0; patterns],
            matched: vec![0; patterns],
            arrivals: 0,
            after: vec![Vec::new(); fronts.representatives().len()],
        };
        let wanted = walk.support(dag, root);
        let from: Vec<StateId> = wanted
            .iter()
            .chain([&walk.domain])
            .filter_map(|pattern| fronts.starts().get(*pattern as usize).copied())
            .collect();
        let front = fronts.closure(&from, true, &mut walk.marks);
        walk.arrive(dag, root, front, None)?;
        Ok(walk)
    }

    /// The next place, nearest first.
    pub(super) fn next(&mut self) -> Option<usize> {
        let place = self.next;
        (place < self.places.len()).then(|| {
            self.next += 1;
            place
        })
    }

    /// What is left of the condition at `place`.
    pub(super) fn root(&self, place: usize) -> Root {
        self.places[place].root
    }

    /// Whether what is left of the condition at `place` still depends on the string.
    pub(super) fn is_open(&mut self, dag: &Dag, place: usize) -> bool {
        !self.support(dag, self.places[place].root).is_empty()
    }

    /// What is left of the condition for the string that ends at `place`; `None` when it is no string that counts, or when one
    /// before it left the same.
    pub(super) fn end(&mut self, dag: &mut Dag, place: usize) -> Result<Option<Root>, Undecided> {
        let Place { root, front, before } = &self.places[place];
        let root = *root;
        let mut ends = self.fronts.ends(front, before.is_none(), &mut self.marks);
        if !ends.contains(&self.domain) {
            return Ok(None);
        }
        ends.retain(|pattern| *pattern != self.domain);
        ends.sort_unstable();
        let key: Box<[u32]> = [root.number()].into_iter().chain(ends.iter().copied()).collect();
        self.hold(key.len())?;
        if !self.ended.insert(key) {
            return Ok(None);
        }
        let column = self.column;
        let rest = dag
            .restrict(root, |atom: Atom| (atom.column == column).then(|| ends.binary_search(&atom.question).is_ok()))?;
        Ok(Some(rest))
    }

    /// Finds the places that are one byte behind `place`.
    pub(super) fn go_on(&mut self, dag: &mut Dag, place: usize) -> Result<(), Undecided> {
        let mut after = std::mem::take(&mut self.after);
        after.iter_mut().for_each(Vec::clear);
        let root = self.places[place].root;
        self.fronts.spread(&self.places[place].front, &mut after);
        let mut key = Vec::new();
        for (class, from) in after.iter().enumerate() {
            // Without a state of the domain no string that goes this way counts.
            if !from.iter().any(|state| self.fronts.owner(*state) == self.domain) {
                continue;
            }
            key.clear();
            key.push(root.number());
            key.extend_from_slice(from);
            if self.tried.contains(key.as_slice()) {
                continue;
            }
            self.hold(key.len())?;
            self.tried.insert(key.as_slice().into());
            let front = self.fronts.closure(from, false, &mut self.marks);
            // At most 256 classes of bytes, and places are counted.
            let byte = self.fronts.representatives()[class];
            self.arrive(dag, root, front, Some((place as u32, byte)))?;
        }
        self.after = after;
        Ok(())
    }

    /// The string that leads to `place`.
    pub(super) fn spell(&self, place: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = place;
        while let Some((before, byte)) = self.places[at].before {
            out.push(byte);
            at = before as usize;
        }
        out.reverse();
        out
    }

    fn hold(&mut self, numbers: usize) -> Result<(), Undecided> {
        self.held += numbers;
        if self.held > self.limit.saturating_mul(ITEMS_PER_PLACE) { Err(Undecided::States) } else { Ok(()) }
    }

    /// The questions about this column that `root` depends on, ascending.
    fn support(&mut self, dag: &Dag, root: Root) -> Rc<[u32]> {
        let column = self.column;
        let known = self.supports.entry(root).or_insert_with(|| {
            let support = dag.support(root);
            let mut questions: Vec<u32> =
                support.iter().filter(|atom| atom.column == column).map(|atom| atom.question).collect();
            questions.sort_unstable();
            questions.into()
        });
        Rc::clone(known)
    }

    /// Puts in what `front` says about the patterns and adds the place unless there is one like it, or nothing is left.
    fn arrive(&mut self, dag: &mut Dag, root: Root, front: Front, before: Option<(u32, u8)>) -> Result<(), Undecided> {
        self.arrivals += 1;
        for state in &front {
            let owner = self.fronts.owner(*state) as usize;
            self.alive[owner] = self.arrivals;
            if self.fronts.has_matched(*state) {
                self.matched[owner] = self.arrivals;
            }
        }
        if self.alive[self.domain as usize] != self.arrivals {
            return Ok(());
        }
        let wanted = self.support(dag, root);
        let settled = |question: u32| match question as usize {
            question if self.matched[question] == self.arrivals => Some(true),
            question if self.alive[question] != self.arrivals => Some(false),
            _ => None,
        };
        let (mut root, mut left) = (root, wanted);
        if left.iter().any(|question| settled(*question).is_some()) {
            let column = self.column;
            root = dag.restrict(root, |atom| (atom.column == column).then(|| settled(atom.question)).flatten())?;
            left = self.support(dag, root);
        }
        if root == Root::DENY {
            return Ok(());
        }
        let kept = front.iter().filter(|state| {
            let owner = self.fronts.owner(**state);
            owner == self.domain || left.binary_search(&owner).is_ok()
        });
        let front: Front = kept.copied().collect();
        let key: Box<[u32]> = [root.number()].into_iter().chain(front.iter().copied()).collect();
        if self.known.contains(&key) {
            return Ok(());
        }
        if self.places.len() >= self.limit {
            return Err(Undecided::States);
        }
        self.hold(key.len() + front.len())?;
        if before.is_some() {
            // `^` holds at the start and nowhere else, so the start stands only for itself.
            self.known.insert(key);
        }
        self.places.push(Place { root, front, before });
        Ok(())
    }
}
