//! From a condition to nodes (`spec/codegen-rules.md` §4.1).

use super::{Graph, Node, NodeId, TestNode};
use crate::compile::CompileError;
use crate::policy::Filter;
use crate::vocab::Target;

impl Graph {
    /// The node that goes to `matched` when `filter` holds and to `unmatched` when not. Recursion is bounded by
    /// [`crate::policy::MAX_FILTER_DEPTH`].
    pub(super) fn condition(
        &mut self,
        target: &Target,
        filter: &Filter,
        matched: NodeId,
        unmatched: NodeId,
    ) -> Result<NodeId, CompileError> {
        match filter {
            Filter::Test(test) => {
                let key = self.vocabulary.key(target, test)?;
                let test = self.intern_test(key);
                self.make(Node::Test(TestNode { test, matched, unmatched }))
            }
            Filter::Not(inner) => self.condition(target, inner, unmatched, matched),
            Filter::All(parts) => {
                parts.iter().rev().try_fold(matched, |rest, part| self.condition(target, part, rest, unmatched))
            }
            Filter::Any(parts) => self.any_of(target, parts, matched, unmatched),
        }
    }

    /// As [`Graph::condition`] for a list of which one must hold.
    pub(super) fn any_of(
        &mut self,
        target: &Target,
        parts: &[Filter],
        matched: NodeId,
        unmatched: NodeId,
    ) -> Result<NodeId, CompileError> {
        parts.iter().rev().try_fold(unmatched, |rest, part| self.condition(target, part, matched, rest))
    }
}
