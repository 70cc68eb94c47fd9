//! Whether one attribute has values for which its tests come out as wanted.
//!
//! **Invariants:** values that are found give exactly the wanted outcomes; outcomes that are called a contradiction have no value,
//! and are few, for the solver learns most from those.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::atoms::{Column, Question};
use crate::decide::space::{Undecided, choices};
use crate::decide::value::{Attribute, Value};
use crate::pattern::Variables;
use crate::pattern::automaton::{Space, contains};

/// Most tests of one attribute of which the fewest that contradict each other are looked for.
const MAX_SHRUNK: usize = 64;

/// Outcomes of the tests of one attribute, by question.
pub(super) type Outcomes = BTreeMap<u32, bool>;

/// What the tests of one attribute say about its value.
pub(super) enum Verdict {
    Values(Vec<Value>),
    /// A value, and those of the variables that it needs.
    Opened(Value, Vec<(Attribute, Value)>),
    /// The variables decide in a way that is not covered.
    Open,
    /// These outcomes contradict each other; with the flag only where the attribute always has a value.
    Contradiction(Outcomes, bool),
}

/// Whether one attribute has values with these outcomes.
pub(super) fn verdict(
    column: &Column,
    outcomes: &Outcomes,
    mandatory: bool,
    states: usize,
) -> Result<Verdict, Undecided> {
    let yes: BTreeSet<u32> = outcomes.iter().filter(|(_, holds)| **holds).map(|(question, _)| *question).collect();
    if yes.is_empty() && !mandatory {
        return Ok(Verdict::Values(vec![Value::Absent]));
    }
    if !column.is_textual() && column.single {
        let questions: Vec<u32> = outcomes.keys().copied().collect();
        let choices = choices(column, &questions, states)?;
        let fits = |outcomes: &Outcomes| {
            choices.iter().find(|(yes, _)| outcomes.iter().all(|(question, holds)| yes.contains(question) == *holds))
        };
        return Ok(match fits(outcomes) {
            Some((_, value)) => Verdict::Values(vec![value.clone()]),
            None => Verdict::Contradiction(shrunk(outcomes, |outcomes| Ok(fits(outcomes).is_some()))?, false),
        });
    }
    if !column.is_textual() {
        let numbers = yes.iter().map(|question| match column.questions.get_index(*question as usize) {
            Some(Question::Number(number)) => Ok(*number),
            // Filters with several numbers are compared with one number at a time, by every known compiler.
            _ => Err(Undecided::Trials),
        });
        return Ok(Verdict::Values(vec![Value::Numbers(numbers.collect::<Result<_, _>>()?)]));
    }
    if column.single {
        return Ok(match string(column, outcomes, states)? {
            Some(text) => Verdict::Values(vec![Value::string(text)]),
            None => {
                let core = shrunk(outcomes, |outcomes| Ok(string(column, outcomes, states)?.is_some()))?;
                Verdict::Contradiction(core.clone(), !core.values().any(|holds| *holds))
            }
        });
    }
    let mut texts = Vec::new();
    for question in yes {
        let with = |outcomes: &Outcomes| {
            outcomes.iter().filter(|(other, holds)| **other == question || !**holds).map(|(a, b)| (*a, *b)).collect()
        };
        match string(column, &with(outcomes), states)? {
            Some(text) => texts.push(text),
            None => {
                let core = shrunk(outcomes, |outcomes| {
                    Ok(!outcomes.contains_key(&question) || string(column, &with(outcomes), states)?.is_some())
                })?;
                return Ok(Verdict::Contradiction(with(&core), false));
            }
        }
    }
    Ok(Verdict::Values(vec![Value::Strings(texts)]))
}

/// `outcomes` without those of which the others contradict each other all the same.
pub(super) fn shrunk(
    outcomes: &Outcomes,
    possible: impl Fn(&Outcomes) -> Result<bool, Undecided>,
) -> Result<Outcomes, Undecided> {
    let mut core = outcomes.clone();
    for question in outcomes.keys().take(MAX_SHRUNK) {
        let mut fewer = core.clone();
        fewer.remove(question);
        if !possible(&fewer)? {
            core = fewer;
        }
    }
    Ok(core)
}

/// A string with these outcomes.
fn string(column: &Column, outcomes: &Outcomes, states: usize) -> Result<Option<Vec<u8>>, Undecided> {
    let mut patterns = Vec::new();
    let mut wanted = Vec::new();
    for (&question, &holds) in outcomes {
        if let Some(pattern) = column.questions.get_index(question as usize).and_then(Question::pattern) {
            patterns.push(pattern);
            wanted.push(holds);
        }
    }
    let mut space = Space::new(&patterns, &Variables::none(), column.domain(), states);
    let fits = |matching: &[u64]| wanted.iter().enumerate().all(|(at, holds)| contains(matching, at) == *holds);
    Ok(space.witness(fits)?)
}
