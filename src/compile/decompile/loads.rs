//! Tests of an entitlement's value beside the load that they look at.
//!
//! A node that tests a value looks at what was loaded last on the way to it. In a text a value means something beside its load only:
//! `(require-entitlement NAME (entitlement-value V))` is both tests in one condition. Taken apart, a graph gives them one by one
//! ("not loaded, or not this value"), in one rule or in several. Here each value that stands alone gets the load that every way to
//! it has passed; the compiler passes over a test whose outcome is known, so the program stays the same.

use super::operation::Entry;
use crate::policy::{Arg, Filter, Test};
use crate::vocab::{FilterId, Target};

/// What is loaded at some place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Loaded {
    /// No way leads there.
    Nowhere,
    /// Nothing.
    Nothing,
    One(Test),
    /// That hangs on the way.
    Several,
}

impl Loaded {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nowhere, known) | (known, Self::Nowhere) => known,
            (one, other) if one == other => one,
            // A value is never looked at where nothing is loaded: what the ways are that lead to it, is known to the graph only.
            (Self::Nothing, one @ Self::One(_)) | (one @ Self::One(_), Self::Nothing) => one,
            _ => Self::Several,
        }
    }
}

/// Puts loads before the values in `entries`, newest first, which are asked one after the other.
pub(super) fn complete(target: &Target, entries: &mut [Entry]) {
    let Some(load) = target.filters().iter().find_map(|info| info.requires) else { return };
    let mut loaded = Loaded::Nothing;
    for entry in entries {
        let filter = std::mem::replace(&mut entry.filter, Filter::Any(Vec::new()));
        let (filter, _, unmatched) = Walk { target, load }.filter(filter, &mut None, loaded);
        entry.filter = filter;
        loaded = unmatched;
    }
}

struct Walk<'t> {
    target: &'t Target,
    load: FilterId,
}

impl Walk<'_> {
    /// The filter with its loads, and what is loaded behind it when it matched and when not. `beside`: the load that stands before it
    /// in the same "and". Filters nest at most as deep as `Conditions` goes.
    fn filter(&self, filter: Filter, beside: &mut Option<Test>, loaded: Loaded) -> (Filter, Loaded, Loaded) {
        match filter {
            Filter::Test(test) => self.test(test, beside, loaded),
            Filter::Not(inner) => {
                let (inner, matched, unmatched) = self.filter(*inner, &mut beside.clone(), loaded);
                (Filter::Not(Box::new(inner)), unmatched, matched)
            }
            Filter::All(parts) => {
                let mut done = Vec::with_capacity(parts.len());
                let (mut at, mut failed) = (loaded, Loaded::Nowhere);
                for part in parts {
                    let (part, matched, unmatched) = self.filter(part, beside, at);
                    at = matched;
                    failed = failed.or(unmatched);
                    match part {
                        Filter::All(inner) => done.extend(inner),
                        part => done.push(part),
                    }
                }
                (Filter::All(done), at, failed)
            }
            Filter::Any(parts) => {
                let mut done: Vec<Filter> = Vec::with_capacity(parts.len());
                let (mut at, mut matched) = (loaded, Loaded::Nowhere);
                for part in parts {
                    let (part, yes, no) = self.filter(part, &mut beside.clone(), at);
                    at = no;
                    matched = matched.or(yes);
                    // "Not loaded, or not loaded with this value" is the second.
                    if done.last().is_some_and(|last| self.is_said_by(last, &part)) {
                        done.pop();
                    }
                    done.push(part);
                }
                match done.pop() {
                    Some(only) if done.is_empty() => (only, matched, at),
                    last => (Filter::Any(done.into_iter().chain(last).collect()), matched, at),
                }
            }
        }
    }

    fn test(&self, test: Test, beside: &mut Option<Test>, loaded: Loaded) -> (Filter, Loaded, Loaded) {
        if test.filter == self.load && matches!(test.arg, Arg::String(_)) {
            *beside = Some(test.clone());
            return (Filter::Test(test.clone()), Loaded::One(test), loaded);
        }
        let looks = self.target.filter(test.filter).is_some_and(|info| info.requires == Some(self.load));
        match &loaded {
            Loaded::One(load) if looks && beside.as_ref() != Some(load) => {
                *beside = Some(load.clone());
                let both = Filter::All(vec![Filter::Test(load.clone()), Filter::Test(test)]);
                (both, loaded.clone(), loaded)
            }
            _ => (Filter::Test(test), loaded.clone(), loaded),
        }
    }

    /// Whether `not` is a load that is not there, and `part` says "not" of that load with a value.
    fn is_said_by(&self, not: &Filter, part: &Filter) -> bool {
        match (not, part) {
            (Filter::Not(not), Filter::Not(part)) => match (&**not, &**part) {
                (Filter::Test(load), Filter::All(parts)) => {
                    load.filter == self.load && parts.first() == Some(&Filter::Test(load.clone()))
                }
                _ => false,
            },
            _ => false,
        }
    }
}
