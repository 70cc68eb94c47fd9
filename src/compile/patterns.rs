//! What the compiler asks of `pattern`: trees of single strings, their unions, and the numbers of variables.

use indexmap::IndexSet;

use crate::pattern::build::{Compiled, compile};
use crate::pattern::code::{Alternative, CodeError, PatternTree, Step};
use crate::pattern::{Pattern, union, variable};

/// Whether no subject matches both trees, whatever their variables stand for; `name` tells what a number is the variable of.
pub(super) fn disjoint<'n>(a: &PatternTree, b: &PatternTree, name: impl Fn(u16) -> Option<&'n [u8]>) -> bool {
    let ends_anywhere = |number: &u16| !name(*number).is_some_and(variable::has_one_end);
    if !union::disjoint(a, b) {
        return false;
    }
    if !a.variables().any(|number| ends_anywhere(&number)) {
        return true;
    }
    // Two occurrences of such a variable may have two values, as those of different variables have: so one side gets a number of its own.
    let apart = |number| if ends_anywhere(&number) { u16::MAX } else { number };
    renumbered(b, &apart).is_ok_and(|b| union::disjoint(a, &b))
}

fn number(variables: &mut IndexSet<Vec<u8>>, name: &[u8]) -> u16 {
    // More than 65535 names do not fit any table and are refused by the encoder.
    u16::try_from(variables.insert_full(name.to_vec()).0).unwrap_or(u16::MAX)
}

/// The tree of `pattern`; `None` for a regex that has no pattern code. Variables are registered.
pub(super) fn tree(pattern: &Pattern, variables: &mut IndexSet<Vec<u8>>) -> Result<Option<PatternTree>, CodeError> {
    Ok(match compile(pattern, &mut |name| number(variables, name))? {
        Compiled::Tree(tree) => Some(tree),
        Compiled::Regex(_) => None,
    })
}

/// The union of a chain, whose variables are registered.
pub(super) fn unite(chain: &[Pattern], variables: &mut IndexSet<Vec<u8>>) -> Result<PatternTree, CodeError> {
    union::unite(chain, &mut |name| number(variables, name))
}

/// The same tree with other variable numbers.
pub(super) fn renumbered(tree: &PatternTree, number: &dyn Fn(u16) -> u16) -> Result<PatternTree, CodeError> {
    PatternTree::new(renumbered_list(tree.alternatives(), number))
}

/// Trees nest at most [`crate::pattern::code::MAX_DEPTH`] deep.
fn renumbered_list(list: &[Alternative], number: &dyn Fn(u16) -> u16) -> Vec<Alternative> {
    list.iter()
        .map(|alternative| match alternative {
            Alternative::Then(Step::Variable(old), children) => {
                Alternative::Then(Step::Variable(number(*old)), renumbered_list(children, number))
            }
            Alternative::Then(step, children) => Alternative::Then(step.clone(), renumbered_list(children, number)),
            Alternative::Choice(groups) => {
                Alternative::Choice(groups.iter().map(|group| renumbered_list(group, number)).collect())
            }
            other => other.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternKind;

    /// Whether two patterns with variables are disjoint as the compiler sees it.
    fn apart(a: (PatternKind, &str), b: (PatternKind, &str)) -> bool {
        let mut variables = IndexSet::new();
        let [a, b] = [a, b].map(|(kind, text)| {
            let pattern = Pattern::new(kind, text, true).unwrap();
            tree(&pattern, &mut variables).unwrap().unwrap()
        });
        let both = [(&a, &b), (&b, &a)]
            .map(|(a, b)| disjoint(a, b, |number| variables.get_index(number.into()).map(Vec::as_slice)));
        assert_eq!(both[0], both[1]);
        both[0]
    }

    /// What follows a variable decides where its value is one, or ends where any value of it ends; with the homes `/u` and `/u/v`
    /// `/u/v/a` is below `${ANY_USER_HOME}/a` and below `${ANY_USER_HOME}/v`.
    #[test]
    fn what_follows_a_variable_of_several_values_excludes_nothing() {
        use PatternKind::{Literal, Subpath};
        for (name, wanted) in [
            ("HOME", true),
            ("FRONT_USER_HOME", true),
            ("ANY_UUID", true),
            ("ANY_USER_HOME", false),
            ("any_user_home", false),
            ("ANY_PATH_COMPONENT", false),
            ("ENTITLEMENT:x", false),
        ] {
            let [a, b, c] = ["a", "b/c", "x"].map(|end| format!("/p/${{{name}}}/{end}"));
            assert_eq!(apart((Subpath, &a), (Subpath, &b)), wanted, "{name}");
            assert_eq!(apart((Literal, &a), (Subpath, &c)), wanted, "{name}");
            // What stands before it decides in any case.
            assert!(apart((Subpath, &a), (Subpath, &format!("/q/${{{name}}}/a"))), "{name}");
        }
    }

    /// A variable of several values behind one of a single value.
    #[test]
    fn two_variables_are_compared_each_by_its_kind() {
        use PatternKind::Literal;
        assert!(apart((Literal, "${HOME}/a/${ANY_USER_HOME}/x"), (Literal, "${HOME}/b/${ANY_USER_HOME}/x")));
        assert!(!apart((Literal, "${HOME}/a/${ANY_USER_HOME}/x"), (Literal, "${HOME}/a/${ANY_USER_HOME}/y")));
        assert!(!apart((Literal, "${ANY_USER_HOME}/${HOME}/x"), (Literal, "${ANY_USER_HOME}/${HOME}/y")));
    }
}
