//! The form of rules, as far as it shows without evaluating: action, operations, filters, modifiers.

use crate::syntax::{Atom, AtomKind, NodeId, NodeKind, Tree};
use crate::vocab::{self, Action, Spelling};

/// A node of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) tree: &'a Tree,
    pub(super) node: NodeId,
}

impl<'a> Form<'a> {
    pub(super) fn new(tree: &'a Tree, node: NodeId) -> Self {
        Self { tree, node }
    }

    /// True when both read as the same datum: white space, comments and the way a string is quoted do not count.
    pub(super) fn same(self, other: Form<'_>) -> bool {
        let (mine, others) = (self.tree.subtree(self.node), other.tree.subtree(other.node));
        mine.len() == others.len() && mine.zip(others).all(|(a, b)| same_node(self.tree, a, other.tree, b))
    }

    /// The rule that this is, if it is one whose parts can be told apart without evaluating.
    pub(super) fn rule(self) -> Option<RuleForm<'a>> {
        let tree = self.tree;
        if tree.kind(self.node) != NodeKind::List {
            return None;
        }
        let action = match tree.head(self.node)? {
            b"allow" => Action::Allow,
            b"deny" => Action::Deny,
            _ => return None,
        };
        let mut rule = RuleForm { action, operations: Vec::new(), filters: Vec::new(), modifiers: Vec::new() };
        for argument in tree.children(self.node).skip(1) {
            let form = Self::new(tree, argument);
            match tree.kind(argument) {
                NodeKind::Atom(AtomKind::Symbol) if is_operation(tree.source(argument)) => rule.operations.push(form),
                NodeKind::List => match tree.head(argument) {
                    Some(b"with" | b"apply-message-filter") => rule.modifiers.push(form),
                    Some(_) => rule.filters.push(form),
                    None => return None,
                },
                _ => return None,
            }
        }
        (!rule.operations.is_empty()).then_some(rule)
    }
}

/// The parts of a rule.
#[derive(Debug, Clone)]
pub(super) struct RuleForm<'a> {
    pub(super) action: Action,
    pub(super) operations: Vec<Form<'a>>,
    /// More than one: any of them (`spec/sbpl-language.md` section 6).
    pub(super) filters: Vec<Form<'a>>,
    pub(super) modifiers: Vec<Form<'a>>,
}

impl RuleForm<'_> {
    pub(super) fn operation_names(&self) -> impl Iterator<Item = &[u8]> {
        self.operations.iter().map(|form| form.tree.source(form.node))
    }
}

fn same_node(a_tree: &Tree, a: NodeId, b_tree: &Tree, b: NodeId) -> bool {
    let sizes = a_tree.subtree(a).len() == b_tree.subtree(b).len();
    sizes
        && match (a_tree.kind(a), b_tree.kind(b)) {
            (NodeKind::Atom(_), NodeKind::Atom(_)) => a_tree.datum(a) == b_tree.datum(b),
            (a, b) => a == b,
        }
}

/// True for the name of an operation of any system, under any spelling.
pub(super) fn is_operation(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    vocab::target_names().filter_map(|target| vocab::target(target).ok()).any(|target| {
        (1..=3).any(|version| {
            matches!(target.spelling(name, version), Some(Spelling::Operation { .. } | Spelling::RetiredOperation))
        })
    })
}

/// True when one of two operation names may cover the other: they are the same, or one is a wildcard over the other.
/// `default` stands for itself only: it is asked after every rule of another operation.
pub(super) fn related(a: &[u8], b: &[u8]) -> bool {
    let covers = |wide: &[u8], narrow: &[u8]| wide.strip_suffix(b"*").is_some_and(|stem| narrow.starts_with(stem));
    a == b || covers(a, b) || covers(b, a)
}

/// The string value of an atom.
pub(super) fn string(tree: &Tree, node: NodeId) -> Option<Vec<u8>> {
    match tree.datum(node)? {
        Atom::String(value) => Some(value.into_owned()),
        _ => None,
    }
}
