//! All requests at once, for conditions that no diagram holds: is there one for which some conditions hold together?
//!
//! A diagram ([`dag`](super::dag)) has one order of tests, and large profiles test the same thing in many places, so it grows with the
//! power of their number. Here conditions are gates, as many as the profiles have tests, and a SAT solver looks for an assignment of
//! all tests. What values allow of it is found as it is needed: from each assignment the tests that decide are taken, and when no
//! request answers them so, clauses that say why are added and the solver goes on.
//!
//! | attribute | what is known of its tests |
//! | --- | --- |
//! | one string | two that share no string exclude each other, one that lies in another implies it; else what its automaton says, and with variables what is possible for some values of theirs |
//! | several strings or numbers | each that holds needs a string that no failing one matches |
//! | anything else | the combinations of [`space`](super::space) |
//!
//! `gates` holds the conditions and the solver, `relation` says how two tests lie to each other, `values` what the tests of one
//! attribute allow, `open` the same where patterns hold variables; here they take turns. A request that is found says what the variables
//! in the patterns stand for that it was held against. Where a value of theirs is possible as far as is known, but none is found,
//! the answer is open.
//!
//! **Invariants:** a request that is found makes the conditions true for every value of the attributes it leaves out; when none is
//! found there is none, whatever the values of pattern variables; a spent budget is an error, never an answer.

mod gates;
mod open;
mod relation;
mod values;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use batsat::Lit;

use super::atoms::{Atom, Atoms};
use super::exclusive::Exclusive;
use super::space::{Budget, PLAIN_VALUE, Undecided, hangs_on, is_mandatory};
use super::store::Store;
use super::value::{Attribute, Value};
use crate::vocab::{OpId, Target};
use gates::{Gate, Gates};
use open::{names, opened};
use relation::Relations;
use values::{Outcomes, Verdict, verdict};

/// A condition.
pub(crate) use batsat::Lit as Literal;

type Found = Option<Vec<(Attribute, Value)>>;

/// Searches over all requests.
pub(crate) struct Prover<'a> {
    gates: Gates,
    atoms: &'a Atoms,
    exclusive: &'a Exclusive,
    target: &'static Target,
    budget: Budget,
    /// Tests whose relation to the other ones of their attribute the solver knows.
    related: HashSet<Atom>,
    relations: Relations,
    /// What stands for requests on each operation.
    asked: HashMap<OpId, Lit>,
}

impl<'a> Prover<'a> {
    pub(crate) fn new(atoms: &'a Atoms, exclusive: &'a Exclusive, target: &'static Target, budget: Budget) -> Self {
        Self {
            gates: Gates::new(budget),
            atoms,
            exclusive,
            target,
            budget,
            related: HashSet::new(),
            relations: Relations::new(budget.states),
            asked: HashMap::new(),
        }
    }

    /// Where conditions are made.
    pub(crate) fn store(&mut self) -> &mut impl Store<Root = Lit> {
        &mut self.gates
    }

    /// Values for which all of `wanted` hold in a request on `operation`; `None` when there are none.
    pub(crate) fn find(&mut self, operation: OpId, wanted: &[Lit]) -> Result<Found, Undecided> {
        self.gates.tell(wanted);
        let asked = match self.asked.get(&operation) {
            Some(known) => *known,
            None => {
                let literal = self.gates.fresh(Gate::Asked);
                self.asked.insert(operation, literal);
                literal
            }
        };
        let mut assumed = wanted.to_vec();
        assumed.push(asked);
        self.gates.start();
        for _ in 0..self.budget.trials {
            match self.gates.solve(&assumed) {
                Some(true) => {}
                Some(false) => return Ok(None),
                None => return Err(Undecided::Trials),
            }
            let cube = self.gates.deciding(wanted);
            if self.relate(&cube) | self.exclude(operation, asked, &cube) {
                continue;
            }
            if let Some(found) = self.values(operation, asked, &cube)? {
                return Ok(Some(found));
            }
        }
        Err(Undecided::Trials)
    }

    /// Tells the solver how each test of one value that holds lies to the others; true when `cube` breaks that.
    fn relate(&mut self, cube: &BTreeMap<u32, Outcomes>) -> bool {
        let mut broken = false;
        for (&number, outcomes) in cube {
            let Some(column) = self.atoms.column(number) else { continue };
            if !column.single {
                continue;
            }
            let others = self.gates.questions(number);
            for (&question, _) in outcomes.iter().filter(|(_, holds)| **holds) {
                let atom = Atom { column: number, question };
                if !self.related.insert(atom) {
                    continue;
                }
                let Some(own) = self.gates.atom(atom) else { continue };
                for &other in others.iter().filter(|other| **other != question) {
                    let other_atom = Atom { column: number, question: other };
                    let Some(literal) = self.gates.atom(other_atom) else { continue };
                    let relation = self.relations.of(column, atom, other_atom);
                    if relation.disjoint {
                        self.gates.clause(vec![!own, !literal]);
                        broken |= outcomes.get(&other) == Some(&true);
                    }
                    if relation.inside {
                        self.gates.clause(vec![!own, literal]);
                        broken |= outcomes.get(&other) == Some(&false);
                    }
                    if relation.around {
                        self.gates.clause(vec![own, !literal]);
                    }
                }
            }
        }
        broken
    }

    /// Attributes of which a request has one: tells the solver of tests in `cube` that hold and cannot hold together.
    fn exclude(&mut self, operation: OpId, asked: Lit, cube: &BTreeMap<u32, Outcomes>) -> bool {
        let mut clauses = Vec::new();
        let first = |column: u32| {
            let holds = cube.get(&column)?.iter().find(|(_, holds)| **holds)?;
            self.gates.atom(Atom { column, question: *holds.0 })
        };
        for &number in cube.keys() {
            let Some(Attribute::Filter(filter)) = self.atoms.column(number).map(|column| &column.attribute) else {
                continue;
            };
            let Some(own) = first(number) else { continue };
            for other in self.exclusive.ruled_out(self.target, operation, |known| known == *filter) {
                let other = self.atoms.column_number(&Attribute::Filter(other)).and_then(first);
                clauses.extend(other.map(|other| vec![!asked, !own, !other]));
            }
        }
        let broken = !clauses.is_empty();
        for clause in clauses {
            self.gates.clause(clause);
        }
        broken
    }

    /// Values for the tests in `cube`; `None` when there are none, which the solver then knows.
    fn values(&mut self, operation: OpId, asked: Lit, cube: &BTreeMap<u32, Outcomes>) -> Result<Found, Undecided> {
        let mut values = Vec::new();
        let mut needed = Vec::new();
        let mut open = None;
        let mut contradicted = false;
        for (&number, outcomes) in cube {
            let Some(column) = self.atoms.column(number) else { continue };
            let mandatory = is_mandatory(self.target, operation, column);
            let mut closed = outcomes.clone();
            closed.retain(|question, _| !column.is_open(*question));
            let mut found = verdict(column, &closed, mandatory, self.budget.states)?;
            if closed.len() < outcomes.len() && matches!(found, Verdict::Values(_)) {
                found = opened(column, outcomes, mandatory, self.budget.states);
            }
            match found {
                Verdict::Values(found) => {
                    values.extend(found.into_iter().map(|value| (column.attribute.clone(), value)));
                }
                Verdict::Opened(value, variables) => {
                    values.push((column.attribute.clone(), value));
                    needed.extend(variables);
                }
                Verdict::Open => open = open.or(Some(number)),
                Verdict::Contradiction(outcomes, guarded) => {
                    contradicted = true;
                    let literals = outcomes.iter().filter_map(|(&question, &holds)| {
                        let literal = self.gates.atom(Atom { column: number, question })?;
                        Some(if holds { !literal } else { literal })
                    });
                    let clause = literals.chain(guarded.then_some(!asked)).collect();
                    self.gates.clause(clause);
                }
            }
        }
        if contradicted {
            return Ok(None);
        }
        let number = match open {
            Some(number) => number,
            None => match self.with_variables(cube, values, needed) {
                Ok(found) => return Ok(Some(found)),
                Err(number) => number,
            },
        };
        // What a variable stands for decides, in a way that is not covered.
        let hanging: Vec<u32> = cube.get(&number).into_iter().flat_map(|outcomes| outcomes.keys().copied()).collect();
        Err(self.atoms.column(number).map_or(Undecided::Trials, |column| hangs_on(column, &hanging)))
    }

    /// `values` with those of the variables in the patterns that `cube` tests; each column was given those that it needs. An error is
    /// a column that has other outcomes then: a variable has one value in all columns.
    fn with_variables(
        &self,
        cube: &BTreeMap<u32, Outcomes>,
        mut values: Vec<(Attribute, Value)>,
        needed: Vec<(Attribute, Value)>,
    ) -> Result<Vec<(Attribute, Value)>, u32> {
        let hanging = cube.iter().filter_map(|(number, outcomes)| {
            let column = self.atoms.column(*number)?;
            let names: BTreeSet<Attribute> = names(column, outcomes).collect();
            (!names.is_empty()).then_some((*number, column, outcomes, names))
        });
        let hanging: Vec<_> = hanging.collect();
        let wrong = |values: &[(Attribute, Value)]| {
            let mut wrong = hanging.iter().filter(|(_, column, outcomes, _)| {
                let value = values.iter().find(|(known, _)| *known == column.attribute);
                value.is_none_or(|(_, value)| open::wrong(column, outcomes, value, values).next().is_some())
            });
            wrong.next().map(|(number, ..)| *number)
        };
        let own = values.len();
        for (variable, value) in needed {
            match values.iter_mut().find(|(known, _)| *known == variable) {
                None => values.push((variable, value)),
                Some((_, old)) if *old == Value::Absent => *old = value,
                Some(_) => {}
            }
        }
        for variable in hanging.iter().flat_map(|(.., names)| names) {
            if !values.iter().any(|(known, _)| known == variable) {
                values.push((variable.clone(), Value::Absent));
            }
        }
        if let Some(number) = wrong(&values) {
            return Err(number);
        }
        for place in own..values.len() {
            if matches!(&values[place], (Attribute::Variable(_), Value::Absent)) {
                values[place].1 = Value::string(PLAIN_VALUE);
                if wrong(&values).is_some() {
                    values[place].1 = Value::Absent;
                }
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
