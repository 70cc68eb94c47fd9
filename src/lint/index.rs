//! The forms of a text that rules ask about, found in one walk: lists by head, bound names, rules, filter calls.
//!
//! What a name means is only certain after evaluation (`spec/sbpl-language.md` §1.3). The index is careful: a name that the
//! text binds anywhere (`define`, `let`, `lambda`, `set!`, `macro`) is not taken for the built-in of that name. `allow` and
//! `deny` are the exception, because those who rebind them wrap them.

use std::collections::{HashMap, HashSet};

use super::Parameters;
use super::names::Names;
use crate::syntax::{Atom, NodeId, NodeKind, QuoteKind, Tree};
use crate::vocab::{Action, FilterForm, FilterId, OpId, Spelling};

/// Where a rule stands; what it does depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It takes effect when the profile runs.
    Sure,
    /// Inside `if`, `when`, `cond` and the like.
    Conditional,
    /// Inside a function, a macro or an argument of an unknown form.
    Unknown,
    /// Inside `apply-message-filter`.
    MessageFilter,
}

/// An operation as a rule names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct OperationName<'a> {
    pub(super) node: NodeId,
    pub(super) name: &'a [u8],
    /// `None` for a retired one.
    pub(super) id: Option<OpId>,
    /// True when the compiler warns about the spelling.
    pub(super) obsolete: bool,
}

/// An `(allow …)` or `(deny …)` form.
#[derive(Debug, Clone)]
pub(super) struct RuleForm<'a> {
    pub(super) node: NodeId,
    pub(super) action: Action,
    pub(super) operations: Vec<OperationName<'a>>,
    /// Calls of filters and of `require-…`, in the order of the text.
    pub(super) filters: Vec<NodeId>,
    /// `(with …)` forms.
    pub(super) modifiers: Vec<NodeId>,
    /// Arguments that only evaluation can tell apart: variables, calls of functions.
    pub(super) opaque: Vec<NodeId>,
    pub(super) place: Place,
    /// Inside `(with-filter …)`: it has a filter although none is written in it.
    pub(super) with_filter: bool,
    /// Holds something that cannot be read; preprocessor lines, for example, between alternatives.
    pub(super) broken: bool,
}

impl RuleForm<'_> {
    /// True when it certainly has no filter.
    pub(super) fn unfiltered(&self) -> bool {
        self.filters.is_empty() && self.opaque.is_empty() && !self.with_filter
    }

    /// True when it names `operation` itself.
    pub(super) fn names(&self, operation: OpId) -> bool {
        self.operations.iter().any(|named| named.id == Some(operation))
    }
}

/// A call of a filter, anywhere in the text.
#[derive(Debug, Clone)]
pub(super) struct FilterCall<'a> {
    pub(super) node: NodeId,
    pub(super) name: &'a [u8],
    pub(super) id: FilterId,
    pub(super) form: FilterForm,
    /// The rule that it is an argument of, directly or through `require-…`: an index of [`Index::rules`].
    pub(super) rule: Option<usize>,
    /// Below an odd number of `require-not`.
    pub(super) negated: bool,
}

/// A `define` at top level or below `begin`, `if`, `when`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition<'a> {
    pub(super) node: NodeId,
    pub(super) name: &'a [u8],
    /// The value of `(define name value)`; `None` for a function.
    pub(super) value: Option<NodeId>,
    /// False inside a function or `let`.
    pub(super) global: bool,
}

#[derive(Debug, Default)]
pub(super) struct Index<'a> {
    heads: HashMap<&'a [u8], Vec<NodeId>>,
    bound: HashSet<&'a [u8]>,
    assigned: HashSet<&'a [u8]>,
    values: HashMap<&'a [u8], Option<NodeId>>,
    parameters: Option<&'a Parameters>,
    pub(super) definitions: Vec<Definition<'a>>,
    pub(super) rules: Vec<RuleForm<'a>>,
    pub(super) calls: Vec<FilterCall<'a>>,
}

const CONDITIONS: [&[u8]; 8] = [b"if", b"when", b"unless", b"cond", b"case", b"and", b"or", b"else"];
const TRANSPARENT: [&[u8]; 8] =
    [b"begin", b"let", b"let*", b"letrec", b"with-modifier", b"with-operations", b"with-filter", b"define-once"];
const COMBINATORS: [&[u8]; 6] =
    [b"require-any", b"require-all", b"require-not", b"require-entitlement", b"local", b"remote"];

impl<'a> Index<'a> {
    pub(super) fn new(tree: &'a Tree, names: &Names, parameters: &'a Parameters) -> Self {
        let mut index = Self { parameters: Some(parameters), ..Self::default() };
        index.collect(tree);
        index.definitions = index.find_definitions(tree);
        for definition in &index.definitions {
            let single = !index.values.contains_key(definition.name) && !index.assigned.contains(definition.name);
            index.values.insert(definition.name, definition.value.filter(|_| single && definition.global));
        }
        index.rules = index.find_rules(tree, names);
        index.calls = index.find_calls(tree, names);
        index
    }

    /// The lists that start with the symbol `head`, in the order of the text. Quoted ones are left out.
    pub(super) fn lists(&self, head: &str) -> &[NodeId] {
        self.heads.get(head.as_bytes()).map_or(&[], Vec::as_slice)
    }

    /// True when the text binds `name` somewhere.
    pub(super) fn binds(&self, name: &[u8]) -> bool {
        self.bound.contains(name)
    }

    /// The value form of a global that is defined once and never assigned.
    pub(super) fn value(&self, name: &[u8]) -> Option<NodeId> {
        self.values.get(name).copied().flatten()
    }

    /// The value of the parameter that the call `(param …)` asks for, when it is given.
    pub(super) fn parameter(&self, tree: &Tree, call: NodeId) -> Option<&'a [u8]> {
        match tree.datum(tree.children(call).nth(1)?)? {
            Atom::String(name) => self.parameters?.get(std::str::from_utf8(&name).ok()?).map(|value| value.as_bytes()),
            _ => None,
        }
    }

    fn collect(&mut self, tree: &'a Tree) {
        let mut quoted_until = 0;
        for node in tree.nodes() {
            match tree.kind(node) {
                NodeKind::Quoted(QuoteKind::Quote | QuoteKind::Quasiquote) if node.index() >= quoted_until => {
                    quoted_until = node.index() + tree.subtree(node).len();
                }
                NodeKind::List | NodeKind::DottedList if node.index() >= quoted_until => {
                    if let Some(head) = tree.head(node) {
                        self.heads.entry(head).or_default().push(node);
                        self.bind(tree, node, head);
                    }
                }
                _ => {}
            }
        }
    }

    /// Notes the names that the form `node` binds.
    fn bind(&mut self, tree: &'a Tree, node: NodeId, head: &[u8]) {
        let Some(target) = tree.children(node).nth(1) else { return };
        match head {
            b"define" | b"define-macro" | b"define-once" | b"macro" | b"lambda" => self.bind_all(tree, target),
            b"set!" => {
                self.bind_all(tree, target);
                self.assigned.extend(tree.symbol(target));
            }
            b"let" | b"let*" | b"letrec" | b"do" => {
                // A named `let` has its name before the bindings.
                let bindings = tree.symbol(target).and_then(|_| tree.children(node).nth(2)).unwrap_or(target);
                self.bound.extend(tree.symbol(target));
                for binding in tree.children(bindings) {
                    self.bound.extend(tree.children(binding).next().and_then(|name| tree.symbol(name)));
                }
            }
            _ => {}
        }
    }

    /// A symbol, or the symbols of a list such as `(name argument …)`.
    fn bind_all(&mut self, tree: &'a Tree, target: NodeId) {
        self.bound.extend(tree.symbol(target));
        self.bound.extend(tree.children(target).filter_map(|name| tree.symbol(name)));
    }

    fn find_definitions(&self, tree: &'a Tree) -> Vec<Definition<'a>> {
        self.lists("define")
            .iter()
            .filter_map(|&node| {
                let target = tree.children(node).nth(1)?;
                let value = tree.symbol(target).and_then(|_| tree.children(node).nth(2));
                let value = value.filter(|&value| tree.head(value) != Some(b"lambda"));
                let name = tree.symbol(target).or_else(|| tree.head(target))?;
                let global = ancestors(tree, node).all(|up| match tree.head(up) {
                    Some(head) => head == b"begin" || CONDITIONS.contains(&head),
                    None => false,
                });
                Some(Definition { node, name, value, global })
            })
            .collect()
    }

    fn find_rules(&self, tree: &'a Tree, names: &Names) -> Vec<RuleForm<'a>> {
        let of = |action: Action| self.lists(action.name()).iter().map(move |&node| (node, action));
        let mut forms: Vec<_> = of(Action::Allow).chain(of(Action::Deny)).collect();
        forms.sort_unstable_by_key(|&(node, _)| node);
        forms.into_iter().map(|(node, action)| self.rule(tree, names, node, action)).collect()
    }

    fn rule(&self, tree: &'a Tree, names: &Names, node: NodeId, action: Action) -> RuleForm<'a> {
        let (place, with_filter) = place(tree, node);
        let mut rule = RuleForm {
            node,
            action,
            operations: Vec::new(),
            filters: Vec::new(),
            modifiers: Vec::new(),
            opaque: Vec::new(),
            place,
            with_filter,
            broken: tree.subtree(node).any(|inside| tree.kind(inside) == NodeKind::Error),
        };
        for argument in tree.children(node).skip(1) {
            let name = tree.symbol(argument).or_else(|| tree.head(argument));
            let spelling = name.filter(|name| !self.binds(name)).and_then(|name| names.get(name));
            match (tree.symbol(argument), name, spelling) {
                (Some(name), _, Some(&Spelling::Operation { id, obsolete })) => {
                    rule.operations.push(OperationName { node: argument, name, id: Some(id), obsolete });
                }
                (Some(name), _, Some(Spelling::RetiredOperation)) => {
                    rule.operations.push(OperationName { node: argument, name, id: None, obsolete: false });
                }
                (None, Some(b"with" | b"apply-message-filter"), _) => rule.modifiers.push(argument),
                (None, _, Some(Spelling::Filter { .. })) => rule.filters.push(argument),
                (None, Some(head), _) if is_filter_form(head) && !self.binds(head) => rule.filters.push(argument),
                _ => rule.opaque.push(argument),
            }
        }
        rule
    }

    fn find_calls(&self, tree: &'a Tree, names: &Names) -> Vec<FilterCall<'a>> {
        let by_node: HashMap<NodeId, usize> =
            self.rules.iter().enumerate().map(|(index, rule)| (rule.node, index)).collect();
        let mut calls = Vec::new();
        for (&name, nodes) in &self.heads {
            let Some(&Spelling::Filter { id, form }) = names.get(name).filter(|_| !self.binds(name)) else { continue };
            calls.extend(nodes.iter().map(|&node| {
                let mut negated = false;
                let mut rule = None;
                for up in ancestors(tree, node) {
                    match tree.head(up) {
                        _ if by_node.contains_key(&up) => {
                            rule = by_node.get(&up).copied();
                            break;
                        }
                        Some(head) if COMBINATORS.contains(&head) => negated ^= head == b"require-not",
                        _ => break,
                    }
                }
                FilterCall { node, name, id, form, rule, negated }
            }));
        }
        calls.sort_unstable_by_key(|call| call.node);
        calls
    }
}

/// Forms that give filters and are not filters of the tables (`spec/sbpl-language.md` §5, §6, §9).
fn is_filter_form(head: &[u8]) -> bool {
    const OTHERS: [&[u8]; 10] = [
        b"path-ancestors",
        b"tty",
        b"debug-mode",
        b"process-is-plugin",
        b"process-is-installer",
        b"executable-bundle",
        b"container",
        b"application-group",
        b"system-container",
        b"system-group",
    ];
    head.starts_with(b"require-") || OTHERS.contains(&head)
}

/// The forms around `node`, innermost first.
pub(super) fn ancestors(tree: &Tree, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    std::iter::successors(tree.parent(node), |&up| tree.parent(up))
}

fn place(tree: &Tree, node: NodeId) -> (Place, bool) {
    let mut place = Place::Sure;
    let mut with_filter = false;
    for up in ancestors(tree, node) {
        match tree.head(up) {
            Some(b"apply-message-filter") => return (Place::MessageFilter, with_filter),
            Some(b"with-filter") => with_filter = true,
            Some(head) if TRANSPARENT.contains(&head) => {}
            Some(head) if CONDITIONS.contains(&head) => place = max(place, Place::Conditional),
            // A clause of `cond` starts with a list.
            None if tree.parent(up).and_then(|outer| tree.head(outer)) == Some(b"cond") => {
                place = max(place, Place::Conditional);
            }
            _ => place = Place::Unknown,
        }
    }
    (place, with_filter)
}

fn max(one: Place, other: Place) -> Place {
    if one == Place::Sure { other } else { one }
}
