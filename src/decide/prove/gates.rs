//! Conditions as gates, and the solver that looks for an assignment of all tests that makes some of them true.
//!
//! A gate is a test, "and", or "if"; "or" and "not" are the two with opposites. The solver is told of a gate when a question first
//! needs it, and the tests that decide are read off an assignment from the question down.
//!
//! **Invariants:** equal gates are one literal; the tests that [`Gates::deciding`] gives make what was wanted true, whatever the
//! other tests come to; no more gates than the budget has nodes, not counting those that are asked for one by one.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use batsat::{Callbacks, ClauseKind, Lit, Solver, SolverInterface, SolverOpts, lbool};

use super::values::Outcomes;
use crate::decide::atoms::{Atom, Expr};
use crate::decide::dag::TooManyNodes;
use crate::decide::space::Budget;
use crate::decide::store::Store;

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
pub(super) enum Gate {
    True,
    /// One operation is asked about.
    Asked,
    Atom(Atom),
    And(Lit, Lit),
    If(Lit, Lit, Lit),
}

/// Conditions as gates; equal ones are one literal.
pub(super) struct Gates {
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
    /// No condition yet.
    pub(super) fn new(budget: Budget) -> Self {
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

    /// A literal of its own, whatever else equals `gate`.
    pub(super) fn fresh(&mut self, gate: Gate) -> Lit {
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
    pub(super) fn tell(&mut self, literals: &[Lit]) {
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

    /// The literal of a test that some condition has.
    pub(super) fn atom(&self, atom: Atom) -> Option<Lit> {
        self.literals.get(&Gate::Atom(atom)).copied()
    }

    /// The questions that conditions ask about `column`.
    pub(super) fn questions(&self, column: u32) -> BTreeSet<u32> {
        self.tests.get(&column).cloned().unwrap_or_default()
    }

    /// One of `literals` holds in every assignment from now on.
    pub(super) fn clause(&mut self, mut literals: Vec<Lit>) {
        self.solver.add_clause_reuse(&mut literals);
    }

    /// Makes the budget whole again for the next question.
    pub(super) fn start(&mut self) {
        self.solver.cb().learnt.set(0);
    }

    /// Whether some assignment makes all of `wanted` true; `None` when the solver was stopped.
    pub(super) fn solve(&mut self, wanted: &[Lit]) -> Option<bool> {
        match self.solver.solve_limited(wanted) {
            answer if answer == lbool::TRUE => Some(true),
            answer if answer == lbool::FALSE => Some(false),
            _ => None,
        }
    }

    fn holds(&self, literal: Lit) -> bool {
        self.solver.value_lit(literal) == lbool::TRUE
    }

    /// Tests whose outcomes in the solver's assignment suffice to make `wanted` true, by column: question and outcome.
    pub(super) fn deciding(&self, wanted: &[Lit]) -> BTreeMap<u32, Outcomes> {
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
