//! From a test node to a filter, and from a terminal to an action with modifiers.

use std::cell::RefCell;

use indexmap::IndexSet;
use rustc_hash::FxHashMap;

use super::Stop;
use super::flow::Step;
use crate::blob::{Argument, ModifierArgument, NodeId, PatternId, Program, ProgramNode, Terminal, TerminalId};
use crate::compile::patterns::renumbered;
use crate::pattern::code::{Alternative, PatternTree, Step as PatternStep};
use crate::pattern::regex::{Node, Regex};
use crate::pattern::{Pattern, PatternKind, Piece, build, pieces, union};
use crate::policy::{Arg, Filter, Host, Modifier, ModifierValue, NetworkAddress, Test};
use crate::vocab::{Action, ArgKind, FilterId, ModifierArg, ModifierId, Target};

/// Flag: deny.
const FLAG_DENY: u32 = 1;
/// Flag: report, set on denials by default.
const FLAG_REPORT: u32 = 4;

/// What the nodes of one program mean in one target's words.
pub(super) struct Leaves<'p> {
    program: &'p Program,
    target: &'static Target,
    /// The filters of the tests that were asked about: one test stands at many nodes.
    filters: RefCell<FxHashMap<(u8, Argument), Result<Filter, Stop>>>,
}

/// An answer in the words of a rule. Message filters are left to the caller, who knows their programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) action: Action,
    pub(super) modifiers: Vec<Modifier>,
    /// Operation and root of each message-filter program.
    pub(super) filters: Vec<(u8, NodeId)>,
    /// Bits that no modifier explains.
    pub(super) unknown: u32,
}

impl<'p> Leaves<'p> {
    pub(super) fn new(program: &'p Program, target: &'static Target) -> Self {
        Self { program, target, filters: RefCell::default() }
    }

    /// Whether the order matters in which `filter` is asked: it loads something (`%entitlement-load`) or looks at what was loaded last.
    pub(super) fn hangs_on_order(&self, filter: &Filter) -> bool {
        let mut found = false;
        filter.for_each_test(&mut |test| {
            let looks = self.target.filter(test.filter).is_some_and(|info| info.requires.is_some());
            found |= looks || self.target.filters().iter().any(|info| info.requires == Some(test.filter));
        });
        found
    }

    /// The terminal at `id`.
    pub(super) fn terminal(&self, id: NodeId) -> Option<(TerminalId, &'p Terminal)> {
        match *self.program.node(id)? {
            ProgramNode::Terminal(terminal) => Some((terminal, self.program.terminal(terminal)?)),
            ProgramNode::Test { .. } => None,
        }
    }

    /// The filter of a test. A united pattern is given as the strings that were united.
    pub(super) fn filter(&self, step: &Step) -> Result<Filter, Stop> {
        let test = (step.filter, step.argument);
        self.filters.borrow_mut().entry(test).or_insert_with(|| self.read(step)).clone()
    }

    fn read(&self, step: &Step) -> Result<Filter, Stop> {
        let filter = FilterId(step.filter);
        let info = self.target.filter(filter).ok_or(Stop::UnknownFilter(step.filter))?;
        let one = |arg: Arg| Ok(Filter::Test(Test { filter, arg }));
        match step.argument {
            Argument::Integer(value) => one(match info.argument {
                ArgKind::Bool if info.name == "%entitlement-boolean" => Arg::Bool(value != 0),
                ArgKind::Bool => Arg::None,
                _ => Arg::Integer(value),
            }),
            Argument::Bitmask(id) => {
                let mask = self.program.bitmasks.get(id.index()).ok_or(Stop::Dangling)?;
                let numbers: Vec<u16> = mask.numbers().filter_map(|number| u16::try_from(number).ok()).collect();
                if info.argument == ArgKind::Bitmask {
                    return one(Arg::Integers(numbers));
                }
                any(numbers.into_iter().map(|number| Test { filter, arg: Arg::Integer(number) }))
            }
            Argument::String(id) => {
                one(Arg::String(self.program.strings.get(id.index()).ok_or(Stop::Dangling)?.clone()))
            }
            Argument::State(number) => {
                let name = self.program.states.names.get(usize::from(number)).ok_or(Stop::Dangling)?;
                one(Arg::String(name.clone()))
            }
            Argument::ProfileFlag(number) => {
                let name = self.program.flags_b.names.get(usize::from(number)).ok_or(Stop::Dangling)?;
                one(Arg::String(name.clone()))
            }
            Argument::Network(address) => one(Arg::Network(NetworkAddress {
                protocol: address.protocols,
                host: if address.host == 0 { Host::Any } else { Host::Localhost },
                port: (address.port != 0).then_some(address.port),
            })),
            Argument::Regex(id) => {
                let regex = self.program.regexes.get(id.index()).ok_or(Stop::Dangling)?;
                one(Arg::Pattern(Pattern::from_regex(regex.clone())))
            }
            Argument::Pattern(id) => {
                let patterns = self.patterns(id, info.argument)?;
                any(patterns.into_iter().map(|pattern| Test { filter, arg: Arg::Pattern(pattern) }))
            }
        }
    }

    /// The strings of a pattern record as a filter that takes `kind` can say them, in an order whose union is this record if one is found.
    fn patterns(&self, id: PatternId, kind: ArgKind) -> Result<Vec<Pattern>, Stop> {
        let tree = self.program.patterns.get(id.index()).ok_or(Stop::Dangling)?;
        let names = &self.program.variables.names;
        let mut listed = tree.to_patterns(names).map_err(|_| Stop::Dangling)?;
        // In the strings of these filters `${NAME}` is a variable.
        if kind.is_pattern() {
            listed = listed.into_iter().map(quoted).collect::<Result<_, _>>()?;
        }
        // The others have no name for a subpath.
        if kind != ArgKind::PatternSubpath {
            listed = listed.into_iter().map(without_subpath).collect::<Result<_, _>>()?;
        }
        let stored = tree;
        let tree = &as_registered(stored, names)?;
        if listed.len() < 2 && unites_to(&listed, tree, names) {
            return Ok(listed);
        }
        let backwards: Vec<Pattern> = listed.iter().rev().cloned().collect();
        let mut orders = [&listed, &backwards];
        orders.sort_by_key(|order| !registers_as(order, names));
        if let Some(order) = orders.into_iter().find(|order| unites_to(order, tree, names)) {
            return Ok(order.clone());
        }
        // Branches of one regex keep their order, so a record in an order that no list of strings gives is one regex.
        match as_regex(stored, names) {
            Some(regex) if unites_to(std::slice::from_ref(&regex), tree, names) => Ok(vec![regex]),
            _ => Ok(listed),
        }
    }
}

fn any(tests: impl Iterator<Item = Test>) -> Result<Filter, Stop> {
    let mut filters: Vec<Filter> = tests.map(Filter::Test).collect();
    match filters.len() {
        0 => Err(Stop::Dangling),
        1 => filters.pop().ok_or(Stop::Dangling),
        _ => Ok(Filter::Any(filters)),
    }
}

/// A string that holds `${NAME}` as bytes, of a profile without pattern variables, as an anchored regex, where they can be
/// quoted. It compiles to the same record.
fn quoted(pattern: Pattern) -> Result<Pattern, Stop> {
    let misread = || pieces(pattern.text(), true).iter().any(|piece| matches!(piece, Piece::Variable(_)));
    if pattern.regex().is_some() || pattern.has_variables() || !misread() {
        return Ok(pattern);
    }
    anchored(&pattern, false)
}

/// A subpath as the anchored regex that it is compiled like.
fn without_subpath(pattern: Pattern) -> Result<Pattern, Stop> {
    if pattern.kind() == PatternKind::Subpath { anchored(&pattern, pattern.has_variables()) } else { Ok(pattern) }
}

/// A string, in which `${NAME}` is a variable or not, as an anchored regex.
fn anchored(pattern: &Pattern, variables: bool) -> Result<Pattern, Stop> {
    let body = pieces(pattern.text(), variables).into_iter().flat_map(|piece| match piece {
        Piece::Bytes(bytes) => bytes.iter().map(|byte| Node::Byte(*byte)).collect(),
        Piece::Variable(name) => vec![Node::Variable(name.to_vec())],
    });
    let parts = std::iter::once(Node::Start).chain(body).chain([pattern.kind().regex_end()]);
    let regex = Regex::new(Node::concat(parts.collect())).map_err(|_| Stop::TooComplex)?;
    Ok(Pattern::from_regex(regex))
}

/// The number of a variable while its record was united: by first registration, of which the stored numbers are the reverse.
fn registered(name: &[u8], names: &[Vec<u8>]) -> Option<u16> {
    u16::try_from(names.iter().rev().position(|known| known == name)?).ok()
}

/// The tree with [`registered`] numbers, by which unions are ordered.
fn as_registered(tree: &PatternTree, names: &[Vec<u8>]) -> Result<PatternTree, Stop> {
    if names.is_empty() {
        return Ok(tree.clone());
    }
    let number = |stored: u16| names.get(usize::from(stored)).and_then(|name| registered(name, names));
    renumbered(tree, &|stored| number(stored).unwrap_or(u16::MAX)).map_err(|_| Stop::Dangling)
}

/// Whether a compiler registers the variables of `patterns` as `names` tell; the filters of a rule are met from the last to the first.
fn registers_as(patterns: &[Pattern], names: &[Vec<u8>]) -> bool {
    let mut met = IndexSet::new();
    for pattern in patterns.iter().rev() {
        // What cannot be compiled registers nothing more.
        let _ = build::compile(pattern, &mut |name| {
            met.insert(name.to_vec());
            0
        });
    }
    met.iter().map(|name| registered(name, names)).is_sorted()
}

fn unites_to(patterns: &[Pattern], tree: &PatternTree, names: &[Vec<u8>]) -> bool {
    let mut number = |name: &[u8]| registered(name, names).unwrap_or(u16::MAX);
    match patterns {
        [only] => matches!(build::compile(only, &mut number), Ok(build::Compiled::Tree(found)) if found == *tree),
        several => union::unite(several, &mut number).is_ok_and(|found| found == *tree),
    }
}

/// The whole tree as one anchored regex; `None` when it holds steps that need more than bytes.
fn as_regex(tree: &PatternTree, names: &[Vec<u8>]) -> Option<Pattern> {
    let body = nodes(tree.alternatives(), names)?;
    let regex = Regex::new(Node::concat(vec![Node::Start, body])).ok()?;
    Some(Pattern::from_regex(regex))
}

/// Trees nest at most [`crate::pattern::code::MAX_DEPTH`] deep.
fn nodes(list: &[Alternative], names: &[Vec<u8>]) -> Option<Node> {
    let branches = list.iter().map(|alternative| match alternative {
        Alternative::End => Some(Node::End),
        Alternative::All => Some(Node::Empty),
        Alternative::Then(PatternStep::Literal(bytes), rest) => {
            let mut parts: Vec<Node> = bytes.iter().map(|byte| Node::Byte(*byte)).collect();
            parts.push(nodes(rest, names)?);
            Some(Node::concat(parts))
        }
        Alternative::Then(PatternStep::Variable(number), rest) => {
            let name = names.get(usize::from(*number))?.clone();
            Some(Node::concat(vec![Node::Variable(name), nodes(rest, names)?]))
        }
        Alternative::Then(..) | Alternative::Choice(_) => None,
    });
    branches.collect::<Option<Vec<_>>>().map(Node::alternate)
}

impl Leaves<'_> {
    /// The action and modifiers of a terminal.
    pub(super) fn answer(&self, terminal: &Terminal) -> Answer {
        let deny = terminal.flags & FLAG_DENY != 0;
        let action = if deny { Action::Deny } else { Action::Allow };
        let mut left = terminal.flags & !FLAG_DENY;
        let mut modifiers = Vec::new();
        let mut flag = |name: &str| {
            let id = self.target.modifier_named(name).map(|info| info.id);
            modifiers.extend(id.map(|id| Modifier { id, value: ModifierValue::Flag }));
        };
        match (deny, left & FLAG_REPORT != 0) {
            (true, false) => flag("no-report"),
            (false, true) => flag("report"),
            _ => {}
        }
        left &= !FLAG_REPORT;
        // Widest first: telemetry-backtrace is telemetry and a bit of its own.
        let mut known: Vec<_> =
            self.target.modifiers().iter().filter(|info| info.argument == ModifierArg::None).collect();
        known.sort_by_key(|info| std::cmp::Reverse(info.flag_mask.count_ones()));
        for info in known {
            let value = info.flag_value & !FLAG_REPORT;
            if value != 0 && left & info.flag_mask == value {
                modifiers.push(Modifier { id: info.id, value: ModifierValue::Flag });
                left &= !info.flag_mask;
            }
        }
        let mut filters = Vec::new();
        for modifier in &terminal.modifiers {
            let value = match modifier.argument {
                ModifierArgument::Integer(number) => ModifierValue::Integer(number),
                ModifierArgument::String(id) => {
                    ModifierValue::String(self.program.strings.get(id.index()).cloned().unwrap_or_default())
                }
                ModifierArgument::State(number) => {
                    let name = self.program.states.names.get(usize::from(number));
                    ModifierValue::String(name.cloned().unwrap_or_default())
                }
                ModifierArgument::Message(number) => {
                    let text = self.program.messages.get(usize::from(number));
                    ModifierValue::String(text.cloned().unwrap_or_default())
                }
                ModifierArgument::Policy(policy) => {
                    let root = self.program.policies.get(policy.index());
                    filters.extend(root.map(|&root| (modifier.operation, root)));
                    continue;
                }
            };
            modifiers.push(Modifier { id: ModifierId(modifier.id), value });
        }
        modifiers.sort_by_key(|modifier| modifier.id);
        Answer { action, modifiers, filters, unknown: left }
    }
}
