//! The graph behind a blob, as values: what the compiler hands to the writer and what reading gives back.

use super::{EncodeError, Generation};
use crate::pattern::Regex;
use crate::pattern::code::PatternTree;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in its list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A node of [`Program::nodes`].
    NodeId;
    /// A terminal of [`Program::terminals`].
    TerminalId;
    /// A string of [`Program::strings`].
    StringId;
    /// A pattern of [`Program::patterns`].
    PatternId;
    /// A bit set of [`Program::bitmasks`].
    BitmaskId;
    /// A regex of [`Program::regexes`]; the number that nodes store.
    RegexId;
    /// A message-filter program of [`Program::policies`].
    PolicyId;
}

/// A node of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgramNode {
    /// A comparison with two ways on.
    Test {
        /// Filter id, 1 to 127.
        filter: u8,
        /// What it compares with.
        argument: Argument,
        /// Next when it matches.
        matched: NodeId,
        /// Next when it does not.
        unmatched: NodeId,
    },
    /// An answer.
    Terminal(TerminalId),
}

/// A test's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Argument {
    /// A number, symbol, bit field or boolean (0, 1, or 0 for filters without argument).
    Integer(u16),
    /// A pattern record.
    Pattern(PatternId),
    /// A regex of the regex table; sets the alternative bit.
    Regex(RegexId),
    /// A string record.
    String(StringId),
    /// A network record.
    Network(Network),
    /// A bit set record; sets the alternative bit except for 10.15's `syscall-mask`.
    Bitmask(BitmaskId),
    /// An index into [`Program::states`].
    State(u16),
    /// An index into the second table of profile flags.
    ProfileFlag(u16),
}

/// A network address record (`spec/blob-format.md` section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// Bits: 1 IPv4, 2 IPv6, 4 TCP, 8 UDP.
    pub protocols: u8,
    /// 0 any host, 1 localhost.
    pub host: u8,
    /// Port, 0 any.
    pub port: u16,
}

/// A set of numbers (`spec/blob-format.md` section 9.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bitmask {
    /// Number of bits; a multiple of 8 except on 10.15.
    pub bits: u16,
    /// Bit *v* is bit *v*%8 of byte *v*/8.
    pub bytes: Vec<u8>,
}

impl Bitmask {
    /// The set of `numbers` as 14 and later store it: trailing zero bytes cut, one byte at least.
    pub fn from_numbers(numbers: impl IntoIterator<Item = u16>) -> Self {
        let mut bytes = vec![0_u8];
        for number in numbers {
            let at = usize::from(number / 8);
            if at >= bytes.len() {
                bytes.resize(at + 1, 0);
            }
            if let Some(byte) = bytes.get_mut(at) {
                *byte |= 1 << (number % 8);
            }
        }
        // 65535 is the largest number, so there are at most 8192 bytes.
        let bits = u16::try_from(bytes.len() * 8).unwrap_or(u16::MAX);
        Self { bits, bytes }
    }

    /// The numbers in the set, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..)
            .zip(&self.bytes)
            .flat_map(|(at, &byte)| (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| at * 8 + bit))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Terminal {
    /// 1 deny, 2 grant, 4 report … (`spec/blob-format.md` section 5.2); the bit for an inline modifier is the writer's.
    pub flags: u32,
    /// Modifiers with an argument, in stored order.
    pub modifiers: Vec<Modifier>,
}

/// A modifier with an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Modifier {
    /// Its id in the generation's own numbering.
    pub id: u8,
    /// The filtered operation of a message filter, else 0.
    pub operation: u8,
    /// Its argument.
    pub argument: ModifierArgument,
}

/// A modifier's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModifierArgument {
    /// A number.
    Integer(u16),
    /// A string record.
    String(StringId),
    /// An index into [`Program::states`].
    State(u16),
    /// A message-filter program.
    Policy(PolicyId),
    /// An index into [`Program::messages`] (10.15).
    Message(u8),
}

/// Names that a table refers to by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameTable {
    /// The names, without final NUL, by index.
    pub names: Vec<Vec<u8>>,
    /// The order in which the records lie in the pool, as indexes into `names`; empty means `0..names.len()`.
    pub order: Vec<u16>,
}

/// What the blob answers for each operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// One profile: the root of each operation.
    Single(Vec<NodeId>),
    /// Named profiles that share the nodes.
    Collection {
        /// The profiles in record order.
        profiles: Vec<Profile>,
        /// The order in which the nodes of the profiles were numbered, as indexes into `profiles`; empty means record
        /// order. It differs on 26, where a base profile is numbered among the others by name but recorded first.
        numbering: Vec<u16>,
    },
}

/// One profile of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, without final NUL.
    pub name: Vec<u8>,
    /// Its own type bits.
    pub type_bits: u16,
    /// The name of its base profile (15 and later).
    pub base: Option<Vec<u8>>,
    /// Which profile flags it has, over the second flag table (15 and later).
    pub flags: Option<BitmaskId>,
    /// The root of each operation.
    pub roots: Vec<NodeId>,
}

/// The graph behind a blob.
///
/// Ids index the lists. Equal strings, patterns and regexes may be listed more than once: the writer stores them once.
/// Nodes that no root reaches are not written.
///
/// `P` and `R` are what patterns and regexes are held as: trees and expressions, or the code where it lies
/// ([`LinkedProgram`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program<P = PatternTree, R = Regex> {
    /// The format to write.
    pub generation: Generation,
    /// Type bits without [`super::TYPE_COLLECTION`].
    pub type_bits: u16,
    /// Entries of an op table.
    pub op_count: u8,
    /// The roots.
    pub roots: Roots,
    /// All nodes.
    pub nodes: Vec<ProgramNode>,
    /// All terminals.
    pub terminals: Vec<Terminal>,
    /// Strings of filters and modifiers, without final NUL.
    pub strings: Vec<Vec<u8>>,
    /// Patterns.
    pub patterns: Vec<P>,
    /// Regexes by the number that nodes store.
    pub regexes: Vec<R>,
    /// Bit sets.
    pub bitmasks: Vec<Bitmask>,
    /// Roots of the message-filter programs.
    pub policies: Vec<NodeId>,
    /// Variables of patterns.
    pub variables: NameTable,
    /// State flags.
    pub states: NameTable,
    /// The first table of profile flags (15 and later).
    pub flags_a: NameTable,
    /// The second table of profile flags (15 and later).
    pub flags_b: NameTable,
    /// Messages by number (10.15).
    pub messages: Vec<Vec<u8>>,
}

/// A program whose patterns and regexes are the contents of their records: pattern code, and regex code with its head.
pub type LinkedProgram<'a> = Program<&'a [u8], &'a [u8]>;

fn push<T>(list: &mut Vec<T>, value: T) -> u32 {
    // The lists hold at most what the writer's limits allow; ids beyond are caught there as dangling.
    let id = u32::try_from(list.len()).unwrap_or(u32::MAX);
    list.push(value);
    id
}

impl<P, R> Program<P, R> {
    /// A program of one profile without roots.
    pub fn new(generation: Generation) -> Self {
        Self {
            generation,
            type_bits: 0,
            op_count: generation.op_count(),
            roots: Roots::Single(Vec::new()),
            nodes: Vec::new(),
            terminals: Vec::new(),
            strings: Vec::new(),
            patterns: Vec::new(),
            regexes: Vec::new(),
            bitmasks: Vec::new(),
            policies: Vec::new(),
            variables: NameTable::default(),
            states: NameTable::default(),
            flags_a: NameTable::default(),
            flags_b: NameTable::default(),
            messages: Vec::new(),
        }
    }

    /// Adds a test node. Nothing is looked up: equal nodes that shall be one are the caller's business.
    pub fn add_test(&mut self, filter: u8, argument: Argument, matched: NodeId, unmatched: NodeId) -> NodeId {
        NodeId(push(&mut self.nodes, ProgramNode::Test { filter, argument, matched, unmatched }))
    }

    /// Adds a terminal node.
    pub fn add_terminal(&mut self, terminal: Terminal) -> NodeId {
        let id = TerminalId(push(&mut self.terminals, terminal));
        NodeId(push(&mut self.nodes, ProgramNode::Terminal(id)))
    }

    /// Adds a string (without final NUL).
    pub fn add_string(&mut self, string: impl Into<Vec<u8>>) -> StringId {
        StringId(push(&mut self.strings, string.into()))
    }

    /// Adds a pattern.
    pub fn add_pattern(&mut self, pattern: P) -> PatternId {
        PatternId(push(&mut self.patterns, pattern))
    }

    /// Adds a regex and gives the number that nodes store.
    pub fn add_regex(&mut self, regex: R) -> RegexId {
        RegexId(push(&mut self.regexes, regex))
    }

    /// Adds a bit set.
    pub fn add_bitmask(&mut self, bitmask: Bitmask) -> BitmaskId {
        BitmaskId(push(&mut self.bitmasks, bitmask))
    }

    /// Adds a message-filter program by its root; one entry per distinct root (iOS 26: two operations share one).
    pub fn add_policy(&mut self, root: NodeId) -> PolicyId {
        match self.policies.iter().position(|&other| other == root) {
            Some(at) => PolicyId(u32::try_from(at).unwrap_or(u32::MAX)),
            None => PolicyId(push(&mut self.policies, root)),
        }
    }

    /// The node `id`.
    pub fn node(&self, id: NodeId) -> Option<&ProgramNode> {
        self.nodes.get(id.index())
    }

    /// The terminal `id`.
    pub fn terminal(&self, id: TerminalId) -> Option<&Terminal> {
        self.terminals.get(id.index())
    }

    /// The same program with other patterns and regexes in the same places.
    pub(crate) fn with_code<P2, R2>(self, patterns: Vec<P2>, regexes: Vec<R2>) -> Program<P2, R2> {
        Program {
            patterns,
            regexes,
            generation: self.generation,
            type_bits: self.type_bits,
            op_count: self.op_count,
            roots: self.roots,
            nodes: self.nodes,
            terminals: self.terminals,
            strings: self.strings,
            bitmasks: self.bitmasks,
            policies: self.policies,
            variables: self.variables,
            states: self.states,
            flags_a: self.flags_a,
            flags_b: self.flags_b,
            messages: self.messages,
        }
    }
}

impl Program {
    /// The bytes of the blob; see [`super::encode`].
    ///
    /// # Errors
    /// As [`super::encode`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        super::encode(self)
    }
}

impl Terminal {
    /// The message-filter programs, in modifier order.
    pub fn policies(&self) -> impl DoubleEndedIterator<Item = PolicyId> + '_ {
        self.modifiers.iter().filter_map(|modifier| match modifier.argument {
            ModifierArgument::Policy(policy) => Some(policy),
            _ => None,
        })
    }
}
