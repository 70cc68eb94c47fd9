//! The values that SBPL adds to Scheme.

use crate::policy::{Filter, Modifier, Test};
use crate::vocab::{FilterForm, FilterId, ModifierId, OpId};

/// A filter under construction: shared parts are stored once, whatever a program does with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FilterRef(u32);

#[derive(Debug, Clone)]
enum Node {
    Test(Test),
    All(Vec<FilterRef>),
    Any(Vec<FilterRef>),
    Not(FilterRef),
}

#[derive(Debug, Clone)]
struct Entry {
    node: Node,
    depth: usize,
    tests: usize,
}

/// All filters of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Filters {
    entries: Vec<Entry>,
}

impl Filters {
    fn add(&mut self, node: Node, depth: usize, tests: usize) -> FilterRef {
        self.entries.push(Entry { node, depth, tests });
        FilterRef(self.entries.len() as u32 - 1)
    }

    fn entry(&self, filter: FilterRef) -> Option<&Entry> {
        self.entries.get(filter.0 as usize)
    }

    pub(super) fn depth(&self, filter: FilterRef) -> usize {
        self.entry(filter).map_or(0, |entry| entry.depth)
    }

    /// Number of tests when every shared part is counted as often as it occurs.
    pub(super) fn tests(&self, filter: FilterRef) -> usize {
        self.entry(filter).map_or(0, |entry| entry.tests)
    }

    pub(super) fn test(&mut self, test: Test) -> FilterRef {
        self.add(Node::Test(test), 1, 1)
    }

    fn sum(&self, parts: &[FilterRef]) -> (usize, usize) {
        let depth = parts.iter().map(|&part| self.depth(part)).max().unwrap_or(0);
        let tests = parts.iter().fold(0usize, |sum, &part| sum.saturating_add(self.tests(part)));
        (1 + depth, tests)
    }

    /// One part is itself.
    pub(super) fn all(&mut self, parts: Vec<FilterRef>) -> FilterRef {
        if let [one] = parts[..] {
            return one;
        }
        let (depth, tests) = self.sum(&parts);
        self.add(Node::All(parts), depth, tests)
    }

    /// One part is itself.
    pub(super) fn any(&mut self, parts: Vec<FilterRef>) -> FilterRef {
        if let [one] = parts[..] {
            return one;
        }
        let (depth, tests) = self.sum(&parts);
        self.add(Node::Any(parts), depth, tests)
    }

    pub(super) fn not(&mut self, part: FilterRef) -> FilterRef {
        let (depth, tests) = self.sum(&[part]);
        self.add(Node::Not(part), depth, tests)
    }

    /// The finished filter. Recursion is bounded: no filter is made deeper than `Limits::filter_depth`.
    pub(super) fn build(&self, filter: FilterRef) -> Filter {
        let parts = |parts: &[FilterRef]| parts.iter().map(|&part| self.build(part)).collect();
        match self.entry(filter).map(|entry| &entry.node) {
            Some(Node::Test(test)) => Filter::Test(test.clone()),
            Some(Node::All(all)) => Filter::All(parts(all)),
            Some(Node::Any(any)) => Filter::Any(parts(any)),
            Some(Node::Not(inner)) => Filter::Not(Box::new(self.build(*inner))),
            // References are only made by this arena.
            None => Filter::Any(Vec::new()),
        }
    }
}

/// What is inside `(require-entitlement "name" …)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum EntitlementTest {
    /// `(entitlement-value #t)`
    Bool(bool),
    /// `(entitlement-value "x")`
    String(Vec<u8>),
    /// `(entitlement-value-regex "x")`
    Regex(Vec<u8>),
}

/// A value of the host.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    /// An operation; `written` is the obsolete spelling it was found under.
    Operation { id: OpId, written: Option<String> },
    /// An operation that the system dropped: rules on it are ignored.
    RetiredOperation,
    /// A filter.
    Filter(FilterRef),
    /// A modifier's name.
    Modifier(ModifierId),
    /// The name of a modifier that leaves no trace.
    IgnoredModifier,
    /// `(with …)`.
    Applied(Modifier),
    /// `(with …)` of a modifier that leaves no trace.
    AppliedIgnored,
    /// `unix-socket` in `(remote unix-socket …)`.
    UnixSocket,
    /// What `require-entitlement` takes as its second argument.
    Entitlement(EntitlementTest),
}

/// A procedure of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Procedure {
    /// A filter constructor.
    Filter { id: FilterId, form: FilterForm },
    /// A filter without arguments that stands for one of an enumeration.
    Shorthand { filter: &'static str, symbol: &'static str },
    /// A filter without arguments that stands for an extension.
    ExtensionShorthand(&'static str),
    /// Everything else.
    Directive(super::directive::Directive),
}
