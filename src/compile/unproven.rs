//! Which parts of a profile are encoded by the spec's best reading only.
//!
//! A row stands for a construct whose bytes no recorded 14.4.1 blob settles. Its presence says nothing against a result; its
//! absence says that every rule used is certain or likely (`docs/compiler.md`).

use serde::Serialize;

use super::graph::{Argument, Graph, Node, TestKey};
use super::simplify::order::Scan;
use crate::pattern::code::{Alternative, MAX_LITERAL, PatternTree, Step, end_points};
use crate::pattern::regex::{self, Repeat};
use crate::pattern::{Pattern, PatternKind};
use crate::policy::{Arg, Policy};
use crate::vocab::{Action, ArgKind};

/// A construct whose encoding is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Unproven {
    /// Short stable name.
    pub name: &'static str,
    /// Where the open question is described.
    pub reference: &'static str,
    /// What is not known.
    pub text: &'static str,
}

macro_rules! constructs {
    ($($constant:ident $name:literal $reference:literal $text:literal;)*) => {
        $(const $constant: Unproven = Unproven { name: $name, reference: $reference, text: $text };)*
        /// Every construct, in the order in which they are listed.
        const ALL: &[Unproven] = &[$($constant),*];
    };
}

/// Another system than those of [`super::NATIVE_TARGETS`]; nothing in a policy shows it.
pub(super) const SYSTEM: Unproven = Unproven {
    name: "other-system",
    reference: "docs/compiler.md",
    text: "how the compiler of this system differs from that of 14.4.1, whose rules were used",
};

constructs! {
    UNION_MIXED "union-with-subpath" "docs/pattern-union.md" "order of subpaths, prefixes and regexes in one united pattern";
    UNION_MERGED "union-of-literals" "docs/pattern-union.md" "order of literals of equal length, and the place of an alternative merged from several";
    REGEX_LINE "regex-borderline" "spec/blob-format.md section 13.5" "whether this regex becomes pattern code or stays a regex";
    REGEX_ORDER "regex-order" "spec/blob-format.md section 13.4" "numbers of several regexes";
    LONG "long-string" "spec/blob-format.md section 13.9" "strings of more than 320 bytes";
    SLASH "slash-at-the-end" "spec/blob-format.md section 13.9" "subpaths that end in a slash, empty strings";
    NOT_ASCII "letters-outside-ascii" "spec/blob-format.md section 13.9" "case of letters outside ASCII";
    VARIABLES "variable-order" "spec/blob-format.md section 13.6" "numbers of several pattern variables";
    STATES "state-flags" "spec/blob-format.md section 13.6" "encoding of state flags";
    MODIFIERS "modifier-array" "spec/blob-format.md section 13.10" "order of two modifiers with arguments";
    MESSAGES "message-filter-several" "spec/codegen-rules.md section 7.6" "a message filter on several operations, or on xpc-message-send";
    UNIVERSE "number-mask-universe" "spec/codegen-rules.md section 6.2" "which numbers an allow fallback puts into a mask";
    INFERENCE "system-call-inference" "spec/codegen-rules.md section 9" "system calls that the compiler allows because of other rules";
    VERSION "version-3" "spec/versions-and-defaults.md section 1.2" "what version 3 allows by itself";
    ENTITLEMENT "entitlement-value" "spec/blob-format.md section 6" "tests of an entitlement's value";
    USER_INTENT "user-intent-extension" "spec/blob-format.md section 6" "whether this filter stores a string or a constant";
    EXTENSION "extension-without-class" "spec/sbpl-language.md section 9" "which class (extension) means when it names none";
    COST "cost-guess" "spec/codegen-rules.md section 5.3" "which of two neighbouring tests stands first";
}

/// `user-intent-extension`.
const USER_INTENT_FILTER: u8 = 68;
/// Filters of entitlement values.
const ENTITLEMENT_VALUES: &[u8] = &[30, 31, 32];
/// Neighbours whose order rests on a guess: global and local name, IOKit class and property, signing identifier and
/// entitlement tests.
const GUESSED: &[(u8, u8)] = &[(6, 7), (17, 18), (51, 87), (51, 88), (51, 30), (63, 87), (63, 88), (63, 30)];

/// What of `policy` and its finished `graph` is not settled. `universe`: a mask holds numbers that no rule names.
pub(super) fn list(policy: &Policy, graph: &Graph, universe: bool) -> Vec<Unproven> {
    let mut found = Finder::default();
    let scan = Scan::of(graph);
    for &id in scan.order() {
        match graph.node(id) {
            Node::Test(node) => {
                let key = graph.test(node.test);
                found.test(key);
                for next in [node.matched, node.unmatched] {
                    let Some(next) = graph.test_node(next) else { continue };
                    let pair = (key.filter.0, graph.test(next.test).filter.0);
                    found.set(COST, GUESSED.contains(&pair) || GUESSED.contains(&(pair.1, pair.0)));
                }
            }
            Node::Terminal(terminal) => {
                let terminal = graph.terminals.get(terminal);
                found.set(MODIFIERS, terminal.modifiers.len() > 1);
                found.set(STATES, terminal.modifiers.iter().any(|(id, _)| id.0 == super::ENABLE_STATE_FLAG));
            }
        }
    }
    found.set(REGEX_ORDER, found.regexes.len() > 1);
    found.set(VARIABLES, graph.vocabulary.variables.len() > 1);
    found.messages(policy, graph);
    found.set(UNIVERSE, universe);
    let mut tests = Vec::new();
    policy
        .rules()
        .iter()
        .filter_map(|rule| rule.filter.as_ref())
        .for_each(|filter| filter.for_each_test(&mut |test| tests.push(test)));
    let takes_string = |filter| policy.target().filter(filter).is_some_and(|info| info.argument == ArgKind::String);
    found.set(EXTENSION, tests.iter().any(|test| test.arg == Arg::None && takes_string(test.filter)));
    found.set(VERSION, policy.version() > 2);
    let write = policy.target().operation_named("file-write*");
    let infers = policy.version() > 1 && write.is_some_and(|write| policy.can_return(write, Action::Allow));
    found.set(INFERENCE, infers);
    for key in &found.regexes {
        if let Some(regex) = graph.vocabulary.regexes.get_index(usize::from(*key)) {
            let anchored = regex_starts(regex.node());
            found.names.extend(anchored.then_some(REGEX_LINE));
        }
    }
    ALL.iter().copied().filter(|construct| found.names.contains(construct)).collect()
}

fn regex_starts(node: &regex::Node) -> bool {
    match node {
        regex::Node::Start => true,
        regex::Node::Concat(parts) => parts.first() == Some(&regex::Node::Start),
        _ => false,
    }
}

#[derive(Default)]
struct Finder {
    names: std::collections::BTreeSet<Unproven>,
    regexes: std::collections::BTreeSet<u16>,
}

impl Finder {
    fn set(&mut self, construct: Unproven, present: bool) {
        if present {
            self.names.insert(construct);
        }
    }

    fn messages(&mut self, policy: &Policy, graph: &Graph) {
        for program in graph.filter_programs.iter().filter(|program| !graph.is_plain_allow(program.root)) {
            let several = graph.filter_programs.iter().filter(|other| other.filter == program.filter).count() > 1;
            let name = policy.target().operation(program.operation).name;
            self.set(MESSAGES, several || name == "xpc-message-send");
        }
    }

    fn test(&mut self, key: &TestKey) {
        self.set(ENTITLEMENT, ENTITLEMENT_VALUES.contains(&key.filter.0));
        self.set(USER_INTENT, key.filter.0 == USER_INTENT_FILTER);
        match &key.argument {
            Argument::State(_) => self.set(STATES, true),
            Argument::Regex(number) => {
                self.regexes.insert(*number);
            }
            Argument::Pattern(pattern) => {
                for single in &pattern.chain {
                    self.pattern(single);
                }
                if let [_, _, ..] = pattern.chain.as_slice() {
                    let literal = |single: &Pattern| single.kind() == PatternKind::Literal;
                    let literals = pattern.chain.iter().all(literal);
                    self.set(UNION_MIXED, !literals);
                    self.set(UNION_MERGED, literals && has_tie(pattern.tree.alternatives()));
                }
                self.set(LONG, has_long_literal(&pattern.tree));
            }
            _ => {}
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        let text = pattern.text();
        let slash = pattern.kind() == PatternKind::Subpath && text.ends_with(b"/");
        self.set(SLASH, slash || text.is_empty());
        self.set(NOT_ASCII, !text.is_ascii());
        if let Some(regex) = pattern.regex() {
            self.set(REGEX_LINE, is_borderline(regex.node(), true));
        }
    }
}

/// More than bytes, `.`, classes, and one group at the end. `last`: nothing follows the node.
fn is_borderline(node: &regex::Node, last: bool) -> bool {
    match node {
        regex::Node::Concat(parts) => {
            parts.iter().enumerate().any(|(at, part)| is_borderline(part, last && at + 1 == parts.len()))
        }
        regex::Node::Alternate(parts) => !last || parts.iter().any(|part| is_borderline(part, last)),
        regex::Node::Repeat(body, Repeat::Optional) => !last || is_borderline(body, last),
        regex::Node::Repeat(..) => true,
        _ => false,
    }
}

/// Siblings of equal length, or one that has several ends beside others.
fn has_tie(list: &[Alternative]) -> bool {
    let length = |alternative: &Alternative| match alternative {
        Alternative::Then(Step::Literal(text), _) => text.len(),
        _ => 0,
    };
    let merged = |alternative: &Alternative| end_points(std::slice::from_ref(alternative)) > 1;
    let tie = list.len() > 1
        && (list.iter().any(merged) || list.windows(2).any(|pair| matches!(pair, [a, b] if length(a) == length(b))));
    tie || list.iter().any(|alternative| match alternative {
        Alternative::Then(_, children) => has_tie(children),
        Alternative::Choice(groups) => groups.iter().any(|group| has_tie(group)),
        _ => false,
    })
}

fn has_long_literal(tree: &PatternTree) -> bool {
    fn long(list: &[Alternative]) -> bool {
        list.iter().any(|alternative| match alternative {
            Alternative::Then(step, children) => {
                matches!(step, Step::Literal(text) if text.len() > MAX_LITERAL) || long(children)
            }
            Alternative::Choice(groups) => groups.iter().any(|group| long(group)),
            _ => false,
        })
    }
    long(tree.alternatives())
}
