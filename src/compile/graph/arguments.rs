//! What a test compares: the policy's argument in the form that is stored (`spec/blob-format.md` §6).

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::IndexSet;

use crate::compile::patterns;
use crate::compile::{CompileError, ENABLE_STATE_FLAG};
use crate::pattern::code::PatternTree;
use crate::pattern::{Pattern, Regex};
use crate::policy::{Arg, EXTENSION_CLASS, NetworkAddress, Policy, Rule, Test};
use crate::vocab::{ArgKind, FilterId, Target};

/// Filter and argument: what makes two tests the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TestKey {
    pub(crate) filter: FilterId,
    pub(crate) argument: Argument,
}

/// An argument as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Argument {
    /// A number; 0 for filters without argument, 0 or 1 for booleans.
    Integer(u16),
    /// A set of numbers.
    Numbers(Arc<[u16]>),
    /// A string.
    String(Arc<[u8]>),
    /// A state flag, by its place in [`Vocabulary::states`].
    State(u16),
    /// A network address.
    Network(NetworkAddress),
    /// Literals, prefixes, subpaths and simple regexes.
    Pattern(Arc<PatternArgument>),
    /// A regex that has no pattern code, by its place in [`Vocabulary::regexes`].
    Regex(u16),
}

/// One pattern record: the strings that were united, in the order of the tests, and their tree.
#[derive(Debug, Clone)]
pub(crate) struct PatternArgument {
    /// What was united; folded.
    pub(crate) chain: Vec<Pattern>,
    /// The union. Variables are numbered by [`Vocabulary::variables`].
    pub(crate) tree: PatternTree,
}

impl PartialEq for PatternArgument {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
    }
}

impl Eq for PatternArgument {}

impl Hash for PatternArgument {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tree.hash(state);
    }
}

/// Names and regexes that tests refer to by number, in the order of their creation.
///
/// Conditions are made from the last to the first inside a rule, rules in source order: along an "or" the regex tested first
/// has the highest number (macOS 15.2 platform profile: tested 1, 0; `spec/blob-format.md` §3; likely).
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub(crate) regexes: IndexSet<Regex>,
    pub(crate) variables: IndexSet<Vec<u8>>,
    pub(crate) states: IndexSet<Vec<u8>>,
}

/// The filters whose strings the macOS compiler stores in lower case: path-like ones and `nvram-variable`
/// (`spec/versions-and-defaults.md` §6; v29 and v32).
const FOLDED: &[u8] = &[1, 2, 39, 45, 90, 91];
/// The filter that stores a place in the state table.
const STATE_FLAG: FilterId = FilterId(85);

/// The pattern as `filter` stores it.
fn folded(target: &Target, filter: FilterId, pattern: &Pattern) -> Pattern {
    if target.folds_case() && FOLDED.contains(&filter.0) { pattern.fold_case() } else { pattern.clone() }
}

impl Vocabulary {
    /// The regexes and names of all rules.
    pub(crate) fn of(policy: &Policy) -> Result<Self, CompileError> {
        let mut vocabulary = Self::default();
        for rule in policy.rules() {
            vocabulary.add(policy.target(), rule)?;
        }
        Ok(vocabulary)
    }

    fn add(&mut self, target: &Target, rule: &Rule) -> Result<(), CompileError> {
        let mut tests = Vec::new();
        if let Some(filter) = &rule.filter {
            filter.for_each_test(&mut |test| tests.push(test));
        }
        for test in tests.into_iter().rev() {
            self.key(target, test)?;
        }
        for modifier in &rule.modifiers {
            match &modifier.value {
                crate::policy::ModifierValue::Rules(filter) => {
                    filter.rules.iter().try_for_each(|rule| self.add(target, rule))?;
                }
                crate::policy::ModifierValue::String(name) if modifier.id.0 == ENABLE_STATE_FLAG => {
                    self.states.insert(name.clone());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// `test` in the form that is stored.
    pub(super) fn key(&mut self, target: &Target, test: &Test) -> Result<TestKey, CompileError> {
        let filter = test.filter;
        let argument = match &test.arg {
            Arg::None => match target.filter(filter).map(|info| info.argument) {
                Some(ArgKind::String) => Argument::String(EXTENSION_CLASS.into()),
                _ => Argument::Integer(0),
            },
            Arg::Bool(value) => Argument::Integer(u16::from(*value)),
            Arg::Integer(value) => Argument::Integer(*value),
            Arg::Integers(values) => match target.filter(filter).map(|info| info.argument) {
                // A bit field is the number itself.
                Some(ArgKind::Bitfield) => Argument::Integer(values.iter().fold(0, |bits, value| bits | value)),
                _ => Argument::Numbers(values.as_slice().into()),
            },
            Arg::String(name) if filter == STATE_FLAG => {
                Argument::State(self.states.insert_full(name.clone()).0 as u16)
            }
            Arg::String(text) => Argument::String(text.as_slice().into()),
            Arg::Network(address) => Argument::Network(*address),
            Arg::Pattern(pattern) => {
                let pattern = folded(target, filter, pattern);
                match patterns::tree(&pattern, &mut self.variables)
                    .map_err(|error| CompileError::Pattern { filter: target.filter_name(filter).into_owned(), error })?
                {
                    Some(tree) => Argument::Pattern(Arc::new(PatternArgument { chain: vec![pattern], tree })),
                    None => match pattern.regex() {
                        Some(regex) => Argument::Regex(self.regexes.insert_full(regex.clone()).0 as u16),
                        // Only regexes can lack a tree.
                        None => Argument::Integer(0),
                    },
                }
            }
        };
        Ok(TestKey { filter, argument })
    }
}
