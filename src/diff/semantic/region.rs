//! Bounds on a change: which requests may get another answer, and which do although they may not.

use std::collections::HashMap;

use super::{Comparison, Key, for_request};
use crate::decide::atoms::{Atoms, Expr};
use crate::decide::dag::{Dag, Root, TooManyNodes};
use crate::decide::{Request, Undecided};
use crate::policy::Filter;
use crate::vocab::{OpId, Target};

/// Requests on some operations under a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// These operations and all below them; `None`: every operation.
    pub operations: Option<Vec<OpId>>,
    /// When; `None`: always.
    pub filter: Option<Filter>,
}

/// A set of requests: those of any of its extents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Region {
    /// Its parts.
    pub extents: Vec<Extent>,
}

/// What the changes from A to B are confined to; no bound in a direction means that anything may change that way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Where B may allow what A refuses.
    pub widened: Option<Region>,
    /// Where B may refuse what A allows.
    pub narrowed: Option<Region>,
}

/// Which way an answer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// A refuses, B allows.
    Widened,
    /// A allows, B refuses.
    Narrowed,
}

/// An operation whose change leaves its bound, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The operation.
    pub operation: OpId,
    /// Which way.
    pub direction: Direction,
    /// A request that shows it, or why that could not be decided.
    pub found: Result<Request, Undecided>,
}

impl Bounds {
    pub(super) fn each(&self) -> [Option<&Region>; 2] {
        [self.widened.as_ref(), self.narrowed.as_ref()]
    }
}

impl Region {
    pub(super) fn compile(&self, atoms: &mut Atoms) -> CompiledRegion {
        let expr = |extent: &Extent, atoms: &mut Atoms| extent.filter.as_ref().map(|filter| atoms.compile(filter));
        CompiledRegion {
            extents: self.extents.iter().map(|extent| (extent.operations.clone(), expr(extent, atoms))).collect(),
        }
    }
}

/// A region whose tests are among the atoms.
pub(super) struct CompiledRegion {
    extents: Vec<(Option<Vec<OpId>>, Option<Expr>)>,
}

impl CompiledRegion {
    pub(super) fn order(&self, dag: &mut Dag) {
        for expr in self.extents.iter().filter_map(|(_, expr)| expr.as_ref()) {
            expr.for_each_atom(&mut |atom| {
                dag.order(atom);
            });
        }
    }

    /// The condition under which a request on each operation is inside, by operation.
    pub(super) fn roots(&self, target: &Target, dag: &mut Dag) -> Result<Vec<Root>, TooManyNodes> {
        let mut roots = vec![Root::DENY; target.operations().len()];
        for (operations, expr) in &self.extents {
            let condition = expr.as_ref().map_or(Ok(Root::ALLOW), |expr| dag.expr(expr, &|_| None))?;
            for (slot, operation) in roots.iter_mut().zip(target.operations()) {
                let inside = operations
                    .as_ref()
                    .is_none_or(|operations| target.lineage(operation.id).any(|up| operations.contains(&up)));
                if inside {
                    *slot = dag.or(*slot, condition)?;
                }
            }
        }
        Ok(roots)
    }
}

impl Comparison<'_> {
    /// The operations whose change leaves the bounds that the comparison was made with, each with a shortest request that
    /// shows it. Empty: both bounds are kept, over all requests.
    pub fn breaches(&mut self) -> Vec<Breach> {
        let mut known: HashMap<(Key, Root, Direction), Result<Option<Request>, Undecided>> = HashMap::new();
        let mut out = Vec::new();
        for direction in [Direction::Widened, Direction::Narrowed] {
            for operation in self.operations() {
                let found = match self.bounded_key(operation, direction) {
                    Ok(None) => continue,
                    Err(error) => Err(error.into()),
                    Ok(Some((key, bound))) => known
                        .entry((key, bound, direction))
                        .or_insert_with(|| self.beyond(operation, bound, direction))
                        .clone(),
                };
                let found = found.map(|request| request.map(|request| for_request(request, operation))).transpose();
                out.extend(found.map(|found| Breach { operation, direction, found }));
            }
        }
        out
    }

    /// What decides the question about one operation; `None` where nothing changes or anything may.
    fn bounded_key(&self, operation: OpId, direction: Direction) -> Result<Option<(Key, Root)>, TooManyNodes> {
        let [widened, narrowed] = self.bounds.as_ref().map_err(|error| *error)?;
        let bound = match direction {
            Direction::Widened => widened,
            Direction::Narrowed => narrowed,
        };
        let Some(roots) = bound else { return Ok(None) };
        let key = self.key(operation)?;
        let bound = roots.get(usize::from(operation.0)).copied().unwrap_or(Root::DENY);
        Ok((key.0 != key.1 && bound != Root::ALLOW).then_some((key, bound)))
    }

    fn beyond(&mut self, operation: OpId, bound: Root, direction: Direction) -> Result<Option<Request>, Undecided> {
        self.find(operation, |dag, a, b| {
            let (refuses, allows) = match direction {
                Direction::Widened => (a, b),
                Direction::Narrowed => (b, a),
            };
            let changed = dag.ite(refuses, Root::DENY, allows)?;
            dag.ite(bound, Root::DENY, changed)
        })
    }
}
