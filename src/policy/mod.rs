//! The evaluated profile: which rules there are, and how they are ordered.
//!
//! A [`Policy`] is what is left when the program that a profile is has run: a list of [`Rule`]s in the order in which they
//! took effect, and nothing of the program. The room knows operations, filters and modifiers (`vocab`) and string tests
//! (`pattern`); it knows nothing of texts, Scheme values, blobs or requests.
//!
//! The order of decision (`spec/sbpl-language.md` section 7): for an operation, its filtered rules, newest first; else its
//! fallback, the newest unfiltered rule; else the operation's parent; at the end the own action of the base table.
//! An unfiltered rule is never ordered against filtered ones.
//!
//! **Invariants:** rules stand in the order in which they took effect: prelude, profile, implicit rules. Every id belongs to
//! the policy's target. Filters nest at most [`MAX_FILTER_DEPTH`] deep, so walking them may recurse. A policy is a plain
//! value: equal inputs give equal policies, whatever the platform.

mod filter;
mod names;
pub mod print;
mod rule;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use filter::EXTENSION_CLASS;
pub use filter::{Arg, Filter, Host, MAX_FILTER_DEPTH, NetworkAddress, Test, protocol_name, protocol_number};
pub use rule::{MessageFilter, Modifier, ModifierValue, Origin, OriginFrame, OriginKind, Rule, RuleSource};

use indexmap::IndexMap;

use crate::vocab::{Action, OpId, Target};

/// Index of a rule in [`Policy::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// What an operation's own rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpRules<'a> {
    /// Its filtered rules, oldest first: the last one is asked first.
    pub filtered: &'a [RuleId],
    /// Its newest unfiltered rule.
    pub fallback: Option<RuleId>,
}

/// Who answers when no filtered rule of an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// An unfiltered rule.
    Rule(RuleId),
    /// The program of the parent operation.
    Parent(OpId),
    /// The base table's own action.
    Own(Action),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OpIndex {
    filtered: Vec<RuleId>,
    fallback: Option<RuleId>,
}

/// Switches of the compiled profile that are not rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `(trace "path")`.
    pub trace: Option<Vec<u8>>,
    /// `(disable-callouts)`.
    pub disable_callouts: bool,
    /// `(disable-full-symbolication)`.
    pub disable_full_symbolication: bool,
}

/// The rules of one evaluated profile.
#[derive(Debug, Clone)]
pub struct Policy {
    target: &'static Target,
    version: u8,
    rules: Vec<Rule>,
    operations: Vec<OpIndex>,
    /// Storage classes by name, in the order of definition.
    pub storage_classes: IndexMap<Vec<u8>, Filter>,
    /// Switches that are not rules.
    pub options: Options,
}

impl Policy {
    /// No rules at all, not even those of a prelude.
    pub fn new(target: &'static Target, version: u8) -> Self {
        Self {
            target,
            version,
            rules: Vec::new(),
            operations: vec![OpIndex::default(); target.operations().len()],
            storage_classes: IndexMap::new(),
            options: Options::default(),
        }
    }

    /// The system it is meant for.
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// The SBPL version that decided the prelude.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Adds the newest rule. Operations of another target are left out of the index.
    pub fn push(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.rules.len() as u32);
        for operation in &rule.operations {
            if let Some(index) = self.operations.get_mut(usize::from(operation.0)) {
                if rule.filter.is_some() {
                    index.filtered.push(id);
                } else {
                    index.fallback = Some(id);
                }
            }
        }
        self.rules.push(rule);
        id
    }

    /// All rules in the order in which they took effect.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule `id`. Ids come from this policy; those of another may give `None`.
    pub fn get(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.0 as usize)
    }

    /// Every rule with its id.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (RuleId, &Rule)> {
        self.rules.iter().enumerate().map(|(index, rule)| (RuleId(index as u32), rule))
    }

    /// The own rules of `operation`.
    pub fn operation(&self, operation: OpId) -> OpRules<'_> {
        match self.operations.get(usize::from(operation.0)) {
            Some(index) => OpRules { filtered: &index.filtered, fallback: index.fallback },
            None => OpRules { filtered: &[], fallback: None },
        }
    }

    /// Who answers for `operation` when none of its filtered rules does.
    pub fn fallback(&self, operation: OpId) -> Fallback {
        if let Some(rule) = self.operation(operation).fallback {
            return Fallback::Rule(rule);
        }
        let info = self.target.operation(operation);
        match (info.parent, info.own) {
            (Some(parent), _) => Fallback::Parent(parent),
            // A row has a parent or an own action (tested for every target); deny is what an unset default means.
            (None, own) => Fallback::Own(own.unwrap_or(Action::Deny)),
        }
    }

    /// True when some way through the rules of `operation` ends in allow (`sbpl-operation-can-return?`).
    pub fn can_return(&self, operation: OpId, action: Action) -> bool {
        let mut current = operation;
        loop {
            let rules = self.operation(current);
            let filtered = rules.filtered.iter().filter_map(|&id| self.get(id));
            if filtered.into_iter().any(|rule| rule.action == action) {
                return true;
            }
            match self.fallback(current) {
                Fallback::Rule(id) => return self.get(id).is_some_and(|rule| rule.action == action),
                Fallback::Own(own) => return own == action,
                Fallback::Parent(parent) => current = parent,
            }
        }
    }
}

#[cfg(test)]
mod tests;
