//! What a request knows of the variables in patterns.

use super::value::{Attribute, Value};
use crate::pattern::automaton::Nfa;
use crate::pattern::{Meaning, Pattern, Variables, variable};

/// The attribute that holds what the variable called `name` stands for: `${ENTITLEMENT:x}` is the value of entitlement x.
pub(crate) fn attribute(name: &[u8]) -> Attribute {
    match variable::entitlement(name) {
        Some(entitlement) => Attribute::Entitlement(entitlement.to_vec()),
        None => Attribute::Variable(name.to_ascii_lowercase()),
    }
}

/// Folded patterns hold folded names.
fn is_same(known: &Attribute, wanted: &Attribute) -> bool {
    match (known, wanted) {
        (Attribute::Entitlement(known), Attribute::Entitlement(wanted)) => known.eq_ignore_ascii_case(wanted),
        _ => known == wanted,
    }
}

/// What `values` say of `variable`.
pub(crate) fn value<'v>(variable: &Attribute, values: &'v [(Attribute, Value)]) -> Option<&'v Value> {
    values.iter().find(|(known, _)| is_same(known, variable)).map(|(_, value)| value)
}

/// What the variables of `names` stand for, and whether all are known; one that is not known stands for nothing.
pub(crate) fn resolve<'n>(
    names: impl IntoIterator<Item = &'n [u8]>,
    values: &[(Attribute, Value)],
    closed: bool,
    folds: bool,
) -> (Variables, bool) {
    let mut variables = Variables::none();
    let mut is_complete = true;
    for name in names {
        match value(&attribute(name), values) {
            Some(Value::Strings(all)) => {
                let folded = |value: &Vec<u8>| if folds { value.to_ascii_lowercase() } else { value.clone() };
                variables.set(name, Meaning::Values(all.iter().map(folded).collect()));
            }
            // A flag is no text.
            Some(_) => {}
            None => is_complete &= closed,
        }
    }
    (variables, is_complete)
}

/// An automaton for all strings that one of `patterns` matches, whatever its variables stand for.
pub(crate) fn possible<'p>(patterns: impl IntoIterator<Item = &'p Pattern>) -> Nfa {
    let mut nfa = Nfa::new();
    for pattern in patterns {
        let mut variables = Variables::none();
        pattern.free_variables().for_each(|name| variables.set(name, Meaning::Anything));
        nfa.add(pattern, &variables);
    }
    nfa
}
