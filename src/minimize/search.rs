//! The search: `ddmin` level by level.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::rest::{Rest, Unit, level, loose, wrappers};
use super::{Change, Fact, Minimal, MinimizeError, Observation, Options, Outcome, Remains, Trial};
use crate::syntax::{Tree, parse};

/// The budget is spent.
struct Spent;

struct Search<'a> {
    fact: &'a dyn Fact,
    options: &'a Options,
    known: HashMap<[u8; 32], Observation>,
    trace: Vec<Trial>,
    /// The smallest text for which the fact was seen to hold.
    best: Rest,
}

pub(super) fn run(text: Arc<[u8]>, fact: &dyn Fact, options: &Options) -> Result<Minimal, MinimizeError> {
    let mut search =
        Search { fact, options, known: HashMap::new(), trace: Vec::new(), best: Rest::whole(Arc::clone(&text)) };
    let first = fact.observe(&text);
    search.note(Change::Input, 0, 0, text.len(), &first);
    if first.outcome != Outcome::Holds {
        return Err(MinimizeError::NotShown { fact: fact.describe(), detail: first.detail });
    }
    search.known.insert(digest(&text), first);
    let complete = search.descend().is_ok();
    let neighbour = search.neighbour();
    let best = search.best.clone();
    let smallest = search.confirmed(&best);
    let neighbour = neighbour.map(|rest| search.confirmed(&rest));
    Ok(Minimal { smallest, neighbour, complete, trace: search.trace })
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl Search<'_> {
    fn note(&mut self, change: Change, depth: usize, deleted: usize, bytes: usize, observation: &Observation) {
        let Observation { outcome, detail } = observation.clone();
        self.trace.push(Trial { test: self.trace.len() + 1, change, depth, deleted, bytes, outcome, detail });
    }

    fn tree(&self) -> Tree {
        parse(Arc::clone(&self.best.text), &self.options.syntax).tree
    }

    /// What `rest` comes to.
    fn observe(&mut self, rest: &Rest, change: Change, depth: usize, deleted: usize) -> Result<Outcome, Spent> {
        let key = digest(&rest.text);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.outcome);
        }
        if self.trace.len() >= self.options.tests {
            return Err(Spent);
        }
        let observation = self.fact.observe(&rest.text);
        self.note(change, depth, deleted, rest.text.len(), &observation);
        let outcome = observation.outcome;
        self.known.insert(key, observation);
        Ok(outcome)
    }

    /// Makes `rest` the smallest text if the fact holds for it.
    fn try_to_keep(&mut self, rest: Rest, change: Change, depth: usize, deleted: usize) -> Result<bool, Spent> {
        let holds = self.observe(&rest, change, depth, deleted)? == Outcome::Holds;
        if holds {
            self.best = rest;
        }
        Ok(holds)
    }

    fn descend(&mut self) -> Result<(), Spent> {
        loop {
            let before = self.best.text.len();
            for depth in 0.. {
                let units = level(&self.tree(), depth);
                if units.is_empty() {
                    break;
                }
                self.delete(&units, depth)?;
            }
            self.unwrap()?;
            let loose = loose(&self.tree());
            if !loose.gone.is_empty() {
                self.try_to_keep(self.best.without(loose.gone), Change::Tidy, 0, 1)?;
            }
            if self.best.text.len() == before {
                return Ok(());
            }
        }
    }

    /// Deletes as many of `units` as can be: all, halves, quarters … down to single ones, from the end of the text on, for what
    /// stands there uses what stands before it.
    fn delete(&mut self, units: &[Unit], depth: usize) -> Result<(), Spent> {
        let base = self.best.clone();
        let mut left: Vec<usize> = (0..units.len()).collect();
        let mut gone = vec![false; units.len()];
        let mut size = left.len();
        while size > 0 {
            let mut end = left.len();
            let mut any = false;
            while end > 0 {
                let start = end.saturating_sub(size);
                let chunk = left.get(start..end).unwrap_or_default().to_vec();
                for index in &chunk {
                    gone[*index] = true;
                }
                let without = gone.iter().zip(units).filter(|(gone, _)| **gone).flat_map(|(_, unit)| unit.gone.clone());
                let rest = base.without(without);
                if self.try_to_keep(rest, Change::Delete, depth, chunk.len())? {
                    left.drain(start..end);
                    any = true;
                } else {
                    for index in &chunk {
                        gone[*index] = false;
                    }
                }
                end = start;
            }
            // A deletion can make another one possible; single ones are tried until none is.
            size = if size == 1 && any { 1 } else { (size / 2).min(left.len()) };
        }
        Ok(())
    }

    /// Replaces lists by one of their elements.
    fn unwrap(&mut self) -> Result<(), Spent> {
        let mut next = 0;
        loop {
            let units = wrappers(&self.tree());
            let Some(unit) = units.get(next) else { return Ok(()) };
            let rest = self.best.without(unit.gone.iter().copied());
            if !self.try_to_keep(rest, Change::Unwrap, 0, 1)? {
                next += 1;
            }
        }
    }

    /// The smallest text less one unit, a form and a short one if that suffices, such that the fact does not hold and nothing else is wrong.
    fn neighbour(&mut self) -> Option<Rest> {
        let tree = self.tree();
        let levels = (0..).map(|depth| level(&tree, depth)).take_while(|units| !units.is_empty());
        let (mut forms, mut around) = (levels.flatten().collect::<Vec<_>>(), wrappers(&tree));
        forms.sort_by_key(Unit::bytes);
        around.sort_by_key(Unit::bytes);
        for unit in forms.into_iter().chain(around) {
            let rest = self.best.without(unit.gone);
            match self.observe(&rest, Change::Delete, 0, 1) {
                Ok(Outcome::Passes) => return Some(rest),
                Ok(_) => {}
                Err(Spent) => return None,
            }
        }
        None
    }

    /// Looks at `rest` again as often as the options say.
    fn confirmed(&self, rest: &Rest) -> Remains {
        let observation = self.known.get(&digest(&rest.text)).cloned().unwrap_or_else(|| self.fact.observe(&rest.text));
        let same = (0..self.options.confirm).filter(|_| self.fact.observe(&rest.text) == observation);
        let confirmed = same.count();
        Remains { text: Arc::clone(&rest.text), kept: rest.kept.clone(), observation, confirmed }
    }
}
