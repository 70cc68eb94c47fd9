//! What the compiler asks of `pattern`: trees of single strings, their unions, and the numbers of variables.

use indexmap::IndexSet;

use crate::pattern::build::{Compiled, compile};
use crate::pattern::code::{Alternative, CodeError, PatternTree, Step};
use crate::pattern::{Pattern, union};

pub(super) use union::disjoint;

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
