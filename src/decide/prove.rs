//! All requests at once, for conditions that no diagram holds: is there one for which some conditions hold together?
//!
//! A diagram ([`dag`](super::dag)) has one order of tests, and large profiles test the same thing in many places, so it grows with the
//! power of their number. Here conditions are gates, as many as the profiles have tests, and a SAT solver looks for an assignment of
//! all tests. What values allow of it is found as it is needed: from each assignment the tests that decide are taken, and when no
//! request answers them so, clauses that say why are added and the solver goes on.
//!
//! | attribute | what is known of its tests |
//! | --- | --- |
//! | one string | two that share no string exclude each other, one that lies in another implies it; else what its automaton says; of a pattern with a variable only what excludes it whatever the variable stands for |
//! | several strings or numbers | each that holds needs a string that no failing one matches |
//! | anything else | the combinations of [`space`](super::space) |
//!
//! **Invariants:** a request that is found makes the conditions true for every value of the attributes it leaves out; when none is
//! found there is none, whatever the values of pattern variables; a spent budget is an error, never an answer.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use batsat::{Callbacks, ClauseKind, Lit, Solver, SolverInterface, SolverOpts, lbool};
use indexmap::IndexSet;

use super::atoms::{Atom, Atoms, Column, Expr, Fact, Question};
use super::dag::TooManyNodes;
use super::exclusive::Exclusive;
use super::space::{Budget, Undecided, choices, hangs_on, is_mandatory};
use super::store::Store;
use super::value::{Attribute, Value};
use crate::pattern::automaton::{Space, contains};
use crate::pattern::build::{self, Compiled};
use crate::pattern::code::PatternTree;
use crate::pattern::{Pattern, PatternKind, Variables, union};
use crate::vocab::{OpId, Target};

/// Most tests of one attribute of which the fewest that contradict each other are looked for.
const MAX_SHRUNK: usize = 64;

/// Counts what is learnt and stops the solver when that is too much.
struct Limit {
    learnt: Cell<usize>,
    most: usize,
}

impl Callbacks for Limit {
    fn on_new_clause(&mut self, _: &[Lit], kind: ClauseKind) {
        if kind == ClauseKind::Learnt {
            self.learnt.set(self.learnt.get() + 1);
        }
    }

    fn stop(&self) -> bool {
        self.learnt.get() > self.most
    }
}

/// What a literal stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Gate {
    True,
    /// One operation is asked about.
    Asked,
    Atom(Atom),
    And(Lit, Lit),
    If(Lit, Lit, Lit),
}

/// Conditions as gates; equal ones are one literal.
struct Gates {
    solver: Solver<Limit>,
    /// By variable.
    gates: Vec<Gate>,
    literals: HashMap<Gate, Lit>,
    /// Variables whose gates the solver knows.
    told: HashSet<u32>,
    /// By column: its tests.
    tests: BTreeMap<u32, BTreeSet<u32>>,
    limit: usize,
    yes: Lit,
}

impl Gates {
    fn new(budget: Budget) -> Self {
        let mut solver = Solver::new(SolverOpts::default(), Limit { learnt: Cell::new(0), most: budget.trials / 8 });
        let yes = Lit::new(solver.new_var_default(), true);
        solver.add_clause_reuse(&mut vec![yes]);
        Self {
            solver,
            gates: vec![Gate::True],
            literals: HashMap::from([(Gate::True, yes)]),
            told: HashSet::new(),
            tests: BTreeMap::new(),
            limit: budget.nodes,
            yes,
        }
    }

    fn fresh(&mut self, gate: Gate) -> Lit {
        let literal = Lit::new(self.solver.new_var_default(), true);
        self.gates.push(gate);
        literal
    }

    fn gate(&mut self, gate: Gate) -> Result<Lit, TooManyNodes> {
        if let Some(known) = self.literals.get(&gate) {
            return Ok(*known);
        }
        if self.gates.len() >= self.limit {
            return Err(TooManyNodes);
        }
        let literal = self.fresh(gate);
        self.literals.insert(gate, literal);
        if let Gate::Atom(atom) = gate {
            self.tests.entry(atom.column).or_default().insert(atom.question);
        }
        Ok(literal)
    }

    fn and(&mut self, a: Lit, b: Lit) -> Result<Lit, TooManyNodes> {
        match (a, b) {
            _ if a == b || b == self.yes => Ok(a),
            _ if a == self.yes => Ok(b),
            _ if a == !b || a == !self.yes || b == !self.yes => Ok(!self.yes),
            _ => self.gate(if a.idx() < b.idx() { Gate::And(a, b) } else { Gate::And(b, a) }),
        }
    }

    fn or(&mut self, a: Lit, b: Lit) -> Result<Lit, TooManyNodes> {
        Ok(!self.and(!a, !b)?)
    }

    /// Tells the solver what the gates below `literals` mean.
    fn tell(&mut self, literals: &[Lit]) {
        let mut todo: Vec<Lit> = literals.to_vec();
        while let Some(literal) = todo.pop() {
            let variable = literal.var().idx();
            if !self.told.insert(variable) {
                continue;
            }
            let gate = Lit::new(literal.var(), true);
            let mut clause = |literals: &[Lit]| {
                self.solver.add_clause_reuse(&mut literals.to_vec());
            };
            match self.gates.get(variable as usize) {
                Some(&Gate::And(a, b)) => {
                    clause(&[!gate, a]);
                    clause(&[!gate, b]);
                    clause(&[gate, !a, !b]);
                    todo.extend([a, b]);
                }
                Some(&Gate::If(condition, yes, no)) => {
                    clause(&[!condition, !yes, gate]);
                    clause(&[!condition, yes, !gate]);
                    clause(&[condition, !no, gate]);
                    clause(&[condition, no, !gate]);
                    // These two follow, and shorten proofs.
                    clause(&[!yes, !no, gate]);
                    clause(&[yes, no, !gate]);
                    todo.extend([condition, yes, no]);
                }
                _ => {}
            }
        }
    }

    fn holds(&self, literal: Lit) -> bool {
        self.solver.value_lit(literal) == lbool::TRUE
    }

    /// Tests whose outcomes in the solver's assignment suffice to make `wanted` true, by column: question and outcome.
    fn deciding(&self, wanted: &[Lit]) -> BTreeMap<u32, Outcomes> {
        let mut cube: BTreeMap<u32, Outcomes> = BTreeMap::new();
        let mut seen = HashSet::new();
        // Literals that are true.
        let mut todo: Vec<Lit> = wanted.to_vec();
        while let Some(literal) = todo.pop() {
            if !seen.insert(literal) {
                continue;
            }
            let positive = literal.sign();
            let as_assigned = |literal: Lit| if self.holds(literal) { literal } else { !literal };
            match self.gates.get(literal.var().idx() as usize) {
                Some(&Gate::Atom(atom)) => {
                    cube.entry(atom.column).or_default().insert(atom.question, positive);
                }
                Some(&Gate::And(a, b)) if positive => todo.extend([a, b]),
                Some(&Gate::And(a, b)) => {
                    let fails = |side: &Lit| !self.holds(*side);
                    let known = [a, b].into_iter().filter(fails).find(|side| seen.contains(&!*side));
                    todo.extend(known.or_else(|| [a, b].into_iter().find(fails)).map(|side| !side));
                }
                Some(&Gate::If(condition, yes, no)) => {
                    todo.push(as_assigned(condition));
                    todo.push(as_assigned(if self.holds(condition) { yes } else { no }));
                }
                _ => {}
            }
        }
        cube
    }
}

impl Store for Gates {
    type Root = Lit;

    fn constant(&self, value: bool) -> Lit {
        if value { self.yes } else { !self.yes }
    }

    fn ite(&mut self, condition: Lit, yes: Lit, no: Lit) -> Result<Lit, TooManyNodes> {
        let truth = self.yes;
        match (condition, yes, no) {
            _ if condition == truth => Ok(yes),
            _ if condition == !truth => Ok(no),
            _ if yes == no => Ok(yes),
            _ if yes == truth || yes == condition => self.or(condition, no),
            _ if yes == !truth || yes == !condition => self.and(!condition, no),
            _ if no == truth || no == !condition => self.or(!condition, yes),
            _ if no == !truth || no == condition => self.and(condition, yes),
            _ if !condition.sign() => self.ite(!condition, no, yes),
            // One of a condition and its opposite has a gate.
            _ if !yes.sign() => Ok(!self.gate(Gate::If(condition, !yes, !no))?),
            _ => self.gate(Gate::If(condition, yes, no)),
        }
    }

    fn condition(&mut self, expr: &Expr) -> Result<Lit, TooManyNodes> {
        match expr {
            Expr::Atom(atom) => self.gate(Gate::Atom(*atom)),
            Expr::Not(inner) => Ok(!self.condition(inner)?),
            Expr::All(parts) | Expr::Any(parts) => {
                let is_all = matches!(expr, Expr::All(_));
                let mut joined = self.constant(is_all);
                for part in parts.iter().rev() {
                    let part = self.condition(part)?;
                    joined = if is_all { self.and(part, joined)? } else { self.or(part, joined)? };
                }
                Ok(joined)
            }
        }
    }
}

/// Outcomes of the tests of one attribute, by question.
type Outcomes = BTreeMap<u32, bool>;

/// A condition.
pub(crate) use batsat::Lit as Literal;

type Found = Option<Vec<(Attribute, Value)>>;

/// What the tests of one attribute say about its value.
enum Verdict {
    Values(Vec<Value>),
    /// These outcomes contradict each other; with the flag only where the attribute always has a value.
    Contradiction(Outcomes, bool),
}

/// Searches over all requests.
pub(crate) struct Prover<'a> {
    gates: Gates,
    atoms: &'a Atoms,
    exclusive: &'a Exclusive,
    target: &'static Target,
    budget: Budget,
    /// Tests whose relation to the other ones of their attribute the solver knows.
    related: HashSet<Atom>,
    /// By test for one string: the questions that its string answers with yes.
    answers: HashMap<Atom, Vec<u64>>,
    asked: HashMap<OpId, Lit>,
    /// Names of pattern variables, by number.
    variables: IndexSet<Vec<u8>>,
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
            answers: HashMap::new(),
            asked: HashMap::new(),
            variables: IndexSet::new(),
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
        self.gates.solver.cb().learnt.set(0);
        for _ in 0..self.budget.trials {
            let answer = self.gates.solver.solve_limited(&assumed);
            if answer == lbool::FALSE {
                return Ok(None);
            }
            if answer != lbool::TRUE {
                return Err(Undecided::Trials);
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

    fn literal(&self, atom: Atom) -> Option<Lit> {
        self.gates.literals.get(&Gate::Atom(atom)).copied()
    }

    fn clause(&mut self, mut literals: Vec<Lit>) {
        self.gates.solver.add_clause_reuse(&mut literals);
    }

    /// Tells the solver how each test of one value that holds lies to the others; true when `cube` breaks that.
    fn relate(&mut self, cube: &BTreeMap<u32, Outcomes>) -> bool {
        let mut broken = false;
        for (&number, outcomes) in cube {
            let Some(column) = self.atoms.column(number) else { continue };
            if !column.single {
                continue;
            }
            let others = self.gates.tests.get(&number).cloned().unwrap_or_default();
            for (&question, _) in outcomes.iter().filter(|(_, holds)| **holds) {
                let atom = Atom { column: number, question };
                if !self.related.insert(atom) {
                    continue;
                }
                let Some(own) = self.literal(atom) else { continue };
                for &other in others.iter().filter(|other| **other != question) {
                    let other_atom = Atom { column: number, question: other };
                    let Some(literal) = self.literal(other_atom) else { continue };
                    let relation = self.relation(column, atom, other_atom);
                    if relation.disjoint {
                        self.clause(vec![!own, !literal]);
                        broken |= outcomes.get(&other) == Some(&true);
                    }
                    if relation.inside {
                        self.clause(vec![!own, literal]);
                        broken |= outcomes.get(&other) == Some(&false);
                    }
                    if relation.around {
                        self.clause(vec![own, !literal]);
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
            self.literal(Atom { column, question: *holds.0 })
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
            self.clause(clause);
        }
        broken
    }

    /// Values for the tests in `cube`; `None` when there are none, which the solver then knows.
    fn values(&mut self, operation: OpId, asked: Lit, cube: &BTreeMap<u32, Outcomes>) -> Result<Found, Undecided> {
        let mut values = Vec::new();
        let mut open = None;
        let mut contradicted = false;
        for (&number, outcomes) in cube {
            let Some(column) = self.atoms.column(number) else { continue };
            let mut outcomes = outcomes.clone();
            let hanging: Vec<u32> = outcomes.keys().copied().filter(|question| column.is_open(*question)).collect();
            if !hanging.is_empty() {
                open = Some(hangs_on(column, &hanging));
                outcomes.retain(|question, _| !column.is_open(*question));
            }
            let mandatory = is_mandatory(self.target, operation, column);
            match verdict(column, &outcomes, mandatory, self.budget.states)? {
                Verdict::Values(found) => {
                    values.extend(found.into_iter().map(|value| (column.attribute.clone(), value)));
                }
                Verdict::Contradiction(outcomes, guarded) => {
                    contradicted = true;
                    let literals = outcomes.iter().filter_map(|(&question, &holds)| {
                        let literal = self.literal(Atom { column: number, question })?;
                        Some(if holds { !literal } else { literal })
                    });
                    let clause = literals.chain(guarded.then_some(!asked)).collect();
                    self.clause(clause);
                }
            }
        }
        match (contradicted, open) {
            (true, _) => Ok(None),
            // What a variable stands for decides.
            (false, Some(undecided)) => Err(undecided),
            (false, None) => Ok(Some(values)),
        }
    }

    fn relation(&mut self, column: &Column, a: Atom, b: Atom) -> Relation {
        let questions = [a, b].map(|atom| column.questions.get_index(atom.question as usize));
        let [Some(one), Some(other)] = questions else { return Relation::default() };
        if [a, b].iter().any(|atom| column.is_open(atom.question)) {
            let trees = [one, other].map(|question| self.tree(question));
            return match trees {
                [Some(one), Some(other)] => Relation { disjoint: union::disjoint(&one, &other), ..Relation::default() },
                _ => Relation::default(),
            };
        }
        if let (Question::Number(one), Question::Number(other)) = (one, other) {
            return Relation { disjoint: one != other, ..Relation::default() };
        }
        if !column.is_textual() {
            return of_choices(column, a.question, b.question, self.budget.states);
        }
        let (Some(one), Some(other)) = (one.pattern(), other.pattern()) else { return Relation::default() };
        if one.kind() == PatternKind::Literal {
            let within = self.answered(column, a, &one, b.question);
            return Relation { disjoint: !within, inside: within, around: false };
        }
        if other.kind() == PatternKind::Literal {
            let within = self.answered(column, b, &other, a.question);
            return Relation { disjoint: !within, inside: false, around: within };
        }
        of_beginnings(&one, &other)
    }

    /// What the compiler makes of a question about strings, variables by number.
    fn tree(&mut self, question: &Question) -> Option<PatternTree> {
        let names = &mut self.variables;
        let number = &mut |name: &[u8]| u16::try_from(names.insert_full(name.to_vec()).0).unwrap_or(u16::MAX);
        match build::compile(&question.pattern()?, number) {
            Ok(Compiled::Tree(tree)) => Some(tree),
            _ => None,
        }
    }

    /// Whether the string of the test `atom` answers `question` with yes.
    fn answered(&mut self, column: &Column, atom: Atom, literal: &Pattern, question: u32) -> bool {
        let bits = self.answers.entry(atom).or_insert_with(|| {
            let value = Value::string(literal.text().to_vec());
            match column.fact(&value) {
                Fact::Matches(bits) => bits,
                _ => Vec::new(),
            }
        });
        bits.get(question as usize / 64).is_some_and(|word| word >> (question % 64) & 1 == 1)
    }
}

/// How the values of one test lie to those of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Relation {
    disjoint: bool,
    inside: bool,
    around: bool,
}

/// Strings by how they begin. A subpath is its path and all that goes on with a slash. Of regexes nothing is said.
fn of_beginnings(one: &Pattern, other: &Pattern) -> Relation {
    let whole = |pattern: &Pattern| match pattern.kind() {
        PatternKind::Prefix => Some((pattern.text().to_vec(), false)),
        PatternKind::Subpath if !pattern.text().ends_with(b"/") => Some((pattern.text().to_vec(), true)),
        _ => None,
    };
    let (Some((a, a_is_path)), Some((b, b_is_path))) = (whole(one), whole(other)) else { return Relation::default() };
    let inside = |a: &[u8], a_is_path: bool, b: &[u8], b_is_path: bool| match a.strip_prefix(b) {
        Some([]) => a_is_path || !b_is_path,
        Some(rest) => !b_is_path || rest.starts_with(b"/"),
        None => false,
    };
    let (inside, around) = (inside(&a, a_is_path, &b, b_is_path), inside(&b, b_is_path, &a, a_is_path));
    let overlap = a.starts_with(&b) || b.starts_with(&a);
    // One text begins the other: they share strings unless a path ends before the other goes on without a slash.
    let apart = |short: &[u8], short_is_path: bool, long: &[u8]| {
        short_is_path && long.strip_prefix(short).is_some_and(|rest| !rest.is_empty() && !rest.starts_with(b"/"))
    };
    let disjoint = !overlap || apart(&a, a_is_path, &b) || apart(&b, b_is_path, &a);
    Relation { disjoint, inside, around }
}

fn of_choices(column: &Column, a: u32, b: u32, states: usize) -> Relation {
    let Ok(choices) = choices(column, &[a, b], states) else { return Relation::default() };
    let any =
        |one: bool, other: bool| choices.iter().any(|(yes, _)| yes.contains(&a) == one && yes.contains(&b) == other);
    Relation { disjoint: !any(true, true), inside: !any(true, false), around: !any(false, true) }
}

/// Whether one attribute has values with these outcomes.
fn verdict(column: &Column, outcomes: &Outcomes, mandatory: bool, states: usize) -> Result<Verdict, Undecided> {
    let yes: BTreeSet<u32> = outcomes.iter().filter(|(_, holds)| **holds).map(|(question, _)| *question).collect();
    if yes.is_empty() && !mandatory {
        return Ok(Verdict::Values(vec![Value::Absent]));
    }
    if !column.is_textual() && column.single {
        let questions: Vec<u32> = outcomes.keys().copied().collect();
        let choices = choices(column, &questions, states)?;
        let fits = |outcomes: &Outcomes| {
            choices.iter().find(|(yes, _)| outcomes.iter().all(|(question, holds)| yes.contains(question) == *holds))
        };
        return Ok(match fits(outcomes) {
            Some((_, value)) => Verdict::Values(vec![value.clone()]),
            None => Verdict::Contradiction(shrunk(outcomes, |outcomes| Ok(fits(outcomes).is_some()))?, false),
        });
    }
    if !column.is_textual() {
        let numbers = yes.iter().map(|question| match column.questions.get_index(*question as usize) {
            Some(Question::Number(number)) => Ok(*number),
            // Filters with several numbers are compared with one number at a time, by every known compiler.
            _ => Err(Undecided::Trials),
        });
        return Ok(Verdict::Values(vec![Value::Numbers(numbers.collect::<Result<_, _>>()?)]));
    }
    if column.single {
        return Ok(match string(column, outcomes, states)? {
            Some(text) => Verdict::Values(vec![Value::string(text)]),
            None => {
                let core = shrunk(outcomes, |outcomes| Ok(string(column, outcomes, states)?.is_some()))?;
                Verdict::Contradiction(core.clone(), !core.values().any(|holds| *holds))
            }
        });
    }
    let mut texts = Vec::new();
    for question in yes {
        let with = |outcomes: &Outcomes| {
            outcomes.iter().filter(|(other, holds)| **other == question || !**holds).map(|(a, b)| (*a, *b)).collect()
        };
        match string(column, &with(outcomes), states)? {
            Some(text) => texts.push(text),
            None => {
                let core = shrunk(outcomes, |outcomes| {
                    Ok(!outcomes.contains_key(&question) || string(column, &with(outcomes), states)?.is_some())
                })?;
                return Ok(Verdict::Contradiction(with(&core), false));
            }
        }
    }
    Ok(Verdict::Values(vec![Value::Strings(texts)]))
}

/// `outcomes` without those of which the others contradict each other all the same.
fn shrunk(outcomes: &Outcomes, possible: impl Fn(&Outcomes) -> Result<bool, Undecided>) -> Result<Outcomes, Undecided> {
    let mut core = outcomes.clone();
    for question in outcomes.keys().take(MAX_SHRUNK) {
        let mut fewer = core.clone();
        fewer.remove(question);
        if !possible(&fewer)? {
            core = fewer;
        }
    }
    Ok(core)
}

/// A string with these outcomes.
fn string(column: &Column, outcomes: &Outcomes, states: usize) -> Result<Option<Vec<u8>>, Undecided> {
    let mut patterns = Vec::new();
    let mut wanted = Vec::new();
    for (&question, &holds) in outcomes {
        if let Some(pattern) = column.questions.get_index(question as usize).and_then(Question::pattern) {
            patterns.push(pattern);
            wanted.push(holds);
        }
    }
    let mut space = Space::new(&patterns, &Variables::none(), column.domain(), states);
    let fits = |matching: &[u64]| wanted.iter().enumerate().all(|(at, holds)| contains(matching, at) == *holds);
    Ok(space.witness(fits)?)
}
