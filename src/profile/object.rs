//! The values that SBPL adds to Scheme.

use crate::policy::{Arg, Filter, Modifier, Test};
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
    size: Size,
}

/// What a filter amounts to when every shared part is counted as often as it occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Filters inside each other.
    pub(super) depth: usize,
    /// Tests.
    pub(super) tests: usize,
    /// Memory, about.
    pub(super) bytes: usize,
}

impl Size {
    /// A regex is kept as its tree too, which takes some times its text.
    fn of(test: &Test) -> Self {
        let text = match &test.arg {
            Arg::String(text) => text.len(),
            Arg::Pattern(pattern) if pattern.regex().is_some() => pattern.text().len() * 64,
            Arg::Pattern(pattern) => pattern.text().len(),
            Arg::Integers(numbers) => numbers.len() * 2,
            _ => 0,
        };
        Self { depth: 1, tests: 1, bytes: size_of::<Filter>() + text }
    }
}

/// All filters of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Filters {
    entries: Vec<Entry>,
    new_bytes: usize,
}

impl Filters {
    /// Bytes taken since this was last asked.
    pub(super) fn take_new_bytes(&mut self) -> usize {
        std::mem::take(&mut self.new_bytes)
    }

    fn add(&mut self, node: Node, size: Size) -> FilterRef {
        self.new_bytes += size_of::<Entry>()
            + match &node {
                Node::Test(_) => size.bytes,
                Node::All(parts) | Node::Any(parts) => size_of_val(parts.as_slice()),
                Node::Not(_) => 0,
            };
        self.entries.push(Entry { node, size });
        FilterRef(self.entries.len() as u32 - 1)
    }

    fn entry(&self, filter: FilterRef) -> Option<&Entry> {
        self.entries.get(filter.0 as usize)
    }

    pub(super) fn size(&self, filter: FilterRef) -> Size {
        self.entry(filter).map_or(Size::default(), |entry| entry.size)
    }

    pub(super) fn test(&mut self, test: Test) -> FilterRef {
        let size = Size::of(&test);
        self.add(Node::Test(test), size)
    }

    fn sum(&self, parts: &[FilterRef]) -> Size {
        let start = Size { depth: 0, tests: 0, bytes: size_of::<Filter>() };
        let mut sum = parts.iter().map(|&part| self.size(part)).fold(start, |sum, part| Size {
            depth: sum.depth.max(part.depth),
            tests: sum.tests.saturating_add(part.tests),
            bytes: sum.bytes.saturating_add(part.bytes),
        });
        sum.depth += 1;
        sum
    }

    /// One part is itself.
    pub(super) fn all(&mut self, parts: Vec<FilterRef>) -> FilterRef {
        if let [one] = parts[..] {
            return one;
        }
        let size = self.sum(&parts);
        self.add(Node::All(parts), size)
    }

    /// One part is itself.
    pub(super) fn any(&mut self, parts: Vec<FilterRef>) -> FilterRef {
        if let [one] = parts[..] {
            return one;
        }
        let size = self.sum(&parts);
        self.add(Node::Any(parts), size)
    }

    pub(super) fn not(&mut self, part: FilterRef) -> FilterRef {
        let size = self.sum(&[part]);
        self.add(Node::Not(part), size)
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
