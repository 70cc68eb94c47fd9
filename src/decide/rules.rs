//! The rules of a policy as conditions, each rule once.

use super::atoms::{Atoms, Expr};
use super::dag::{Dag, TooManyNodes};
use super::engine::Decider;
use super::store::Store;
use crate::policy::{Fallback, Policy, RuleId};
use crate::vocab::{Action, OpId};

/// Filtered rules of one operation, newest first, and who answers when none matches.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) rules: Vec<(RuleId, Action)>,
    pub(crate) fallback: Fallback,
}

/// What comes after the filtered rules of a list.
pub(crate) enum Behind {
    /// The list of this operation is asked.
    Asks(OpId),
    /// This is the answer.
    Answers(Decider),
}

impl List {
    /// What comes after this list, which is that of `operation`.
    pub(crate) fn behind(&self, operation: OpId) -> Behind {
        match self.fallback {
            Fallback::Rule(id) => Behind::Answers(Decider::Rule(id)),
            Fallback::Own(_) => Behind::Answers(Decider::Own(operation)),
            Fallback::Parent(parent) => Behind::Asks(parent),
        }
    }
}

impl Decider {
    /// What it answers.
    pub(super) fn action(self, policy: &Policy) -> Action {
        match self {
            Self::Rule(id) => policy.get(id).map_or(Action::Deny, |rule| rule.action),
            Self::Own(own) => policy.target().operation(own).own.unwrap_or(Action::Deny),
        }
    }
}

/// The list of each operation of `policy`, by number.
pub(super) fn lists(policy: &Policy) -> Vec<List> {
    let action = |id: &RuleId| Some((*id, policy.get(*id)?.action));
    let lists = policy.target().operations().iter().map(|operation| List {
        rules: policy.operation(operation.id).filtered.iter().rev().filter_map(action).collect(),
        fallback: policy.fallback(operation.id),
    });
    lists.collect()
}

/// The lists that are asked for `operation`, each with its operation, and who answers last.
pub(super) fn lineage(lists: &[List], operation: OpId) -> (Vec<(OpId, &List)>, Decider) {
    let mut asked = Vec::new();
    let mut current = operation;
    loop {
        let Some(list) = lists.get(usize::from(current.0)) else { return (asked, Decider::Own(current)) };
        asked.push((current, list));
        match list.behind(current) {
            Behind::Asks(parent) => current = parent,
            Behind::Answers(decider) => return (asked, decider),
        }
    }
}

/// What each operation comes to, by number: `end` of the action that answers last, and in front of it each filtered rule, the newest first
/// of all. `rule` puts one that answers so in front of the rest. A list that several operations ask is gone through once.
///
/// # Errors
/// Those of `rule`.
pub(super) fn programs<T: Copy, E>(
    policy: &Policy,
    lists: &[List],
    end: impl Fn(Action) -> T,
    mut rule: impl FnMut(RuleId, T, T) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let mut done: Vec<Option<T>> = vec![None; lists.len()];
    for operation in policy.target().operations() {
        let (asked, last) = lineage(lists, operation.id);
        let mut program = end(last.action(policy));
        for (each, list) in asked.iter().rev() {
            let slot = usize::from(each.0);
            if let Some(known) = done.get(slot).copied().flatten() {
                program = known;
                continue;
            }
            for (id, action) in list.rules.iter().rev() {
                program = rule(*id, end(*action), program)?;
            }
            if let Some(slot) = done.get_mut(slot) {
                *slot = Some(program);
            }
        }
    }
    Ok(done.into_iter().map(|program| program.unwrap_or_else(|| end(Action::Deny))).collect())
}

/// All rules of a policy, compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The condition of each filtered rule, by its id.
    exprs: Vec<Option<Expr>>,
    lists: Vec<List>,
}

impl Rules {
    /// Compiles every filtered rule into `atoms`, newest first.
    pub(crate) fn new(policy: &Policy, atoms: &mut Atoms) -> Self {
        let mut exprs: Vec<Option<Expr>> = policy.rules().iter().map(|_| None).collect();
        for (slot, rule) in exprs.iter_mut().zip(policy.rules()).rev() {
            *slot = rule.filter.as_ref().map(|filter| atoms.compile(filter));
        }
        Self { lists: lists(policy), exprs }
    }

    /// The condition of a filtered rule; `None` for an unfiltered one.
    pub(crate) fn expr(&self, id: RuleId) -> Option<&Expr> {
        self.exprs.get(id.0 as usize)?.as_ref()
    }

    /// The list of each operation, by number.
    pub(crate) fn lists(&self) -> &[List] {
        &self.lists
    }

    /// The lists that are asked for `operation`, each with its operation, and who answers last.
    pub(crate) fn lineage(&self, operation: OpId) -> (Vec<(OpId, &List)>, Decider) {
        lineage(&self.lists, operation)
    }

    /// Puts the atoms in the order in which the rules ask them.
    pub(crate) fn order(&self, dag: &mut Dag) {
        for expr in self.exprs.iter().rev().flatten() {
            expr.for_each_atom(&mut |atom| {
                dag.order(atom);
            });
        }
    }

    /// Each rule's condition as a root.
    pub(crate) fn conditions<S: Store>(&self, store: &mut S) -> Result<Vec<Option<S::Root>>, TooManyNodes> {
        let root = |expr: &Option<Expr>| expr.as_ref().map(|expr| store.condition(expr)).transpose();
        self.exprs.iter().map(root).collect()
    }

    /// What each operation answers, as a root: true is allow.
    pub(crate) fn roots<S: Store>(&self, policy: &Policy, store: &mut S) -> Result<Vec<S::Root>, TooManyNodes> {
        let (deny, allow) = (store.constant(false), store.constant(true));
        let end = |action| if action == Action::Allow { allow } else { deny };
        let conditions = self.conditions(store)?;
        programs(policy, &self.lists, end, |id, answer, rest| match conditions.get(id.0 as usize).copied().flatten() {
            Some(condition) => store.ite(condition, answer, rest),
            None => Ok(rest),
        })
    }
}
