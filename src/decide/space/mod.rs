//! All requests at once: is there one for which a condition holds?
//!
//! A condition is a root of a [`Dag`] over tests. Not every combination of tests can be: a path is one string, a port one
//! number. So the search goes attribute by attribute and tries, for each, the combinations that some value has:
//!
//! | attribute | values tried |
//! | --- | --- |
//! | one string | the strings that lead to different places of a [`Walk`], shortest first |
//! | several values, tests that each name another one | none: every combination of answers is possible, so the search leaves them out and puts in as few as it takes afterwards |
//! | several strings or numbers otherwise | every combination of tests; each that holds needs a string that no failing test matches |
//! | one number, bits | each number that is named, and one that is not; each combination of bits that tests tell apart |
//! | address | IP version × transport × local or not × each port that is named, and one that is not |
//! | flag | both |
//! | entitlement | absent, both booleans, one string for each accept set |
//!
//! Absent is tried too, except for the path of file operations. Strings of path filters are canonical absolute paths, in lower
//! case where the target folds case; other strings are not empty. No string holds a NUL byte.
//!
//! **Invariants:** a request that is found makes the condition true for every value of the attributes it leaves out; when none
//! is found there is none; a spent budget is an error, never an answer.

mod values;
mod walk;

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::atoms::{Atom, Atoms, Column, Question, Truth};
use super::dag::{Dag, Root, TooManyNodes};
use super::exclusive::Exclusive;
use super::symbols;
use super::value::{Attribute, PATH, Value};
use crate::pattern;
use crate::pattern::automaton::TooManyStates;
use crate::vocab::{OpId, Target};

pub(crate) use values::choices;
use values::combinations;
use walk::Walk;

/// How much work one comparison may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Nodes of the decision diagram.
    pub nodes: usize,
    /// States of one automaton over strings.
    pub states: usize,
    /// Combinations of values that are tried, over everything.
    pub trials: usize,
}

impl Default for Budget {
    /// Enough for system profiles; some seconds at worst.
    fn default() -> Self {
        Self { nodes: 1 << 20, states: 1 << 17, trials: 1 << 20 }
    }
}

/// Why a question about all requests stays open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The decision diagram grew beyond the budget.
    #[error("the decision diagram is larger than the budget")]
    Nodes,
    /// An automaton grew beyond the budget.
    #[error("the automaton over the strings is larger than the budget")]
    States,
    /// Too many combinations of values.
    #[error("more combinations of values than the budget allows")]
    Trials,
    /// The answer hangs on what a variable in a pattern stands for.
    #[error("the answer hangs on what ${{{0}}} in a pattern stands for")]
    Variable(String),
}

impl From<TooManyNodes> for Undecided {
    fn from(_: TooManyNodes) -> Self {
        Self::Nodes
    }
}

impl From<TooManyStates> for Undecided {
    fn from(_: TooManyStates) -> Self {
        Self::States
    }
}

/// What a variable stands for in a request that is found, where it may be anything.
pub(crate) const PLAIN_VALUE: &str = "/users/me";

/// The answer hangs on the first variable in these questions.
pub(crate) fn hangs_on(column: &Column, questions: &[u32]) -> Undecided {
    let name = questions.iter().filter_map(|question| column.open_pattern(*question)?.free_variables().next()).next();
    Undecided::Variable(String::from_utf8_lossy(name.unwrap_or_default()).to_ascii_uppercase())
}

/// Deepest chain of attributes and tests that one search goes down.
const MAX_DEPTH: usize = 400;

/// Sets of questions and a string that answers exactly them with yes, for each set that some string has.
type Combinations = Vec<(BTreeSet<u32>, Vec<u8>)>;

/// Values of one attribute and the questions of interest that each answers with yes.
pub(crate) type Choices = Vec<(BTreeSet<u32>, Value)>;

/// A search over all requests on one operation.
pub(crate) struct Space<'a> {
    atoms: &'a Atoms,
    exclusive: &'a Exclusive,
    target: &'static Target,
    budget: Budget,
    trials: usize,
    strings: HashMap<(u32, Vec<u32>), Rc<Combinations>>,
    choices: HashMap<(u32, Vec<u32>), Rc<Choices>>,
}

/// One attribute to try: the condition so far and the questions about it that matter.
struct Step<'c> {
    root: Root,
    depth: usize,
    number: u32,
    column: &'c Column,
    questions: Vec<u32>,
}

type Found = Option<Vec<(Attribute, Value)>>;

impl<'a> Space<'a> {
    pub(crate) fn new(atoms: &'a Atoms, exclusive: &'a Exclusive, target: &'static Target, budget: Budget) -> Self {
        Self { atoms, exclusive, target, budget, trials: 0, strings: HashMap::new(), choices: HashMap::new() }
    }

    /// Values that make `root` true for a request on `operation`, the shortest path first; `None` when there are none.
    pub(crate) fn find(&mut self, dag: &mut Dag, operation: OpId, root: Root) -> Result<Found, Undecided> {
        let numbers = 0..self.atoms.columns();
        let free =
            numbers.map(|number| self.atoms.column(number).is_some_and(|column| self.is_free(operation, column)));
        let free = free.collect();
        let mut search = Search { dag, operation, free, bare: FxHashMap::default(), failed: FxHashSet::default() };
        let mut found = self.solve(&mut search, root, 0)?;
        if let Some(values) = &mut found {
            values.reverse();
            self.confirm(dag, operation, root, values)?;
        }
        Ok(found)
    }

    /// Holds `values` against the patterns with variables that `root` depends on: they were found by a search that considers more
    /// possible than is. Variables that have no value get a plain one where that makes no difference.
    fn confirm(
        &self,
        dag: &mut Dag,
        operation: OpId,
        root: Root,
        values: &mut Vec<(Attribute, Value)>,
    ) -> Result<(), Undecided> {
        let support = dag.support(root);
        let column = |atom: &Atom| self.atoms.column(atom.column);
        let Some(first) = support.iter().find(|atom| column(atom).is_some_and(|each| each.is_open(atom.question)))
        else {
            return Ok(());
        };
        let mut holds = |values: &[(Attribute, Value)]| -> Result<bool, Undecided> {
            let out = self.exclusive.ruled_out(self.target, operation, |filter| {
                values.iter().any(|(known, value)| *known == Attribute::Filter(filter) && *value != Value::Absent)
            });
            let facts = self.atoms.facts(values, &out, false);
            let rest = dag.restrict(root, |atom| match self.atoms.ask(atom, &facts) {
                Truth::Unknown => None,
                known => Some(known == Truth::True),
            })?;
            Ok(rest == Root::ALLOW)
        };
        let is_possible = |(attribute, value): &(Attribute, Value)| match (attribute, value) {
            (Attribute::Variable(name), Value::Strings(all)) => all.len() < 2 || pattern::variable::is_many(name),
            _ => true,
        };
        if !values.iter().all(is_possible) || !holds(values)? {
            return Err(column(first).map_or(Undecided::Trials, |column| hangs_on(column, &[first.question])));
        }
        for place in 0..values.len() {
            if matches!(values.get(place), Some((Attribute::Variable(_), Value::Absent))) {
                let mut plain = values.clone();
                plain[place].1 = Value::string(PLAIN_VALUE);
                if holds(&plain)? {
                    *values = plain;
                }
            }
        }
        Ok(())
    }

    fn spend(&mut self) -> Result<(), Undecided> {
        self.trials += 1;
        if self.trials > self.budget.trials { Err(Undecided::Trials) } else { Ok(()) }
    }

    /// The column to try next: single strings first, for a path decides most and its witness shall be short.
    fn next_column(&self, support: &[Atom]) -> Option<u32> {
        support.iter().map(|atom| atom.column).min_by_key(|number| {
            let column = self.atoms.column(*number);
            let single = column.is_some_and(|column| column.single && column.is_textual());
            (!single, *number)
        })
    }

    fn solve(&mut self, search: &mut Search<'_>, root: Root, depth: usize) -> Result<Found, Undecided> {
        match root {
            Root::DENY => return Ok(None),
            Root::ALLOW => return Ok(Some(Vec::new())),
            _ if search.failed.contains(&root) => return Ok(None),
            _ if depth > MAX_DEPTH => return Err(Undecided::Trials),
            _ => {}
        }
        let bare = search.bare(root)?;
        if bare == Root::DENY || search.failed.contains(&bare) {
            return Ok(None);
        }
        let support = search.dag.support(root);
        let Some(number) = self.next_column(&support) else { return Ok(None) };
        let Some(column) = self.atoms.column(number) else { return Ok(None) };
        let questions: Vec<u32> =
            support.iter().filter(|atom| atom.column == number).map(|atom| atom.question).collect();
        let open = questions.iter().any(|question| column.is_open(*question));
        let step = Step { root, depth, number, column, questions };
        let is_string = column.single && column.is_textual();
        // Whether there is a request at all is asked without the free columns, where there is less to try. Strings are searched
        // so anyway.
        if !is_string && bare != root && self.solve(search, bare, depth + 1)?.is_none() {
            search.failed.insert(root);
            return Ok(None);
        }
        let found = match (column.single, column.is_textual()) {
            (true, true) if open => self.try_readings(search, &step)?,
            _ if open => return Err(hangs_on(column, &step.questions)),
            (true, true) => self.try_strings(search, &step)?,
            (true, false) => self.try_choices(search, &step)?,
            (false, _) if search.free.get(number as usize) == Some(&true) => self.choose_set(search, &step)?,
            (false, _) => self.try_sets(search, &step)?,
        };
        if found.is_none() {
            search.failed.insert(root);
        }
        Ok(found)
    }

    /// Goes on with `column` set to `value`, for which exactly the questions `yes` hold.
    fn go_on(
        &mut self,
        search: &mut Search<'_>,
        step: &Step<'_>,
        root: Root,
        yes: &BTreeSet<u32>,
        value: &Value,
    ) -> Result<Found, Undecided> {
        self.spend()?;
        let out = match value {
            Value::Absent => Vec::new(),
            _ => self.ruled_out(search.operation, step.column),
        };
        let rest = search.dag.restrict(root, |atom| {
            if atom.column == step.number {
                Some(yes.contains(&atom.question))
            } else {
                out.contains(&atom.column).then_some(false)
            }
        })?;
        let mut found = self.solve(search, rest, step.depth + 1)?;
        if let Some(values) = &mut found {
            values.push((step.column.attribute.clone(), value.clone()));
        }
        Ok(found)
    }

    /// The columns that have no value when `column` has one.
    fn ruled_out(&self, operation: OpId, column: &Column) -> Vec<u32> {
        let Attribute::Filter(filter) = &column.attribute else { return Vec::new() };
        let out = self.exclusive.ruled_out(self.target, operation, |known| known == *filter);
        out.into_iter().filter_map(|filter| self.atoms.column_number(&Attribute::Filter(filter))).collect()
    }

    /// Whether the answers about `column` hang neither on each other nor on other columns.
    fn is_free(&self, operation: OpId, column: &Column) -> bool {
        column.is_free() && self.ruled_out(operation, column).is_empty()
    }

    /// Tries the strings of the column, shortest first, then none. Attributes whose answers are free are left out of the
    /// search; the string that is found fits some answers of theirs.
    fn try_strings(&mut self, search: &mut Search<'_>, step: &Step<'_>) -> Result<Found, Undecided> {
        let out = self.ruled_out(search.operation, step.column);
        let present = search.dag.restrict(step.root, |atom| out.contains(&atom.column).then_some(false))?;
        let bare = search.bare(present)?;
        let mut walk = Walk::new(step.column, step.number, self.budget.states, search.dag, bare)?;
        while let Some(place) = walk.next() {
            if let Some(rest) = walk.end(search.dag, place)? {
                self.spend()?;
                if self.solve(search, rest, step.depth + 1)?.is_some() {
                    let value = Value::string(walk.spell(place));
                    let holds = |question: &&u32| step.column.answer(**question, &value) == Truth::True;
                    let yes = step.questions.iter().filter(holds).copied().collect();
                    return self.go_on(search, step, step.root, &yes, &value);
                }
            }
            // Where the string does not matter any more, the rest of the request decides whether it is worth to go on.
            if walk.is_open(search.dag, place) || self.solve(search, walk.root(place), step.depth + 1)?.is_some() {
                walk.go_on(search.dag, place)?;
            }
        }
        if is_mandatory(self.target, search.operation, step.column) {
            return Ok(None);
        }
        self.go_on(search, step, step.root, &BTreeSet::new(), &Value::Absent)
    }

    /// Chooses as few values as it takes of a column whose answers are free, when some do.
    fn choose_set(&mut self, search: &mut Search<'_>, step: &Step<'_>) -> Result<Found, Undecided> {
        let mut rest = step.root;
        let mut yes = BTreeSet::new();
        for question in &step.questions {
            let atom = Atom { column: step.number, question: *question };
            let without = search.dag.restrict(rest, |other| (other == atom).then_some(false))?;
            let bare = search.bare(without)?;
            if self.solve(search, bare, step.depth + 1)?.is_some() {
                rest = without;
            } else {
                rest = search.dag.restrict(rest, |other| (other == atom).then_some(true))?;
                yes.insert(*question);
            }
        }
        let asked = || yes.iter().filter_map(|question| step.column.questions.get_index(*question as usize));
        let mut texts: Vec<Vec<u8>> = asked().filter_map(|question| Some(question.literal()?.to_vec())).collect();
        texts.sort_by_key(|text| text.len());
        let number = |question: &Question| if let Question::Number(number) = question { Some(*number) } else { None };
        let value = match (yes.is_empty(), step.column.is_textual()) {
            (true, _) => Value::Absent,
            (false, true) => Value::Strings(texts),
            (false, false) => Value::Numbers(asked().filter_map(number).collect()),
        };
        self.go_on(search, step, rest, &yes, &value)
    }

    /// As [`Self::try_strings`], for patterns with variables: what these stand for is a part of the request.
    fn try_readings(&mut self, search: &mut Search<'_>, step: &Step<'_>) -> Result<Found, Undecided> {
        for reading in symbols::readings(step.column, &step.questions, self.budget.states)? {
            let value = Value::string(reading.text);
            let Some(mut found) = self.go_on(search, step, step.root, &reading.yes, &value)? else { continue };
            for (variable, value) in reading.variables {
                match found.iter_mut().find(|(known, _)| *known == variable) {
                    // The string comes first when the values are turned round.
                    None => found.insert(found.len().saturating_sub(1), (variable, value)),
                    Some((_, old)) if *old == Value::Absent => *old = value,
                    Some((_, Value::Strings(old))) => {
                        if let Value::Strings(more) = value {
                            old.extend(more);
                            old.sort_unstable();
                            old.dedup();
                        }
                    }
                    Some(_) => {}
                }
            }
            return Ok(Some(found));
        }
        if is_mandatory(self.target, search.operation, step.column) {
            return Ok(None);
        }
        self.go_on(search, step, step.root, &BTreeSet::new(), &Value::Absent)
    }

    fn try_choices(&mut self, search: &mut Search<'_>, step: &Step<'_>) -> Result<Found, Undecided> {
        let key = (step.number, step.questions.clone());
        let choices = match self.choices.get(&key) {
            Some(known) => known.clone(),
            None => {
                let made = Rc::new(choices(step.column, &step.questions, self.budget.states)?);
                self.choices.insert(key, made.clone());
                made
            }
        };
        for (yes, value) in choices.iter() {
            let found = self.go_on(search, step, step.root, yes, value)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Tries every combination of the questions, failing ones first, so that a witness holds few values.
    fn try_sets(&mut self, search: &mut Search<'_>, step: &Step<'_>) -> Result<Found, Undecided> {
        let mut todo: Vec<(Root, BTreeSet<u32>, BTreeSet<u32>)> = vec![(step.root, BTreeSet::new(), BTreeSet::new())];
        while let Some((rest, yes, no)) = todo.pop() {
            self.spend()?;
            let support = search.dag.support(rest);
            let next = support.iter().find(|atom| atom.column == step.number).copied();
            if let Some(atom) = next {
                for holds in [true, false] {
                    let branch = search.dag.restrict(rest, |other| (other == atom).then_some(holds))?;
                    if branch == Root::DENY {
                        continue;
                    }
                    let (mut yes, mut no) = (yes.clone(), no.clone());
                    let side = if holds { &mut yes } else { &mut no };
                    side.insert(atom.question);
                    todo.push((branch, yes, no));
                }
                continue;
            }
            let Some(value) = self.set_of_values(step, &yes, &no)? else { continue };
            let found = self.go_on(search, step, rest, &yes, &value)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Values for which the questions `yes` hold and the questions `no` fail.
    fn set_of_values(
        &mut self,
        step: &Step<'_>,
        yes: &BTreeSet<u32>,
        no: &BTreeSet<u32>,
    ) -> Result<Option<Value>, Undecided> {
        if yes.is_empty() {
            return Ok(Some(Value::Absent));
        }
        if !step.column.is_textual() {
            let numbers = yes.iter().map(|question| match step.column.questions.get_index(*question as usize) {
                Some(Question::Number(number)) => Ok(*number),
                // Filters with several numbers are compared with one number at a time, by every known compiler.
                _ => Err(Undecided::Trials),
            });
            return Ok(Some(Value::Numbers(numbers.collect::<Result<_, _>>()?)));
        }
        let mut wanted: BTreeSet<u32> = yes.clone();
        let mut texts = Vec::new();
        for (matched, text) in self.combinations(step)?.iter() {
            if matched.is_disjoint(no) && !matched.is_disjoint(&wanted) {
                wanted = wanted.difference(matched).copied().collect();
                texts.push(text.clone());
            }
        }
        Ok(wanted.is_empty().then_some(Value::Strings(texts)))
    }

    fn combinations(&mut self, step: &Step<'_>) -> Result<Rc<Combinations>, Undecided> {
        let key = (step.number, step.questions.clone());
        if let Some(known) = self.strings.get(&key) {
            return Ok(Rc::clone(known));
        }
        let made = Rc::new(combinations(step.column, &step.questions, self.budget.states)?);
        self.strings.insert(key, Rc::clone(&made));
        Ok(made)
    }
}

/// Whether requests on the operation always have a value of `column`.
pub(crate) fn is_mandatory(target: &Target, operation: OpId, column: &Column) -> bool {
    let network = target.filter_named("remote").is_some_and(|remote| target.accepts(operation, remote));
    column.attribute == Attribute::Filter(PATH) && target.accepts(operation, PATH) && !network
}

struct Search<'d> {
    dag: &'d mut Dag,
    operation: OpId,
    /// By column, whether its answers are free.
    free: Vec<bool>,
    /// Conditions without the columns whose answers are free.
    bare: FxHashMap<Root, Root>,
    /// Conditions that no request makes true.
    failed: FxHashSet<Root>,
}

impl Search<'_> {
    /// What `root` asks of the columns whose answers are not free: there is a request for it exactly when there is one for
    /// `root`.
    fn bare(&mut self, root: Root) -> Result<Root, TooManyNodes> {
        if let Some(known) = self.bare.get(&root) {
            return Ok(*known);
        }
        let free = &self.free;
        let bare = self.dag.exists(root, |atom| free.get(atom.column as usize).is_some_and(|free| *free))?;
        self.bare.insert(root, bare);
        self.bare.insert(bare, bare);
        Ok(bare)
    }
}
