//! From the graph to the program that `blob` writes (`spec/codegen-rules.md` §8, §7.2 to 7.4).
//!
//! Order and numbering of nodes and records are the writer's; here terminals get their message filters, tests their stored
//! arguments, and the tables their numbers.
//!
//! - [certain] A message filter's program that is a plain allow gives no modifier.
//! - [certain] Type bits: 0x4000 for any message filter, and 0x1000 when one filters `mach-message-send`
//!   (`gate_v1_mach_bootstrap_*`; the IOKit cases are 0x4000).
//! - [likely] The regex and state tables hold what is used, in the order of creation; variable names lie the other way round.

use std::collections::{BTreeSet, HashMap};

use super::graph::{Argument, FilterProgram, Graph, MESSAGE_FILTER, ModifierValue, Node, NodeId, Terminal as Answer};
use super::simplify::order::Scan;
use super::{CompileError, ENABLE_STATE_FLAG, patterns};
use crate::blob::{self, Bitmask, Generation, Network, Program, Roots};
use crate::pattern::code::{Alternative, PatternTree, Step};
use crate::policy::Host;
use crate::vocab::Target;

/// Type bit: a message filter filters `mach-message-send`.
const TYPE_MACH_MESSAGE: u16 = 0x1000;
const MACH_MESSAGE_SEND: &str = "mach-message-send";

/// The program of `graph`.
pub(super) fn program(graph: &Graph, target: &Target, generation: Generation) -> Result<Program, CompileError> {
    let mut writer = Writer {
        graph,
        target,
        program: Program::new(generation),
        nodes: HashMap::new(),
        used: Used::of(graph),
        strings: HashMap::new(),
        patterns: HashMap::new(),
    };
    writer.tables();
    let order = Scan::of(graph);
    let mut filtered = Vec::new();
    // Children first, so that every edge has its end.
    for &id in order.order().iter().rev() {
        let new = match graph.node(id) {
            Node::Test(node) => {
                let argument = writer.argument(node.test)?;
                let filter = graph.test(node.test).filter.0;
                let (matched, unmatched) = (writer.new_id(node.matched), writer.new_id(node.unmatched));
                writer.program.add_test(filter, argument, matched, unmatched)
            }
            Node::Terminal(terminal) => {
                let answer = graph.terminals.get(terminal);
                let new = writer.program.add_terminal(blob::Terminal { flags: answer.flags, modifiers: Vec::new() });
                filtered.push((new, answer));
                new
            }
        };
        writer.nodes.insert(id, new);
    }
    // Message filters lead to nodes, which exist now.
    for (id, answer) in filtered {
        let modifiers = writer.modifiers(answer);
        if let Some(blob::ProgramNode::Terminal(terminal)) = writer.program.nodes.get(id.index())
            && let Some(terminal) = writer.program.terminals.get_mut(terminal.index())
        {
            terminal.modifiers = modifiers;
        }
    }
    let roots = graph.operations.iter().map(|&root| writer.new_id(root)).collect();
    writer.program.roots = Roots::Single(roots);
    Ok(writer.program)
}

/// What of the tables is used, by the numbers of [`super::graph::Vocabulary`].
#[derive(Default)]
struct Used {
    regexes: BTreeSet<u16>,
    variables: BTreeSet<u16>,
    states: BTreeSet<u16>,
}

impl Used {
    fn of(graph: &Graph) -> Self {
        let mut used = Self::default();
        for &id in Scan::of(graph).order() {
            match graph.node(id) {
                Node::Test(node) => match &graph.test(node.test).argument {
                    Argument::Regex(number) => {
                        used.regexes.insert(*number);
                    }
                    Argument::State(number) => {
                        used.states.insert(*number);
                    }
                    Argument::Pattern(pattern) => used.variables_in(pattern.tree.alternatives()),
                    _ => {}
                },
                Node::Terminal(terminal) => {
                    for (modifier, value) in &graph.terminals.get(terminal).modifiers {
                        if let (ENABLE_STATE_FLAG, ModifierValue::String(name)) = (modifier.0, value)
                            && let Some(number) = graph.vocabulary.states.get_index_of(name)
                        {
                            used.states.insert(number as u16);
                        }
                    }
                }
            }
        }
        used
    }

    /// Trees nest at most [`crate::pattern::code::MAX_DEPTH`] deep.
    fn variables_in(&mut self, list: &[Alternative]) {
        for alternative in list {
            match alternative {
                Alternative::Then(step, children) => {
                    if let Step::Variable(number) = step {
                        self.variables.insert(*number);
                    }
                    self.variables_in(children);
                }
                Alternative::Choice(groups) => groups.iter().for_each(|group| self.variables_in(group)),
                Alternative::End | Alternative::All => {}
            }
        }
    }
}

/// The stored number of what was `number`th in the vocabulary.
fn rank(used: &BTreeSet<u16>, number: u16) -> u16 {
    used.range(..number).count() as u16
}

struct Writer<'g> {
    graph: &'g Graph,
    target: &'g Target,
    program: Program,
    nodes: HashMap<NodeId, blob::NodeId>,
    used: Used,
    strings: HashMap<Vec<u8>, blob::StringId>,
    patterns: HashMap<PatternTree, blob::PatternId>,
}

impl Writer<'_> {
    fn new_id(&self, id: NodeId) -> blob::NodeId {
        // Children are written before their parents; an id that is missing is reported by the encoder as dangling.
        self.nodes.get(&id).copied().unwrap_or(blob::NodeId(u32::MAX))
    }

    fn tables(&mut self) {
        let vocabulary = &self.graph.vocabulary;
        for regex in self.used.regexes.iter().filter_map(|&number| vocabulary.regexes.get_index(usize::from(number))) {
            self.program.add_regex(regex.clone());
        }
        let names = |used: &BTreeSet<u16>, all: &indexmap::IndexSet<Vec<u8>>| -> Vec<Vec<u8>> {
            used.iter().filter_map(|&number| all.get_index(usize::from(number)).cloned()).collect()
        };
        // Reverse of first registration: the last variable is number 0.
        self.program.variables.names = names(&self.used.variables, &vocabulary.variables);
        self.program.variables.names.reverse();
        self.program.states.names = names(&self.used.states, &vocabulary.states);
    }

    fn string(&mut self, text: &[u8]) -> blob::StringId {
        match self.strings.get(text) {
            Some(&id) => id,
            None => {
                let id = self.program.add_string(text);
                self.strings.insert(text.to_vec(), id);
                id
            }
        }
    }

    fn argument(&mut self, test: super::graph::TestId) -> Result<blob::Argument, CompileError> {
        let key = self.graph.test(test);
        Ok(match &key.argument {
            Argument::Integer(value) => blob::Argument::Integer(*value),
            Argument::Numbers(values) => {
                let bitmask = Bitmask::from_numbers(values.iter().copied());
                blob::Argument::Bitmask(self.program.add_bitmask(bitmask))
            }
            Argument::String(text) => blob::Argument::String(self.string(text)),
            Argument::State(number) => blob::Argument::State(rank(&self.used.states, *number)),
            Argument::Network(address) => blob::Argument::Network(Network {
                protocols: address.protocol,
                host: match address.host {
                    Host::Any => 0,
                    Host::Localhost => 1,
                },
                port: address.port.unwrap_or(0),
            }),
            Argument::Regex(number) => blob::Argument::Regex(blob::RegexId(rank(&self.used.regexes, *number).into())),
            Argument::Pattern(pattern) => {
                let count = self.used.variables.len();
                let renumber = |number: u16| {
                    count.saturating_sub(1).saturating_sub(rank(&self.used.variables, number).into()) as u16
                };
                let tree = if count == 0 {
                    pattern.tree.clone()
                } else {
                    patterns::renumbered(&pattern.tree, &renumber).map_err(|error| CompileError::Pattern {
                        filter: self.target.filter_name(key.filter).into_owned(),
                        error,
                    })?
                };
                let id = match self.patterns.get(&tree) {
                    Some(&id) => id,
                    None => {
                        let id = self.program.add_pattern(tree.clone());
                        self.patterns.insert(tree, id);
                        id
                    }
                };
                blob::Argument::Pattern(id)
            }
        })
    }

    fn modifiers(&mut self, answer: &Answer) -> Vec<blob::Modifier> {
        let mut out = Vec::new();
        for (id, value) in &answer.modifiers {
            let plain = |argument| blob::Modifier { id: id.0, operation: 0, argument };
            match value {
                ModifierValue::Integer(number) => out.push(plain(blob::ModifierArgument::Integer(*number))),
                ModifierValue::String(name) if id.0 == ENABLE_STATE_FLAG => {
                    let number = self.graph.vocabulary.states.get_index_of(name).unwrap_or(0) as u16;
                    out.push(plain(blob::ModifierArgument::State(rank(&self.used.states, number))));
                }
                ModifierValue::String(text) => {
                    let string = self.string(text);
                    out.push(plain(blob::ModifierArgument::String(string)));
                }
                ModifierValue::Filter(number) => self.message_filter(*number, &mut out),
            }
        }
        out
    }

    fn message_filter(&mut self, number: usize, out: &mut Vec<blob::Modifier>) {
        let programs = self.graph.filter_programs.iter().filter(|program| program.filter == number);
        for &FilterProgram { operation, root, .. } in programs {
            if self.graph.is_plain_allow(root) {
                continue;
            }
            let policy = self.program.add_policy(self.new_id(root));
            self.program.type_bits |= blob::TYPE_MESSAGE_FILTER;
            if self.target.operation(operation).name == MACH_MESSAGE_SEND {
                self.program.type_bits |= TYPE_MACH_MESSAGE;
            }
            out.push(blob::Modifier {
                id: MESSAGE_FILTER.0,
                operation: operation.0,
                argument: blob::ModifierArgument::Policy(policy),
            });
        }
    }
}
