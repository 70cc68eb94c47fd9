//! The decision graph: what a policy is compiled to before it is simplified and written.
//!
//! A node is a test with two ways on or a terminal. Nodes are looked up by content when they are made (one table for the whole
//! profile) and never again: later steps edit them in place, so equal nodes may arise and stay apart, as in Apple's output
//! (`spec/codegen-rules.md` §4.2, needed by 130 golden cases).
//!
//! **Invariants:** the graph has no cycle; `matched` and `unmatched` of a new node differ; a [`NodeId`], [`TestId`] or
//! [`TerminalId`] indexes the graph that made it.

mod arguments;
mod build;
mod condition;
mod messages;
mod rules;
mod terminals;

pub(crate) use arguments::{Argument, PatternArgument, TestKey, Vocabulary};
pub(crate) use build::build;
pub(crate) use messages::{FilterProgram, MESSAGE_FILTER};
pub(crate) use terminals::{ModifierValue, Terminal, TerminalId};

use std::collections::HashMap;

use indexmap::IndexSet;

use super::CompileError;
use terminals::Terminals;

/// A node of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

/// A test of a [`Graph`]: filter and argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TestId(pub(crate) u32);

impl NodeId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl TestId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// A comparison with two ways on.
    Test(TestNode),
    /// An answer.
    Terminal(TerminalId),
}

/// The content of a test node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TestNode {
    pub(crate) test: TestId,
    pub(crate) matched: NodeId,
    pub(crate) unmatched: NodeId,
}

/// The graph of one profile.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    tests: IndexSet<TestKey>,
    by_content: HashMap<Node, NodeId>,
    pub(crate) terminals: Terminals,
    /// The root of every operation of the op table, by operation.
    pub(crate) operations: Vec<NodeId>,
    /// The programs of all message filters.
    pub(crate) filter_programs: Vec<FilterProgram>,
    /// What names and numbers the tests use.
    pub(crate) vocabulary: Vocabulary,
    max_nodes: usize,
}

impl Graph {
    fn new(vocabulary: Vocabulary, max_nodes: usize) -> Self {
        Self {
            nodes: Vec::new(),
            tests: IndexSet::new(),
            by_content: HashMap::new(),
            terminals: Terminals::default(),
            operations: Vec::new(),
            filter_programs: Vec::new(),
            vocabulary,
            max_nodes,
        }
    }

    /// Number of nodes ever made.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Number of different tests ever made.
    pub(crate) fn test_count(&self) -> usize {
        self.tests.len()
    }

    /// Node `id`.
    pub(crate) fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// The content of `id` when it is a test.
    pub(crate) fn test_node(&self, id: NodeId) -> Option<TestNode> {
        match self.nodes[id.index()] {
            Node::Test(node) => Some(node),
            Node::Terminal(_) => None,
        }
    }

    /// What `id` compares.
    pub(crate) fn test(&self, id: TestId) -> &TestKey {
        &self.tests[id.index()]
    }

    /// The number of `key`, a new one when it was never tested.
    pub(crate) fn intern_test(&mut self, key: TestKey) -> TestId {
        TestId(self.tests.insert_full(key).0 as u32)
    }

    /// Replaces the content of a test node.
    pub(crate) fn set(&mut self, id: NodeId, node: TestNode) {
        self.nodes[id.index()] = Node::Test(node);
    }

    /// A node that is not looked up and that no look-up will find.
    pub(crate) fn fresh(&mut self, node: Node) -> Result<NodeId, CompileError> {
        if self.nodes.len() >= self.max_nodes {
            return Err(CompileError::Limit { what: "nodes", limit: self.max_nodes });
        }
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        Ok(id)
    }

    /// The node with this content; when both ways are the same, what they lead to.
    fn make(&mut self, node: Node) -> Result<NodeId, CompileError> {
        if let Node::Test(TestNode { matched, unmatched, .. }) = node
            && matched == unmatched
        {
            return Ok(matched);
        }
        if let Some(&id) = self.by_content.get(&node) {
            return Ok(id);
        }
        let id = self.fresh(node)?;
        self.by_content.insert(node, id);
        Ok(id)
    }

    /// The node of terminal `id`.
    fn terminal_node(&mut self, id: TerminalId) -> Result<NodeId, CompileError> {
        self.make(Node::Terminal(id))
    }

    /// All roots: operations, then message filters' programs.
    pub(crate) fn roots(&self) -> impl DoubleEndedIterator<Item = NodeId> + '_ {
        self.operations.iter().copied().chain(self.filter_programs.iter().map(|program| program.root))
    }

    /// Replaces every root `id` by `change(id)`.
    pub(crate) fn change_roots(&mut self, change: impl Fn(NodeId) -> NodeId) {
        for root in &mut self.operations {
            *root = change(*root);
        }
        for program in &mut self.filter_programs {
            program.root = change(program.root);
        }
    }

    /// True for an allow without report or modifiers.
    pub(crate) fn is_plain_allow(&self, id: NodeId) -> bool {
        matches!(self.node(id), Node::Terminal(terminal) if self.terminals.get(terminal).is_plain_allow())
    }
}
