//! Whether one attribute has a value, and variables have values, for which tests come out as wanted whose patterns hold variables.
//!
//! Asked first are the tests that are to hold, then also those that the reading found so far gets wrong, until it gets none wrong: the
//! automata stay as small as the witness, or the contradiction, is.
//!
//! **Invariants:** values that are found give exactly the wanted outcomes; outcomes that are called a contradiction have no value,
//! whatever the variables stand for; anything else is open.

use super::values::{Outcomes, Verdict, shrunk};
use crate::decide::atoms::{Column, Question};
use crate::decide::symbols::{Reading, reading};
use crate::decide::value::{Attribute, Value};
use crate::decide::variables;

/// Whether an attribute has a value with these outcomes.
pub(super) fn opened(column: &Column, outcomes: &Outcomes, mandatory: bool, states: usize) -> Verdict {
    let mut core: Outcomes = outcomes.iter().filter(|(_, holds)| **holds).map(|(at, holds)| (*at, *holds)).collect();
    if core.is_empty() && !mandatory {
        return Verdict::Opened(Value::Absent, Vec::new());
    }
    if !column.single || !column.is_textual() {
        return Verdict::Open;
    }
    loop {
        let Ok(found) = reading(column, &core, states) else { return Verdict::Open };
        let Some(Reading { text, variables, .. }) = found else {
            let Ok(core) = shrunk(&core, |fewer| Ok(reading(column, fewer, states)?.is_some())) else {
                return Verdict::Open;
            };
            let guarded = !core.values().any(|holds| *holds);
            return Verdict::Contradiction(core, guarded);
        };
        let value = Value::string(text);
        let known = core.len();
        let wrong: Outcomes = wrong(column, outcomes, &value, &variables).collect();
        core.extend(&wrong);
        if core.len() == known {
            // What is wrong yet was asked for: more was considered possible than is.
            return if wrong.is_empty() { Verdict::Opened(value, variables) } else { Verdict::Open };
        }
    }
}

/// Outcomes that are others for `value` with these values of variables; a variable that is not given stands for nothing.
pub(super) fn wrong<'o>(
    column: &'o Column,
    outcomes: &'o Outcomes,
    value: &'o Value,
    known: &'o [(Attribute, Value)],
) -> impl Iterator<Item = (u32, bool)> + 'o {
    let texts = if let Value::Strings(texts) = value { texts.as_slice() } else { &[] };
    let answer = move |question: u32| {
        let pattern = column.questions.get_index(question as usize).and_then(Question::pattern);
        pattern.is_some_and(|pattern| {
            let (variables, _) = variables::resolve(pattern.free_variables(), known, true, column.folds);
            texts.iter().any(|text| pattern.matches(text, &variables))
        })
    };
    let all = outcomes.iter().map(|(question, holds)| (*question, *holds));
    all.filter(move |(question, holds)| answer(*question) != *holds)
}

/// The variables in the patterns of these questions.
pub(super) fn names(column: &Column, outcomes: &Outcomes) -> impl Iterator<Item = Attribute> {
    let patterns = outcomes.keys().filter_map(|question| column.open_pattern(*question));
    patterns.flat_map(|pattern| pattern.free_variables().map(variables::attribute))
}
