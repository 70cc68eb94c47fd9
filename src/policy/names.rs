//! Names for conditions that a text would repeat or nest too deep: `(define condition-1 …)`.
//!
//! **Invariants:** a condition is named before any condition or rule that uses it is met; equal rules give equal names.

use std::collections::HashMap;

use indexmap::IndexSet;

use super::{Filter, Test};

/// Conditions with fewer tests are written again.
const MIN_TESTS: usize = 8;
/// Groups inside groups; what is deeper gets a name.
const MAX_HEIGHT: usize = 8;

/// A condition by its parts; equal ones have one number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Test(Test),
    All(Vec<usize>),
    Any(Vec<usize>),
    Not(usize),
}

/// The conditions of a text, and the names that some of them have.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    shapes: IndexSet<Shape>,
    /// By number: how many tests it holds, how many conditions and rules use it.
    sizes: Vec<(usize, usize)>,
    /// By number, for those that were met: how deep groups nest in it when what has a name counts as nothing.
    heights: HashMap<usize, usize>,
    names: HashMap<usize, String>,
}

impl Names {
    /// The filters of a whole text; nothing has a name yet.
    pub(super) fn of<'f>(filters: impl Iterator<Item = &'f Filter>) -> Self {
        let mut names = Self::default();
        for filter in filters {
            let number = names.number(filter);
            names.used(number);
        }
        names
    }

    fn used(&mut self, number: usize) {
        if let Some((_, uses)) = self.sizes.get_mut(number) {
            *uses += 1;
        }
    }

    /// Recursion is bounded by the limit on nesting.
    fn number(&mut self, filter: &Filter) -> usize {
        let shape = match filter {
            Filter::Test(test) => Shape::Test(test.clone()),
            Filter::All(parts) => Shape::All(parts.iter().map(|part| self.number(part)).collect()),
            Filter::Any(parts) => Shape::Any(parts.iter().map(|part| self.number(part)).collect()),
            Filter::Not(inner) => Shape::Not(self.number(inner)),
        };
        let parts = shape.parts().to_vec();
        let (number, is_new) = self.shapes.insert_full(shape);
        if is_new {
            let tests = parts.iter().filter_map(|part| self.sizes.get(*part)).map(|size| size.0).sum::<usize>();
            self.sizes.push((tests.max(1), 0));
            parts.into_iter().for_each(|part| self.used(part));
        }
        number
    }

    /// The number of a condition of the text.
    pub(super) fn find(&self, filter: &Filter) -> Option<usize> {
        let all = |parts: &[Filter]| parts.iter().map(|part| self.find(part)).collect::<Option<Vec<usize>>>();
        self.shapes.get_index_of(&match filter {
            Filter::Test(test) => Shape::Test(test.clone()),
            Filter::All(parts) => Shape::All(all(parts)?),
            Filter::Any(parts) => Shape::Any(all(parts)?),
            Filter::Not(inner) => Shape::Not(self.find(inner)?),
        })
    }

    pub(super) fn shape(&self, number: usize) -> Option<&Shape> {
        self.shapes.get_index(number)
    }

    pub(super) fn name(&self, number: usize) -> Option<&str> {
        self.names.get(&number).map(String::as_str)
    }

    /// Names what is to be named in the filter of the next rule: the numbers in the order in which they are to be defined.
    pub(super) fn meet(&mut self, filter: &Filter) -> Vec<usize> {
        let mut new = Vec::new();
        if let Some(number) = self.find(filter) {
            self.height(number, true, &mut new);
        }
        new
    }

    fn height(&mut self, number: usize, outermost: bool, new: &mut Vec<usize>) -> usize {
        if let Some(known) = self.heights.get(&number) {
            return *known;
        }
        let parts = self.shape(number).map(|shape| shape.parts().to_vec()).unwrap_or_default();
        let mut height = parts.iter().map(|part| 1 + self.height(*part, false, new)).max().unwrap_or_default();
        let (tests, uses) = self.sizes.get(number).copied().unwrap_or_default();
        let is_repeated = uses > 1 && tests >= MIN_TESTS;
        if height > 0 && (is_repeated || (height >= MAX_HEIGHT && !outermost)) {
            self.names.insert(number, format!("condition-{}", self.names.len() + 1));
            new.push(number);
            height = 0;
        }
        self.heights.insert(number, height);
        height
    }
}

impl Shape {
    fn parts(&self) -> &[usize] {
        match self {
            Self::Test(_) => &[],
            Self::All(parts) | Self::Any(parts) => parts,
            Self::Not(inner) => std::slice::from_ref(inner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use crate::policy::Arg;
    use crate::vocab::FilterId;

    fn any(from: usize, to: usize) -> Filter {
        let test = |n| Filter::Test(Test { filter: FilterId(1), arg: Arg::Pattern(Pattern::literal(format!("/{n}"))) });
        Filter::Any((from..to).map(test).collect())
    }

    #[test]
    fn what_is_repeated_is_named_once_and_before_it_is_used() {
        let (inner, other) = (any(0, 8), any(8, 10));
        let outer = Filter::All(vec![inner.clone(), other.clone()]);
        let rules = [outer.clone(), inner.clone(), outer.clone(), other.clone()];
        let mut names = Names::of(rules.iter());
        let met: Vec<usize> = rules.iter().flat_map(|filter| names.meet(filter)).collect();
        assert_eq!(met, [names.find(&inner).unwrap(), names.find(&outer).unwrap()]);
        let name = |filter: &Filter| names.find(filter).and_then(|number| names.name(number));
        assert_eq!([&inner, &outer, &other].map(name), [Some("condition-1"), Some("condition-2"), None]);
    }

    #[test]
    fn what_nests_deep_is_named() {
        let mut filter = any(0, 2);
        for n in 0..20 {
            filter = Filter::All(vec![any(n, n + 1), Filter::Not(Box::new(filter))]);
        }
        assert_eq!(Names::of(std::iter::once(&filter)).meet(&filter).len(), 5);
    }
}
