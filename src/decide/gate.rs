//! Which rules of a list a request has to be asked about.
//!
//! Most rules cannot match without one of some questions about one attribute, their *gate*, and a request answers few questions with
//! yes. So the rules stand under the questions of their gates, and a decision looks at those whose gate is open.
//!
//! **Invariants:** a rule that is left out does not match, whatever the unknown values are.

use super::atoms::{Atoms, Expr, Fact};

/// What a rule cannot match without: one of some questions about the strings of one column.
struct Gate {
    column: u32,
    questions: Vec<u32>,
}

impl Gate {
    /// The gate of `expr`. Recursion is bounded by the policy's limit on nesting.
    fn of(expr: &Expr, atoms: &Atoms) -> Option<Self> {
        match expr {
            Expr::Atom(atom) => {
                let column = atoms.column(atom.column)?;
                let usable = column.is_textual() && !column.is_open(atom.question);
                usable.then(|| Self { column: atom.column, questions: vec![atom.question] })
            }
            Expr::All(parts) => parts.iter().find_map(|part| Self::of(part, atoms)),
            Expr::Any(parts) => {
                let gates = parts.iter().map(|part| Self::of(part, atoms)).collect::<Option<Vec<_>>>()?;
                let column = gates.first()?.column;
                let is_one = gates.iter().all(|gate| gate.column == column);
                let questions = || gates.iter().flat_map(|gate| gate.questions.iter().copied()).collect();
                is_one.then(|| Self { column, questions: questions() })
            }
            Expr::Not(_) => None,
        }
    }
}

/// The rules of one list by what they cannot match without; a rule is named by its place in the list.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// Rules without a gate.
    none: Vec<u32>,
    columns: Vec<Gated>,
}

/// The rules whose gate is about one column.
#[derive(Debug)]
struct Gated {
    column: u32,
    /// A question and a rule that it opens, ascending.
    places: Vec<(u32, u32)>,
}

impl Gates {
    /// The gates of a list of conditions. A missing one always holds.
    pub(super) fn new<'e>(list: impl IntoIterator<Item = Option<&'e Expr>>, atoms: &Atoms) -> Self {
        let mut gates = Self::default();
        for (place, expr) in (0u32..).zip(list) {
            let Some(gate) = expr.and_then(|expr| Gate::of(expr, atoms)) else {
                gates.none.push(place);
                continue;
            };
            let places = gate.questions.into_iter().map(|question| (question, place));
            match gates.columns.iter_mut().find(|gated| gated.column == gate.column) {
                Some(gated) => gated.places.extend(places),
                None => gates.columns.push(Gated { column: gate.column, places: places.collect() }),
            }
        }
        gates.columns.iter_mut().for_each(|gated| gated.places.sort_unstable());
        gates
    }

    /// Puts into `found` the rules that may match, in the order of the list.
    pub(super) fn open(&self, facts: &[Fact<'_>], found: &mut Vec<u32>) {
        found.clear();
        for Gated { column, places } in &self.columns {
            match facts.get(*column as usize) {
                Some(Fact::Absent) => {}
                Some(Fact::Matches(bits) | Fact::Partly { matches: bits, .. }) => {
                    for question in ones(bits) {
                        let from = places.partition_point(|(known, _)| *known < question);
                        let same = places.iter().skip(from).take_while(|(known, _)| *known == question);
                        found.extend(same.map(|(_, place)| *place));
                    }
                }
                _ => found.extend(places.iter().map(|(_, place)| *place)),
            }
        }
        found.extend(&self.none);
        found.sort_unstable();
        found.dedup();
    }
}

/// The numbers of the bits that are set.
fn ones(bits: &[u64]) -> impl Iterator<Item = u32> {
    (0u32..).zip(bits).flat_map(|(at, word)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(at * 64 + bit)
        })
    })
}
