//! Do two profiles answer alike? Decided over all requests, never sampled.
//!
//! Both sides become roots of one decision diagram, operation by operation. Equal roots are equal answers, and operations
//! with the same pair of roots are decided once. Where roots differ, [`decide`](crate::decide) searches for a request that
//! one side allows and the other refuses; the request that is found is the witness, and when none exists the difference is
//! one that no request can show. Where a diagram grows too large, or patterns hold variables in a way that its search does not cover,
//! the same is asked of gates and a SAT solver. A spent budget leaves an operation *undecided*, and says so.
//!
//! Only verdicts are compared. Modifiers (`no-log`, `send-signal` …) are the business of [`rules`](super::rules).

mod region;

use std::collections::HashMap;

pub use region::{Bounds, Breach, Direction, Extent, Region};

use crate::blob::Program;
use crate::decide::atoms::Atoms;
use crate::decide::chain;
use crate::decide::dag::{Dag, Root, TooManyNodes};
use crate::decide::exclusive::Exclusive;
use crate::decide::graph::target_of;
use crate::decide::lift::Lifted;
use crate::decide::prove::{Literal, Prover};
use crate::decide::rules::Rules;
use crate::decide::space::Space;
use crate::decide::store::Store;
use crate::decide::{Budget, GraphError, PATH, Request, Undecided};
use crate::policy::Policy;
use crate::vocab::{OpId, Target};

/// One of the two things that are compared.
#[derive(Debug, Clone, Copy)]
pub enum Side<'a> {
    /// An evaluated profile.
    Policy(&'a Policy),
    /// A linked blob; of a collection the profile of that name.
    Program(&'a Program, Option<&'a str>),
}

/// Why two sides cannot be compared at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// They are meant for different systems, whose operations and filters do not correspond one to one.
    #[error("profiles for different systems: {0} and {1}")]
    Targets(&'static str, &'static str),
    /// A side that cannot be read as conditions.
    #[error("{error}")]
    Graph {
        /// Which of the two: 0 is A, 1 is B.
        side: usize,
        /// Why.
        error: GraphError,
    },
}

/// What happens to one operation when A is replaced by B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Every request gets the same answer.
    Equal,
    /// Some requests get another answer; at least one of the two is there.
    Differs {
        /// A request that A refuses and B allows.
        widened: Option<Request>,
        /// A request that A allows and B refuses.
        narrowed: Option<Request>,
    },
    /// The budget did not suffice.
    Undecided(Undecided),
}

impl Change {
    /// A request found that way, one found the other way.
    fn of(found: Result<(Option<Request>, Option<Request>), Undecided>) -> Self {
        match found {
            Ok((None, None)) => Self::Equal,
            Ok((widened, narrowed)) => Self::Differs { widened, narrowed },
            Err(undecided) => Self::Undecided(undecided),
        }
    }

    /// `equal`, `widened`, `narrowed`, `both` or `undecided`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Differs { widened: Some(_), narrowed: None } => "widened",
            Self::Differs { widened: None, .. } => "narrowed",
            Self::Differs { .. } => "both",
            Self::Undecided(_) => "undecided",
        }
    }
}

/// Two sides made ready for questions about all requests.
#[derive(Debug)]
pub struct Comparison<'a> {
    target: &'static Target,
    /// For a second look at single operations.
    sides: Vec<Compiled<'a>>,
    atoms: Atoms,
    exclusive: Exclusive,
    budget: Budget,
    dag: Dag,
    /// Roots of A and B by operation; an error when the diagram of one side is too large.
    roots: Result<[Vec<Root>; 2], TooManyNodes>,
    /// What changes may be confined to, by operation, for each direction that has a bound.
    bounds: Result<[Option<Vec<Root>>; 2], TooManyNodes>,
}

fn target(side: Side<'_>) -> Result<&'static Target, GraphError> {
    match side {
        Side::Policy(policy) => Ok(policy.target()),
        Side::Program(program, _) => target_of(program),
    }
}

#[derive(Debug)]
enum Compiled<'a> {
    Rules(&'a Policy, Rules),
    Graph(Lifted),
}

impl Compiled<'_> {
    fn order(&self, dag: &mut Dag) {
        match self {
            Self::Rules(_, rules) => rules.order(dag),
            Self::Graph(lifted) => lifted.order(dag),
        }
    }

    fn roots<S: Store>(&self, store: &mut S) -> Result<Vec<S::Root>, TooManyNodes> {
        match self {
            Self::Rules(policy, rules) => rules.roots(policy, store),
            Self::Graph(lifted) => lifted.roots(store),
        }
    }
}

/// What questions about one operation look like; operations with the same key have the same answers.
type Key = (Root, Root, [bool; 3]);

impl<'a> Comparison<'a> {
    /// Prepares the comparison of A and B.
    ///
    /// # Errors
    /// [`CompareError`].
    pub fn new(a: Side<'a>, b: Side<'a>, budget: Budget) -> Result<Self, CompareError> {
        Self::bounded(a, b, &Bounds::default(), budget)
    }

    /// The same, with bounds that [`breaches`](Self::breaches) holds the changes against.
    ///
    /// # Errors
    /// [`CompareError`].
    pub fn bounded(a: Side<'a>, b: Side<'a>, bounds: &Bounds, budget: Budget) -> Result<Self, CompareError> {
        let of_side = |side: usize| move |error: GraphError| CompareError::Graph { side, error };
        let (target, other) = (target(a).map_err(of_side(0))?, target(b).map_err(of_side(1))?);
        if target.name() != other.name() {
            return Err(CompareError::Targets(target.name(), other.name()));
        }
        let mut atoms = Atoms::canonical(target);
        let mut compiled = Vec::new();
        for (number, side) in [a, b].into_iter().enumerate() {
            compiled.push(match side {
                Side::Policy(policy) if chain::is_needed_for(policy) => {
                    Compiled::Graph(Lifted::of_policy(policy, &mut atoms).map_err(of_side(number))?)
                }
                Side::Policy(policy) => Compiled::Rules(policy, Rules::new(policy, &mut atoms)),
                Side::Program(program, profile) => {
                    Compiled::Graph(Lifted::new(program, profile, &mut atoms).map_err(of_side(number))?)
                }
            });
        }
        let regions = bounds.each().map(|region| region.map(|region| region.compile(&mut atoms)));
        atoms.freeze();
        let mut dag = Dag::new(budget.nodes);
        compiled.iter().for_each(|side| side.order(&mut dag));
        regions.iter().flatten().for_each(|region| region.order(&mut dag));
        let mut roots = || {
            let [a, b] = &compiled[..] else { return Err(TooManyNodes) };
            Ok([a.roots(&mut dag)?, b.roots(&mut dag)?])
        };
        let roots = roots();
        let [widened, narrowed] = regions.map(|region| region.map(|region| region.roots(target, &mut dag)).transpose());
        let bounds = widened.and_then(|widened| Ok([widened, narrowed?]));
        let exclusive = Exclusive::new(target);
        Ok(Self { target, sides: compiled, atoms, exclusive, budget, dag, roots, bounds })
    }

    /// The system of both sides.
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// The operations that a compiled profile answers, by number.
    pub fn operations(&self) -> impl Iterator<Item = OpId> + use<> {
        self.target.operations().iter().filter(|operation| operation.in_op_table).map(|operation| operation.id)
    }

    fn key(&self, operation: OpId) -> Result<Key, TooManyNodes> {
        let [a, b] = self.roots.as_ref().map_err(|error| *error)?;
        let root = |roots: &[Root]| roots.get(usize::from(operation.0)).copied().unwrap_or(Root::DENY);
        Ok((root(a), root(b), self.kinds(operation)))
    }

    /// What requests on `operation` always have or never have together.
    fn kinds(&self, operation: OpId) -> [bool; 3] {
        let accepts = |name: &str| self.target.filter_named(name).is_some_and(|id| self.target.accepts(operation, id));
        [self.target.accepts(operation, PATH), accepts("remote"), accepts("global-name")]
    }

    /// Whether some request makes `condition` of the two answers true.
    fn find(
        &mut self,
        operation: OpId,
        condition: impl Fn(&mut Dag, Root, Root) -> Result<Root, TooManyNodes>,
    ) -> Result<Option<Request>, Undecided> {
        let (a, b, _) = self.key(operation)?;
        let root = condition(&mut self.dag, a, b)?;
        let mut space = Space::new(&self.atoms, &self.exclusive, self.target, self.budget);
        let values = space.find(&mut self.dag, operation, root)?;
        Ok(values.map(|values| Request { operation, values, closed: false }))
    }

    /// A request on `operation` that B allows and A refuses.
    ///
    /// # Errors
    /// [`Undecided`].
    pub fn widened(&mut self, operation: OpId) -> Result<Option<Request>, Undecided> {
        let found = self.find(operation, |dag, a, b| dag.ite(a, Root::DENY, b));
        found.or_else(|_| self.gated().find(operation, |a, b| [!a, b]))
    }

    /// A request on `operation` that A allows and B refuses. B is implied by A when there is none.
    ///
    /// # Errors
    /// [`Undecided`].
    pub fn narrowed(&mut self, operation: OpId) -> Result<Option<Request>, Undecided> {
        let found = self.find(operation, |dag, a, b| dag.ite(b, Root::DENY, a));
        found.or_else(|_| self.gated().find(operation, |a, b| [a, !b]))
    }

    /// A request on `operation` that both allow. The sides are disjoint when there is none.
    ///
    /// # Errors
    /// [`Undecided`].
    pub fn shared(&mut self, operation: OpId) -> Result<Option<Request>, Undecided> {
        let found = self.find(operation, |dag, a, b| dag.and(a, b));
        found.or_else(|_| self.gated().find(operation, |a, b| [a, b]))
    }

    /// What happens to `operation`, by the diagram.
    fn change(&mut self, operation: OpId) -> Change {
        let widened = self.find(operation, |dag, a, b| dag.ite(a, Root::DENY, b));
        let narrowed = |widened| Ok((widened, self.find(operation, |dag, a, b| dag.ite(b, Root::DENY, a))?));
        Change::of(widened.and_then(narrowed))
    }

    /// The same two sides as gates.
    fn gated(&self) -> Gated<'_> {
        let mut prover = Prover::new(&self.atoms, &self.exclusive, self.target, self.budget);
        let roots = self.sides.iter().map(|side| side.roots(prover.store())).collect();
        Gated { prover, roots }
    }

    /// What happens to each of `operations`, by gates instead of a diagram.
    fn changes_by_gates(&self, operations: impl Iterator<Item = OpId>) -> Vec<(OpId, Change)> {
        let mut gated = self.gated();
        let mut known: HashMap<(Literal, Literal, [bool; 3]), Change> = HashMap::new();
        let mut out = Vec::new();
        for operation in operations {
            let change = match gated.sides(operation) {
                Err(error) => Change::Undecided(error.into()),
                Ok((a, b)) if a == b => Change::Equal,
                Ok((a, b)) => {
                    let change = known.entry((a, b, self.kinds(operation))).or_insert_with(|| {
                        let widened = gated.find(operation, |a, b| [!a, b]);
                        Change::of(widened.and_then(|widened| Ok((widened, gated.find(operation, |a, b| [a, !b])?))))
                    });
                    for_operation(change.clone(), operation)
                }
            };
            out.push((operation, change));
        }
        out
    }

    /// What happens to each operation.
    pub fn changes(&mut self) -> Vec<(OpId, Change)> {
        if self.roots.is_err() {
            return self.changes_by_gates(self.operations());
        }
        let mut known: HashMap<Key, Change> = HashMap::new();
        let mut out = Vec::new();
        for operation in self.operations() {
            let change = match self.key(operation) {
                Err(error) => Change::Undecided(error.into()),
                Ok((a, b, _)) if a == b => Change::Equal,
                Ok(key) => match known.get(&key) {
                    Some(change) => for_operation(change.clone(), operation),
                    None => {
                        let change = self.change(operation);
                        known.insert(key, change.clone());
                        change
                    }
                },
            };
            out.push((operation, change));
        }
        let undecided: Vec<OpId> =
            out.iter().filter(|(_, change)| matches!(change, Change::Undecided(_))).map(|(id, _)| *id).collect();
        if !undecided.is_empty() {
            let again: HashMap<OpId, Change> = self.changes_by_gates(undecided.into_iter()).into_iter().collect();
            for (operation, change) in &mut out {
                if let Some(again) = again.get(operation) {
                    *change = again.clone();
                }
            }
        }
        out
    }
}

/// Two sides as gates, for conditions that no diagram holds and for patterns with variables that no walk covers.
struct Gated<'c> {
    prover: Prover<'c>,
    /// By side, by operation.
    roots: Result<Vec<Vec<Literal>>, TooManyNodes>,
}

impl Gated<'_> {
    /// What A and B answer.
    fn sides(&self, operation: OpId) -> Result<(Literal, Literal), TooManyNodes> {
        let roots = self.roots.as_ref().map_err(|error| *error)?;
        let of = |side: usize| roots.get(side)?.get(usize::from(operation.0)).copied();
        of(0).zip(of(1)).ok_or(TooManyNodes)
    }

    /// A request on `operation` for which all conditions hold that `wanted` makes of the answers of A and B.
    fn find(
        &mut self,
        operation: OpId,
        wanted: impl Fn(Literal, Literal) -> [Literal; 2],
    ) -> Result<Option<Request>, Undecided> {
        let (a, b) = self.sides(operation)?;
        let values = self.prover.find(operation, &wanted(a, b))?;
        Ok(values.map(|values| Request { operation, values, closed: false }))
    }
}

/// The same values asked of another operation.
fn for_request(request: Request, operation: OpId) -> Request {
    Request { operation, ..request }
}

/// The change of another operation with the same roots, said of `operation`.
fn for_operation(mut change: Change, operation: OpId) -> Change {
    if let Change::Differs { widened, narrowed } = &mut change {
        for request in [widened, narrowed].into_iter().flatten() {
            request.operation = operation;
        }
    }
    change
}

#[cfg(test)]
mod tests;
