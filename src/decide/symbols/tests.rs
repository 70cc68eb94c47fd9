use proptest::prelude::*;

use super::*;
use crate::decide::atoms::Atoms;
use crate::pattern::PatternKind;
use crate::policy::{Arg, Filter, Test};
use crate::vocab::default_target;

/// The questions of these patterns, of a filter whose strings are any names.
fn atoms(patterns: &[Pattern]) -> Atoms {
    let target = default_target();
    let filter = target.filter_named("global-name").unwrap();
    let mut atoms = Atoms::new(target);
    for pattern in patterns {
        atoms.compile(&Filter::Test(Test { filter, arg: Arg::Pattern(pattern.clone()) }));
    }
    atoms.freeze();
    atoms
}

/// Every string of at most `length` of these bytes.
fn strings(length: usize) -> Vec<Vec<u8>> {
    let mut out = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..length {
        let more: Vec<Vec<u8>> =
            out[from..].iter().flat_map(|text| b"/ab".map(|byte| [text.as_slice(), &[byte]].concat())).collect();
        from = out.len();
        out.extend(more);
    }
    out
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let kind = prop_oneof![Just(PatternKind::Literal), Just(PatternKind::Prefix), Just(PatternKind::Subpath)];
    let variable = prop_oneof![3 => Just("${V}"), 1 => Just("")];
    (kind, variable, "[/ab]{0,2}")
        .prop_map(|(kind, variable, rest)| Pattern::new(kind, format!("a{variable}{rest}"), true).unwrap())
}

/// The questions of `patterns` that hold.
fn holding(patterns: &[Pattern], text: &[u8], variables: &Variables) -> BTreeSet<u32> {
    (0u32..).zip(patterns).filter(|(_, each)| each.matches(text, variables)).map(|(place, _)| place).collect()
}

proptest! {
    /// One reading is found exactly where some string and value have these outcomes; it has them, and is as short as any.
    #[test]
    fn a_reading_is_found_where_there_is_one(
        wanted in prop::collection::vec((pattern(), prop::option::of(any::<bool>())), 1..5),
    ) {
        let (patterns, asked): (Vec<Pattern>, Vec<Option<bool>>) = wanted.into_iter().unzip();
        let atoms = atoms(&patterns);
        let column = atoms.column(0).unwrap();
        let mut outcomes: BTreeMap<u32, bool> = BTreeMap::new();
        for (pattern, asked) in patterns.iter().zip(asked) {
            let question = column.questions.iter().position(|each| each.pattern().as_ref() == Some(pattern)).unwrap();
            outcomes.extend(asked.map(|holds| (question as u32, holds)));
        }
        let patterns: Vec<Pattern> = column.questions.iter().filter_map(|question| question.pattern()).collect();
        let fits = |text: &[u8], variables: &Variables| {
            let yes = holding(&patterns, text, variables);
            outcomes.iter().all(|(question, holds)| yes.contains(question) == *holds)
        };
        let found = reading(column, &outcomes, 10_000).unwrap();
        if let Some(Reading { text, variables: values, .. }) = &found {
            let mut variables = Variables::none();
            if let Some((_, Value::Strings(all))) = values.first() {
                variables.add("v", all[0].clone());
            }
            prop_assert!(fits(text, &variables), "{patterns:?} {outcomes:?} {found:?}");
        }
        let least = found.map_or(usize::MAX, |found| found.text.len());
        for text in strings(4).iter().filter(|text| !text.is_empty() && text.len() < least) {
            for value in strings(2).iter().filter(|value| !value.is_empty()) {
                let mut variables = Variables::none();
                variables.add("v", value.clone());
                prop_assert!(!fits(text, &variables), "{patterns:?} {outcomes:?} {text:?} {value:?}");
            }
        }
    }

    /// Against every string and every value: what holds at once is found, and what is found holds.
    #[test]
    fn readings_are_those_that_exist(wanted in prop::collection::vec(pattern(), 1..4)) {
        let atoms = atoms(&wanted);
        let column = atoms.column(0).unwrap();
        let questions: Vec<u32> = (0..column.questions.len() as u32).collect();
        let patterns: Vec<Pattern> = column.questions.iter().filter_map(|question| question.pattern()).collect();
        let holding = |text: &[u8], variables: &Variables| holding(&patterns, text, variables);
        let found = readings(column, &questions, 10_000).unwrap();
        for reading in &found {
            let mut variables = Variables::none();
            for (_, value) in &reading.variables {
                if let Value::Strings(all) = value {
                    prop_assert_eq!(all.len(), 1);
                    variables.add("v", all[0].clone());
                }
            }
            prop_assert_eq!(&holding(&reading.text, &variables), &reading.yes, "{:?} {:?}", patterns, reading);
        }
        for text in strings(4).iter().filter(|text| !text.is_empty()) {
            for value in strings(2).iter().filter(|value| !value.is_empty()) {
                let mut variables = Variables::none();
                variables.add("v", value.clone());
                let yes = holding(text, &variables);
                prop_assert!(found.iter().any(|reading| reading.yes == yes), "{patterns:?} {text:?} {value:?}");
            }
        }
    }
}
