//! Where conditions are made: what decision diagrams and gates have in common.

use super::atoms::Expr;
use super::dag::{Dag, Root, TooManyNodes};

/// A store of conditions. Equal roots are equal conditions.
pub(crate) trait Store {
    /// A condition.
    type Root: Copy + PartialEq;

    /// Always or never.
    fn constant(&self, value: bool) -> Self::Root;

    /// If `condition` then `yes` else `no`.
    fn ite(&mut self, condition: Self::Root, yes: Self::Root, no: Self::Root) -> Result<Self::Root, TooManyNodes>;

    /// The condition that `expr` states. Recursion is bounded by the policy's limit on nesting.
    fn condition(&mut self, expr: &Expr) -> Result<Self::Root, TooManyNodes>;
}

impl Store for Dag {
    type Root = Root;

    fn constant(&self, value: bool) -> Root {
        Root::from(value)
    }

    fn ite(&mut self, condition: Root, yes: Root, no: Root) -> Result<Root, TooManyNodes> {
        self.ite(condition, yes, no)
    }

    fn condition(&mut self, expr: &Expr) -> Result<Root, TooManyNodes> {
        self.expr(expr, &|_| None)
    }
}
