//! One request against one policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexSet;

use super::atoms::{Atom, Atoms, Expr, Fact, Truth};
use super::dag::{Dag, Root, TooManyNodes};
use super::exclusive::Exclusive;
use super::rules::Rules;
use super::value::{Attribute, Request, Value};
use super::variables;
use crate::pattern::Pattern;
use crate::policy::{Modifier, Policy, RuleId, Test};
use crate::vocab::{Action, FilterId, OpId};

/// What a request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Permitted.
    Allow,
    /// Refused.
    Deny,
    /// That depends on values that the request does not give.
    Depends,
}

impl Answer {
    /// The word for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Depends => "depends",
        }
    }
}

impl From<Action> for Answer {
    fn from(action: Action) -> Self {
        match action {
            Action::Allow => Self::Allow,
            Action::Deny => Self::Deny,
        }
    }
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decider {
    /// A rule of the policy: of the profile, of the version's prelude, or one that the compiler added.
    Rule(RuleId),
    /// The base table: the own action of this operation.
    Own(OpId),
}

/// The answer to a [`Request`] and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// Who decides when none of the unknown values makes an earlier rule match.
    pub decider: Decider,
    /// Rules asked before it that decide when unknown values make them match, first one first. They may agree with the
    /// answer; when one does not, the answer is [`Answer::Depends`].
    pub before: Vec<RuleId>,
    /// The attributes on which the answer depends, by name of filter; empty unless it is [`Answer::Depends`].
    pub depends_on: Vec<Attribute>,
}

impl Verdict {
    /// Who decides, when only one can.
    pub fn only_decider(&self) -> Option<Decider> {
        self.before.is_empty().then_some(self.decider)
    }
}

/// One rule on the way to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Of which operation's list.
    pub operation: OpId,
    /// The rule, or the base table.
    pub decider: Decider,
    /// Whether it matches; an unfiltered rule and the base table always do.
    pub holds: Truth,
    /// Its tests in source order, each with its value.
    pub tests: Vec<(Test, Truth)>,
}

/// What a rule cannot match without: one of some questions about strings. Most rules have one, and most requests fail it.
#[derive(Debug, Default)]
struct Gate {
    column: u32,
    /// None: the rule has no gate.
    questions: Box<[u32]>,
}

impl Gate {
    /// The gate of `expr`. Recursion is bounded by the policy's limit on nesting.
    fn of(expr: &Expr, atoms: &Atoms) -> Option<Self> {
        match expr {
            Expr::Atom(atom) => {
                let column = atoms.column(atom.column)?;
                let usable = column.is_textual() && !column.is_open(atom.question);
                usable.then(|| Self { column: atom.column, questions: [atom.question].into() })
            }
            Expr::All(parts) => parts.iter().find_map(|part| Self::of(part, atoms)),
            Expr::Any(parts) => {
                let gates = parts.iter().map(|part| Self::of(part, atoms)).collect::<Option<Vec<_>>>()?;
                let column = gates.first()?.column;
                let questions = || gates.iter().flat_map(|gate| gate.questions.iter().copied()).collect();
                gates.iter().all(|gate| gate.column == column).then(|| Self { column, questions: questions() })
            }
            Expr::Not(_) => None,
        }
    }

    /// True when the rule cannot match. A value that is unknown closes no gate.
    fn is_closed(&self, facts: &[Fact<'_>]) -> bool {
        match facts.get(self.column as usize) {
            Some(Fact::Matches(bits) | Fact::Partly { matches: bits, .. }) if !self.questions.is_empty() => {
                self.questions.iter().all(|question| {
                    let word = bits.get(*question as usize / 64).copied().unwrap_or(0);
                    word >> (question % 64) & 1 == 0
                })
            }
            _ => false,
        }
    }
}

/// A policy made ready for many requests. Building costs time once; asking is fast, and safe from several threads.
#[derive(Debug)]
pub struct Engine {
    policy: Arc<Policy>,
    atoms: Atoms,
    rules: Rules,
    /// By rule.
    gates: Vec<Gate>,
    exclusive: Exclusive,
}

impl Engine {
    /// Makes `policy` ready.
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        let policy = policy.into();
        let target = policy.target();
        let mut atoms = Atoms::new(target);
        let rules = Rules::new(&policy, &mut atoms);
        atoms.freeze();
        let gate = |(id, _)| rules.expr(id).and_then(|expr| Gate::of(expr, &atoms)).unwrap_or_default();
        let gates = policy.iter().map(gate).collect();
        Self { exclusive: Exclusive::new(target), policy, atoms, rules, gates }
    }

    /// The policy that it answers for.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether some rule tests `filter`.
    pub fn has_tests_of(&self, filter: FilterId) -> bool {
        self.atoms.has(&Attribute::Filter(filter))
    }

    /// The action of `decider`.
    pub fn action(&self, decider: Decider) -> Action {
        match decider {
            Decider::Rule(id) => self.policy.get(id).map_or(Action::Deny, |rule| rule.action),
            Decider::Own(operation) => self.policy.target().operation(operation).own.unwrap_or(Action::Deny),
        }
    }

    /// The modifiers of `decider`: those of the rule and no others.
    pub fn modifiers(&self, decider: Decider) -> &[Modifier] {
        match decider {
            Decider::Rule(id) => self.policy.get(id).map_or(&[], |rule| &rule.modifiers),
            Decider::Own(_) => &[],
        }
    }

    fn facts<'r>(&self, request: &'r Request) -> Vec<Fact<'r>> {
        let out = self.exclusive.ruled_out(self.policy.target(), request.operation, |filter| {
            request.get(&Attribute::Filter(filter)).is_some_and(|value| *value != Value::Absent)
        });
        self.atoms.facts(&request.values, &out, request.closed)
    }

    /// Whether the condition of a filtered rule holds.
    fn holds(&self, id: RuleId, facts: &[Fact<'_>]) -> Truth {
        if let Some(gate) = self.gates.get(id.0 as usize)
            && gate.is_closed(facts)
        {
            return Truth::False;
        }
        self.rules.expr(id).map_or(Truth::True, |expr| self.atoms.evaluate(expr, facts))
    }

    /// The answer to `request`. An operation that the target does not have is refused.
    pub fn decide(&self, request: &Request) -> Verdict {
        let facts = self.facts(request);
        let (asked, last) = self.rules.lineage(request.operation);
        let mut decider = last;
        let mut before: Vec<(RuleId, Action)> = Vec::new();
        for (id, action) in asked.iter().flat_map(|(_, list)| &list.rules) {
            match self.holds(*id, &facts) {
                Truth::False => {}
                Truth::Unknown => before.push((*id, *action)),
                Truth::True => {
                    decider = Decider::Rule(*id);
                    break;
                }
            }
        }
        let action = self.action(decider);
        let all_agree = before.iter().all(|(_, each)| *each == action);
        let (answer, mut depends_on) =
            if all_agree { (action.into(), Vec::new()) } else { self.residue(&before, action, &facts) };
        depends_on.retain(|attribute| {
            matches!(attribute, Attribute::Filter(_)) || variables::value(attribute, &request.values).is_none()
        });
        Verdict { answer, decider, before: before.iter().map(|(id, _)| *id).collect(), depends_on }
    }

    /// What the undecided rules in front of `last` come to: some conditions cancel out (a filter and its negation), and of the
    /// others only those count that can change the answer.
    fn residue(&self, before: &[(RuleId, Action)], last: Action, facts: &[Fact<'_>]) -> (Answer, Vec<Attribute>) {
        let mut dag = Dag::new(RESIDUE_NODES);
        match self.residual_root(&mut dag, before, last, facts) {
            Ok(Root::DENY) => (Answer::Deny, Vec::new()),
            Ok(Root::ALLOW) => (Answer::Allow, Vec::new()),
            Ok(root) => (Answer::Depends, self.attributes(dag.support(root), facts)),
            // Too large to simplify: name everything that is unknown.
            Err(TooManyNodes) => {
                let mut unknown = Vec::new();
                let exprs = before.iter().filter_map(|(id, _)| self.rules.expr(*id));
                exprs.for_each(|expr| expr.for_each_atom(&mut |atom| unknown.push(atom)));
                unknown.retain(|atom| self.atoms.ask(*atom, facts) == Truth::Unknown);
                (Answer::Depends, self.attributes(unknown, facts))
            }
        }
    }

    fn residual_root(
        &self,
        dag: &mut Dag,
        before: &[(RuleId, Action)],
        last: Action,
        facts: &[Fact<'_>],
    ) -> Result<Root, TooManyNodes> {
        let known = |atom| match self.atoms.ask(atom, facts) {
            Truth::Unknown => None,
            known => Some(known == Truth::True),
        };
        // The first rule asked is on top, so that wrapping the next one around touches each node once.
        let exprs = || before.iter().filter_map(|(id, action)| Some((self.rules.expr(*id)?, *action)));
        for (expr, _) in exprs() {
            expr.for_each_atom(&mut |atom| {
                if known(atom).is_none() {
                    dag.order(atom);
                }
            });
        }
        let mut root = Root::from(last == Action::Allow);
        for (expr, action) in exprs().collect::<Vec<_>>().into_iter().rev() {
            let condition = dag.expr(expr, &known)?;
            root = dag.ite(condition, Root::from(action == Action::Allow), root)?;
        }
        Ok(root)
    }

    /// What `atoms` hang on, each once: attributes in the order of the policy's columns, then variables of patterns.
    fn attributes(&self, atoms: Vec<Atom>, facts: &[Fact<'_>]) -> Vec<Attribute> {
        let mut columns = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        for atom in atoms {
            let open = self.atoms.column(atom.column).and_then(|column| column.open_pattern(atom.question));
            let partly = matches!(facts.get(atom.column as usize), Some(Fact::Partly { .. }));
            if !partly {
                columns.insert(atom.column);
            }
            unknown.extend(open.into_iter().flat_map(Pattern::free_variables).map(variables::attribute));
        }
        let columns = columns.into_iter().filter_map(|number| Some(self.atoms.column(number)?.attribute.clone()));
        let mut found: IndexSet<Attribute> = columns.collect();
        found.extend(unknown);
        found.into_iter().collect()
    }

    /// Every rule that was asked for `request`, up to the one that decides, with the value of each of its tests.
    pub fn explain(&self, request: &Request) -> Vec<Step> {
        let facts = self.facts(request);
        let (asked, last) = self.rules.lineage(request.operation);
        let mut steps = Vec::new();
        for (operation, list) in &asked {
            for (id, _) in &list.rules {
                let holds = self.holds(*id, &facts);
                let tests = self.tests(*id, &facts);
                steps.push(Step { operation: *operation, decider: Decider::Rule(*id), holds, tests });
                if holds == Truth::True {
                    return steps;
                }
            }
        }
        let operation = asked.last().map_or(request.operation, |(operation, _)| *operation);
        steps.push(Step { operation, decider: last, holds: Truth::True, tests: Vec::new() });
        steps
    }

    fn tests(&self, id: RuleId, facts: &[Fact<'_>]) -> Vec<(Test, Truth)> {
        let mut values = Vec::new();
        if let Some(expr) = self.rules.expr(id) {
            expr.for_each_atom(&mut |atom| values.push(self.atoms.ask(atom, facts)));
        }
        let mut tests = Vec::new();
        if let Some(filter) = self.policy.get(id).and_then(|rule| rule.filter.as_ref()) {
            filter.for_each_test(&mut |test| tests.push(test.clone()));
        }
        tests.into_iter().zip(values).collect()
    }
}

/// Largest diagram that is built to simplify what unknown values leave open.
const RESIDUE_NODES: usize = 10_000;
