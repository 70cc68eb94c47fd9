//! One request against one policy.

use std::sync::Arc;

use super::atoms::{Atom, Atoms, Expr, Fact, Truth};
use super::dag::{Dag, Root, TooManyNodes};
use super::value::{Attribute, PATH, Request, Value};
use crate::policy::{Fallback, Filter, Modifier, Policy, RuleId, Test};
use crate::vocab::{Action, FilterId, OpId, Target};

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

#[derive(Debug)]
struct Compiled {
    id: RuleId,
    action: Action,
    expr: Expr,
}

#[derive(Debug)]
struct Program {
    /// Newest first.
    rules: Vec<Compiled>,
    fallback: Fallback,
}

/// A policy made ready for many requests. Building costs time once; asking is fast, and safe from several threads.
#[derive(Debug)]
pub struct Engine {
    policy: Arc<Policy>,
    atoms: Atoms,
    programs: Vec<Program>,
    exclusive: Exclusive,
}

/// Filters of which a request has at most one: which are ruled out when another is given.
#[derive(Debug)]
struct Exclusive {
    contrary: Vec<FilterId>,
    local: Option<FilterId>,
    remote: Option<FilterId>,
    control: Option<FilterId>,
}

impl Exclusive {
    fn new(target: &Target) -> Self {
        Self {
            contrary: target.filters().iter().filter(|filter| filter.contrary).map(|filter| filter.id).collect(),
            local: target.filter_named("local"),
            remote: target.filter_named("remote"),
            control: target.filter_named("control-name"),
        }
    }

    /// The groups of attributes that exclude each other for requests on `operation`. A Mach name is global or local; a socket
    /// is one of IP, UNIX (a path) and control socket.
    fn groups(&self, target: &Target, operation: OpId) -> Vec<Vec<Vec<FilterId>>> {
        let mut groups = vec![self.contrary.iter().map(|filter| vec![*filter]).collect::<Vec<_>>()];
        if self.remote.is_some_and(|remote| target.accepts(operation, remote)) {
            let addresses = self.local.into_iter().chain(self.remote).collect();
            groups.push(vec![vec![PATH], addresses, self.control.into_iter().collect()]);
        }
        groups
    }
}

/// The filters that `known` rules out, given groups of which only one side can be there.
fn ruled_out(groups: &[Vec<Vec<FilterId>>], known: impl Fn(FilterId) -> bool) -> Vec<FilterId> {
    let mut out = Vec::new();
    for group in groups {
        if let Some(given) = group.iter().position(|side| side.iter().any(|filter| known(*filter))) {
            let others = group.iter().enumerate().filter(|(number, _)| *number != given);
            out.extend(others.flat_map(|(_, side)| side.iter().copied()));
        }
    }
    out
}

impl Engine {
    /// Makes `policy` ready.
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        let policy = policy.into();
        let target = policy.target();
        let mut atoms = Atoms::new(target);
        let programs = target
            .operations()
            .iter()
            .map(|operation| {
                let filtered = policy.operation(operation.id).filtered;
                let rules = filtered.iter().rev().filter_map(|&id| {
                    let rule = policy.get(id)?;
                    let expr = atoms.compile(rule.filter.as_ref()?);
                    Some(Compiled { id, action: rule.action, expr })
                });
                Program { rules: rules.collect(), fallback: policy.fallback(operation.id) }
            })
            .collect();
        atoms.freeze();
        Self { exclusive: Exclusive::new(target), policy, atoms, programs }
    }

    /// The policy that it answers for.
    pub fn policy(&self) -> &Policy {
        &self.policy
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
        let groups = self.exclusive.groups(self.policy.target(), request.operation);
        let out = ruled_out(&groups, |filter| {
            request.get(&Attribute::Filter(filter)).is_some_and(|value| *value != Value::Absent)
        });
        self.atoms.facts(&request.values, &out, request.closed)
    }

    /// The lists that are asked for `operation`, each with its operation, and who answers last.
    fn lineage(&self, operation: OpId) -> (Vec<(OpId, &Program)>, Decider) {
        let mut asked = Vec::new();
        let mut current = operation;
        loop {
            let Some(program) = self.programs.get(usize::from(current.0)) else {
                return (asked, Decider::Own(current));
            };
            asked.push((current, program));
            match program.fallback {
                Fallback::Rule(id) => return (asked, Decider::Rule(id)),
                Fallback::Own(_) => return (asked, Decider::Own(current)),
                Fallback::Parent(parent) => current = parent,
            }
        }
    }

    /// The answer to `request`. An operation that the target does not have is refused.
    pub fn decide(&self, request: &Request) -> Verdict {
        let facts = self.facts(request);
        let (asked, last) = self.lineage(request.operation);
        let mut decider = last;
        let mut before: Vec<&Compiled> = Vec::new();
        'asked: for (_, program) in &asked {
            for rule in &program.rules {
                match self.atoms.evaluate(&rule.expr, &facts) {
                    Truth::False => {}
                    Truth::Unknown => before.push(rule),
                    Truth::True => {
                        decider = Decider::Rule(rule.id);
                        break 'asked;
                    }
                }
            }
        }
        let action = self.action(decider);
        let all_agree = before.iter().all(|rule| rule.action == action);
        let (answer, depends_on) =
            if all_agree { (action.into(), Vec::new()) } else { self.residue(&before, action, &facts) };
        Verdict { answer, decider, before: before.iter().map(|rule| rule.id).collect(), depends_on }
    }

    /// What the undecided rules in front of `last` come to: some conditions cancel out (a filter and its negation), and of the
    /// others only those count that can change the answer.
    fn residue(&self, before: &[&Compiled], last: Action, facts: &[Fact<'_>]) -> (Answer, Vec<Attribute>) {
        let mut dag = Dag::new(RESIDUE_NODES);
        match self.residual_root(&mut dag, before, last, facts) {
            Ok(Root::DENY) => (Answer::Deny, Vec::new()),
            Ok(Root::ALLOW) => (Answer::Allow, Vec::new()),
            Ok(root) => (Answer::Depends, self.attributes(dag.support(root))),
            // Too large to simplify: name everything that is unknown.
            Err(TooManyNodes) => {
                let mut unknown = Vec::new();
                before.iter().for_each(|rule| rule.expr.for_each_atom(&mut |atom| unknown.push(atom)));
                unknown.retain(|atom| self.atoms.ask(*atom, facts) == Truth::Unknown);
                (Answer::Depends, self.attributes(unknown))
            }
        }
    }

    fn residual_root(
        &self,
        dag: &mut Dag,
        before: &[&Compiled],
        last: Action,
        facts: &[Fact<'_>],
    ) -> Result<Root, TooManyNodes> {
        let known = |atom| match self.atoms.ask(atom, facts) {
            Truth::Unknown => None,
            known => Some(known == Truth::True),
        };
        // The first rule asked is on top, so that wrapping the next one around touches each node once.
        for rule in before {
            rule.expr.for_each_atom(&mut |atom| {
                if known(atom).is_none() {
                    dag.order(atom);
                }
            });
        }
        let mut root = Root::from(last == Action::Allow);
        for rule in before.iter().rev() {
            let condition = dag.expr(&rule.expr, &known)?;
            root = dag.ite(condition, Root::from(rule.action == Action::Allow), root)?;
        }
        Ok(root)
    }

    /// The attributes of `atoms`, each once, in the order of the policy's columns.
    fn attributes(&self, atoms: Vec<Atom>) -> Vec<Attribute> {
        let columns: std::collections::BTreeSet<u32> = atoms.iter().map(|atom| atom.column).collect();
        columns.into_iter().filter_map(|number| Some(self.atoms.column(number)?.attribute.clone())).collect()
    }

    /// Every rule that was asked for `request`, up to the one that decides, with the value of each of its tests.
    pub fn explain(&self, request: &Request) -> Vec<Step> {
        let facts = self.facts(request);
        let (asked, last) = self.lineage(request.operation);
        let mut steps = Vec::new();
        for (operation, program) in &asked {
            for rule in &program.rules {
                let holds = self.atoms.evaluate(&rule.expr, &facts);
                let tests = self.tests(rule, &facts);
                steps.push(Step { operation: *operation, decider: Decider::Rule(rule.id), holds, tests });
                if holds == Truth::True {
                    return steps;
                }
            }
        }
        let operation = asked.last().map_or(request.operation, |(operation, _)| *operation);
        steps.push(Step { operation, decider: last, holds: Truth::True, tests: Vec::new() });
        steps
    }

    fn tests(&self, rule: &Compiled, facts: &[Fact<'_>]) -> Vec<(Test, Truth)> {
        let mut values = Vec::new();
        rule.expr.for_each_atom(&mut |atom| values.push(self.atoms.ask(atom, facts)));
        let mut tests = Vec::new();
        let filter: Option<&Filter> = self.policy.get(rule.id).and_then(|rule| rule.filter.as_ref());
        if let Some(filter) = filter {
            filter.for_each_test(&mut |test| tests.push(test.clone()));
        }
        tests.into_iter().zip(values).collect()
    }
}

/// Largest diagram that is built to simplify what unknown values leave open.
const RESIDUE_NODES: usize = 10_000;
