//! One request against one policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexSet;

use super::atoms::{Atom, Atoms, Fact, Truth};
use super::dag::{Dag, Root, TooManyNodes};
use super::exclusive::Exclusive;
use super::gate::Gates;
use super::rules::{Behind, List, Rules};
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

/// A policy made ready for many requests. Building costs time once; asking is fast, and safe from several threads.
#[derive(Debug)]
pub struct Engine {
    policy: Arc<Policy>,
    atoms: Atoms,
    rules: Rules,
    /// By operation.
    gates: Vec<Gates>,
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
        let exprs = |list: &List| Gates::new(list.rules.iter().map(|(id, _)| rules.expr(*id)), &atoms);
        let gates = rules.lists().iter().map(exprs).collect();
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
        self.rules.expr(id).map_or(Truth::True, |expr| self.atoms.evaluate(expr, facts))
    }

    /// The answer to `request`. An operation that the target does not have is refused.
    pub fn decide(&self, request: &Request) -> Verdict {
        let facts = self.facts(request);
        let mut before: Vec<(RuleId, Action)> = Vec::new();
        let decider = self.first(request.operation, &facts, &mut before);
        let action = self.action(decider);
        let all_agree = before.iter().all(|(_, each)| *each == action);
        let (answer, mut depends_on) =
            if all_agree { (action.into(), Vec::new()) } else { self.residue(&before, action, &facts) };
        depends_on.retain(|attribute| {
            matches!(attribute, Attribute::Filter(_)) || variables::value(attribute, &request.values).is_none()
        });
        Verdict { answer, decider, before: before.iter().map(|(id, _)| *id).collect(), depends_on }
    }

    /// Who decides when no unknown value makes a rule match; the rules before it that some unknown values make match go into
    /// `before`.
    fn first(&self, operation: OpId, facts: &[Fact<'_>], before: &mut Vec<(RuleId, Action)>) -> Decider {
        let mut current = operation;
        let mut open = Vec::new();
        loop {
            let at = usize::from(current.0);
            let (Some(list), Some(gates)) = (self.rules.lists().get(at), self.gates.get(at)) else {
                return Decider::Own(current);
            };
            gates.open(facts, &mut open);
            for (id, action) in open.iter().filter_map(|place| list.rules.get(*place as usize)) {
                match self.holds(*id, facts) {
                    Truth::False => {}
                    Truth::Unknown => before.push((*id, *action)),
                    Truth::True => return Decider::Rule(*id),
                }
            }
            match list.behind(current) {
                Behind::Asks(parent) => current = parent,
                Behind::Answers(decider) => return decider,
            }
        }
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
