//! All requests at once: is there one for which a condition holds?
//!
//! A condition is a root of a [`Dag`] over tests. Not every combination of tests can be: a path is one string, a port one
//! number. So the search goes attribute by attribute and tries, for each, the combinations that some value has:
//!
//! | attribute | values tried |
//! | --- | --- |
//! | one string | one shortest string for each reachable accept set of the automaton over the patterns that matter |
//! | several strings, several numbers | every combination of tests; each test that holds needs a string that no failing test matches |
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

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::atoms::{Atom, Atoms, Column, Question, Truth};
use super::dag::{Dag, Root, TooManyNodes};
use super::exclusive::Exclusive;
use super::value::{Address, Attribute, Family, PATH, Transport, Value};
use crate::pattern::automaton::{self as strings, Combination, Domain, TooManyStates};
use crate::pattern::{Pattern, Variables};
use crate::vocab::{OpId, Target};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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
    /// A pattern holds a variable whose value is not known.
    #[error("a pattern holds a variable whose value is not known")]
    Variable,
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

/// Deepest chain of attributes and tests that one search goes down.
const MAX_DEPTH: usize = 400;

/// Sets of questions and a string that answers exactly them with yes.
type Combinations = Vec<(BTreeSet<u32>, Vec<u8>)>;

/// Values of one attribute and the questions of interest that each answers with yes.
type Choices = Vec<(BTreeSet<u32>, Value)>;

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
        let mut search = Search { dag, operation, failed: HashSet::new() };
        let mut found = self.solve(&mut search, root, 0)?;
        if let Some(values) = &mut found {
            values.reverse();
        }
        Ok(found)
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
        let support = search.dag.support(root);
        let Some(number) = self.next_column(&support) else { return Ok(None) };
        let Some(column) = self.atoms.column(number) else { return Ok(None) };
        let questions: Vec<u32> =
            support.iter().filter(|atom| atom.column == number).map(|atom| atom.question).collect();
        if questions.iter().any(|question| column.is_open(*question)) {
            return Err(Undecided::Variable);
        }
        let step = Step { root, depth, number, column, questions };
        let found = match (column.single, column.is_textual()) {
            (true, true) => self.try_strings(search, &step)?,
            (true, false) => self.try_choices(search, &step)?,
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
        let mut out = Vec::new();
        if let (Attribute::Filter(filter), true) = (&step.column.attribute, *value != Value::Absent) {
            out = self.exclusive.ruled_out(self.target, search.operation, |known| known == *filter);
        }
        let out: Vec<u32> =
            out.into_iter().filter_map(|filter| self.atoms.column_number(&Attribute::Filter(filter))).collect();
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

    /// Whether requests on the operation always have a value of `column`.
    fn is_mandatory(&self, operation: OpId, column: &Column) -> bool {
        let network = self.target.filter_named("remote").is_some_and(|remote| self.target.accepts(operation, remote));
        column.attribute == Attribute::Filter(PATH) && self.target.accepts(operation, PATH) && !network
    }

    fn try_strings(&mut self, search: &mut Search<'_>, step: &Step<'_>) -> Result<Found, Undecided> {
        for (yes, text) in self.combinations(step)?.iter() {
            let value = Value::string(text.clone());
            let found = self.go_on(search, step, step.root, yes, &value)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        if self.is_mandatory(search.operation, step.column) {
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

struct Search<'d> {
    dag: &'d mut Dag,
    operation: OpId,
    /// Conditions that no request makes true.
    failed: HashSet<Root>,
}

/// The combinations of `questions` that some string answers with yes, each with a shortest one, shortest first.
fn combinations(column: &Column, questions: &[u32], limit: usize) -> Result<Combinations, Undecided> {
    let domain = match (column.is_path(), column.folds) {
        (true, true) => Domain::FoldedPaths,
        (true, false) => Domain::Paths,
        (false, true) => Domain::FoldedNames,
        (false, false) => Domain::Names,
    };
    let patterns: Vec<Pattern> =
        questions.iter().filter_map(|number| column.questions.get_index(*number as usize)?.pattern()).collect();
    let found = strings::Space::new(&patterns, &Variables::none(), domain, limit).combinations()?;
    let named = |combination: Combination| {
        let holds = |number: &usize| strings::contains(&combination.matching, *number);
        let yes = (0..questions.len()).filter(holds).map(|number| questions[number]).collect();
        (yes, combination.subject)
    };
    Ok(found.into_iter().map(named).collect())
}

/// Values of a column that is no plain string, one for each combination of answers.
fn choices(column: &Column, questions: &[u32], limit: usize) -> Result<Choices, Undecided> {
    let asked: Vec<(u32, &Question)> = questions
        .iter()
        .filter_map(|number| column.questions.get_index(*number as usize).map(|question| (*number, question)))
        .collect();
    let mut known = HashSet::new();
    let mut out = Vec::new();
    for value in candidates(column, &asked, limit)? {
        let holds = asked.iter().filter(|(_, question)| question.ask(&value) == Truth::True);
        let yes: BTreeSet<u32> = holds.map(|(number, _)| *number).collect();
        if known.insert(yes.clone()) {
            out.push((yes, value));
        }
    }
    Ok(out)
}

/// Most bits that tests of one bit field may tell apart.
const MAX_BITS: usize = 12;

fn candidates(column: &Column, asked: &[(u32, &Question)], limit: usize) -> Result<Vec<Value>, Undecided> {
    let mut out = Vec::new();
    let mut numbers = BTreeSet::new();
    let mut masks = Vec::new();
    let mut ports = BTreeSet::new();
    let mut addresses = false;
    let mut texts = Vec::new();
    for (number, question) in asked {
        match question {
            Question::Number(wanted) => drop(numbers.insert(*wanted)),
            Question::OneOf(wanted) => numbers.extend(wanted),
            Question::Bits(bits) => masks.push(*bits),
            Question::Network(address) => {
                addresses = true;
                ports.extend(address.port);
            }
            Question::Pattern(_) | Question::Text(_) => texts.push(*number),
            Question::Flag(_) | Question::Present => {}
        }
    }
    if !numbers.is_empty() {
        let other = (0..=u16::MAX).find(|number| !numbers.contains(number));
        out.extend(numbers.into_iter().chain(other).map(Value::number));
    }
    if !masks.is_empty() {
        // Bits that the same masks hold are alike: one of them stands for all.
        let mut alike: HashMap<Vec<bool>, u16> = HashMap::new();
        for bit in (0..16).map(|shift| 1u16 << shift) {
            let held: Vec<bool> = masks.iter().map(|mask| mask & bit != 0).collect();
            if held.contains(&true) {
                alike.entry(held).or_insert(bit);
            }
        }
        let mut bits: Vec<u16> = alike.into_values().collect();
        bits.sort_unstable();
        if bits.len() > MAX_BITS {
            return Err(Undecided::Trials);
        }
        let chosen = |subset: usize| {
            let set = bits.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1);
            set.fold(0, |all, (_, bit)| all | bit)
        };
        out.extend((0..1usize << bits.len()).map(|subset| Value::number(chosen(subset))));
    }
    if addresses {
        let other = (1..=u16::MAX).find(|port| !ports.contains(port));
        for port in ports.into_iter().chain(other) {
            for transport in [Transport::Tcp, Transport::Udp, Transport::Other] {
                for family in [Family::V4, Family::V6] {
                    for local in [true, false] {
                        out.push(Value::Address(Address {
                            family: Some(family),
                            transport: Some(transport),
                            local: Some(local),
                            port: Some(port),
                        }));
                    }
                }
            }
        }
    }
    if !texts.is_empty() {
        out.extend(combinations(column, &texts, limit)?.into_iter().map(|(_, text)| Value::string(text)));
    }
    if asked.iter().any(|(_, question)| matches!(question, Question::Flag(_) | Question::Present)) {
        out.extend([Value::Flag(true), Value::Flag(false)]);
    }
    out.push(Value::Absent);
    Ok(out)
}
