//! What a rule can ask.

use std::sync::Arc;

use super::index::{FilterCall, Index, RuleForm};
use super::names::{Names, names};
use super::order::{Condition, Order};
use super::text::Text;
use super::{Input, Parameters};
use crate::diag::{Location, SourceId};
use crate::policy::Policy;
use crate::syntax::{Atom, NodeId, Tree};
use crate::vocab::{FilterForm, OpId, Spelling, Target};

pub(crate) struct Context<'a> {
    pub(super) tree: &'a Tree,
    pub(super) source: SourceId,
    pub(super) target: &'static Target,
    /// The version that the text declares; 1 when it declares none.
    pub(super) version: u8,
    pub(super) names: Arc<Names>,
    pub(super) index: Index<'a>,
    pub(super) order: Order,
    pub(super) parameters: &'a Parameters,
    pub(super) policy: Option<&'a Policy>,
}

impl<'a> Context<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        let version = declared_version(input.tree).unwrap_or(1);
        let names = names(input.target, version);
        let index = Index::new(input.tree, &names, input.parameters);
        let order = Order::new(input.tree, &index, input.target, version);
        Self {
            tree: input.tree,
            source: input.source,
            target: input.target,
            version,
            names,
            index,
            order,
            parameters: input.parameters,
            policy: input.policy,
        }
    }

    /// Where `node` is.
    pub(super) fn location(&self, node: NodeId) -> Location {
        Location::new(self.source, self.tree.span(node))
    }

    /// The string that `node` evaluates to, as far as the text tells.
    pub(super) fn text(&self, node: NodeId) -> Text<'a> {
        Text::of(self.tree, &self.index, node)
    }

    /// What a name means, unless the text binds it.
    pub(super) fn spelling(&self, name: &[u8]) -> Option<Spelling> {
        self.names.get(name).copied().filter(|_| !self.index.binds(name))
    }

    /// Calls of the filters that compare paths of files: the file's own, the running program's.
    pub(super) fn path_calls(&self) -> impl Iterator<Item = &FilterCall<'a>> {
        self.index.calls.iter().filter(|call| matches!(&*self.target.filter_name(call.id), "path" | "process-path"))
    }

    /// Every string argument of the path filters in one of `forms`.
    pub(super) fn path_arguments(&self, forms: &[FilterForm]) -> Vec<PathArgument<'_, 'a>> {
        self.path_calls()
            .filter(|call| forms.contains(&call.form))
            .flat_map(|call| {
                self.arguments(call.node).map(move |node| PathArgument { call, node, text: self.text(node) })
            })
            .collect()
    }

    /// The arguments of a call.
    pub(super) fn arguments(&self, call: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.tree.children(call).skip(1)
    }

    /// Every call of a filter's `-regex` form with its arguments, those of all filters.
    pub(super) fn regex_arguments(&self) -> impl Iterator<Item = (&FilterCall<'a>, NodeId)> {
        let regexes = self.index.calls.iter().filter(|call| call.form == FilterForm::Regex);
        regexes.flat_map(|call| self.arguments(call.node).map(move |node| (call, node)))
    }

    /// The rule that `call` belongs to.
    pub(super) fn rule_of(&self, call: &FilterCall<'_>) -> Option<&RuleForm<'a>> {
        self.index.rules.get(call.rule?)
    }

    /// Every rule with its number and what is known of its condition.
    pub(super) fn rules(&self) -> impl Iterator<Item = (usize, &RuleForm<'a>, &Condition)> {
        self.index.rules.iter().enumerate().map(|(at, rule)| (at, rule, self.order.condition(at)))
    }

    /// The operation called `name`, when the target has it.
    pub(super) fn operation(&self, name: &str) -> Option<OpId> {
        self.target.operation_named(name)
    }
}

/// One string argument of a path filter.
pub(super) struct PathArgument<'c, 'a> {
    pub(super) call: &'c FilterCall<'a>,
    pub(super) node: NodeId,
    pub(super) text: Text<'a>,
}

impl PathArgument<'_, '_> {
    /// The known front of the path; of a regex, what follows `^`, and nothing when it does not start with that.
    pub(super) fn path(&self) -> &[u8] {
        match self.call.form {
            FilterForm::Regex => self.text.head().strip_prefix(b"^").unwrap_or_default(),
            _ => self.text.head(),
        }
    }
}

fn declared_version(tree: &Tree) -> Option<u8> {
    let form = tree.roots().find(|&root| tree.head(root) == Some(b"version"))?;
    match tree.datum(tree.children(form).nth(1)?)? {
        Atom::Integer(number @ 1..=3) => Some(number as u8),
        _ => None,
    }
}
