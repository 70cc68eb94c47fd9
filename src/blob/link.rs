//! Resolving a blob: every reference followed, every argument typed.

use super::encode::{MESSAGE, SEND_SIGNAL};
use super::error::Site;
use super::header::ProfileHead;
use super::kinds::{FilterKind, ModifierKind, filter_kinds, modifier_kind};
use super::node::{Node, Payload, RawModifier};
use super::program::{
    Argument, Bitmask, BitmaskId, LinkedProgram, Modifier, ModifierArgument, NameTable, Network, NodeId, PatternId,
    PolicyId, Profile, Program, ProgramNode, RegexId, Roots, StringId, Terminal, TerminalId,
};
use super::{Blob, BlobError, Table};
use crate::pattern::{self, code::CodeError};

impl<'a> Blob<'a> {
    /// Follows every reference and types every argument. Patterns and regexes stay code, where it lies.
    ///
    /// Node ids are the blob's node indexes. Memory is a small multiple of the file: records that overlap so much that
    /// their sum exceeds the pool twice are refused.
    ///
    /// # Errors
    /// [`BlobError`] at the first reference that leads nowhere, malformed record or node, or cycle.
    pub fn link(&self) -> Result<LinkedProgram<'a>, BlobError> {
        Ok(Linker::new(self).run()?.0)
    }

    /// The graph that the blob holds, patterns as trees and regexes as expressions: what [`super::encode`] writes again.
    ///
    /// # Errors
    /// As [`Self::link`], and [`BlobError::Code`].
    pub fn program(&self) -> Result<Program, BlobError> {
        let (linked, pattern_sites) = Linker::new(self).run()?;
        let patterns = linked.patterns.iter().zip(pattern_sites).map(|(content, (index, from))| {
            pattern::code::decode(content).map_err(|error| code("pattern", index, error, from))
        });
        let patterns = patterns.collect::<Result<_, _>>()?;
        let regexes =
            (0_u32..).zip(linked.regexes.iter().zip(self.table(Table::Regexes))).map(|(at, (content, index))| {
                let from = Site::Table(Table::Regexes, at);
                pattern::regex::code::decode(content).map_err(|error| code("regex", index, error, from))
            });
        let regexes = regexes.collect::<Result<_, _>>()?;
        let mut program = linked.with_code(patterns, regexes);
        if let Roots::Collection { profiles, .. } = &program.roots {
            let order = super::number::recover_order(&program, profiles);
            if let Roots::Collection { numbering, .. } = &mut program.roots {
                *numbering = order;
            }
        }
        Ok(program)
    }
}

const NONE: u32 = u32::MAX;
const OUTSIDE: &str = "it does not end inside the file";
/// Bytes that even a small pool may be copied.
const SLACK: usize = 4096;

struct Linker<'b, 'a> {
    blob: &'b Blob<'a>,
    program: LinkedProgram<'a>,
    /// Pool index and first user of each pattern.
    pattern_sites: Vec<(u16, Site)>,
    /// By filter id.
    kinds: [Option<FilterKind>; 128],
    /// Id by pool index, per list.
    strings: Vec<u32>,
    patterns: Vec<u32>,
    bitmasks: Vec<u32>,
    /// Bytes that may still be copied. Records do not overlap and most are copied once; names that two tables share and
    /// arrays that two terminals share are copied again.
    budget: usize,
}

impl<'b, 'a> Linker<'b, 'a> {
    fn new(blob: &'b Blob<'a>) -> Self {
        let slots = blob.pool().len().div_ceil(8).min(1 << 16);
        Self {
            blob,
            program: Program::new(blob.header().generation),
            pattern_sites: Vec::new(),
            kinds: filter_kinds(blob.header().generation),
            strings: vec![NONE; slots],
            patterns: vec![NONE; slots],
            bitmasks: vec![NONE; slots],
            budget: 2 * blob.pool().len() + SLACK,
        }
    }

    fn run(mut self) -> Result<(LinkedProgram<'a>, Vec<(u16, Site)>), BlobError> {
        let header = *self.blob.header();
        self.program.type_bits = header.type_bits & !super::TYPE_COLLECTION;
        self.program.op_count = header.op_count;
        if header.node_count == 0 {
            return Err(BlobError::Node { index: 0, problem: "a blob needs at least one node" });
        }
        for (at, index) in (0_u32..).zip(self.blob.table(Table::Regexes)) {
            let from = Site::Table(Table::Regexes, at);
            let content = self.counted("regex", index, from)?;
            self.program.regexes.push(content);
        }
        for (at, root) in (0_u32..).zip(self.blob.table(Table::Policies)) {
            let root = self.node_id(root, Site::Table(Table::Policies, at))?;
            self.program.policies.push(root);
        }
        self.program.variables = self.names(Table::Variables)?;
        self.program.states = self.names(Table::States)?;
        self.program.flags_a = self.names(Table::FlagsA)?;
        self.program.flags_b = self.names(Table::FlagsB)?;
        for (at, index) in (0_u32..).zip(self.blob.table(Table::Messages)) {
            let text = self.text("message", index, Site::Table(Table::Messages, at))?;
            self.program.messages.push(text.to_vec());
        }
        self.program.nodes.reserve(header.node_count.into());
        // Compiler output without message filters leads to higher indexes only.
        let mut forward = self.program.policies.is_empty();
        for (index, node) in (0_u16..).zip(self.blob.nodes()) {
            forward &= node.edges().is_none_or(|edges| edges.iter().all(|&next| next > index));
            let node = self.node(index, node)?;
            self.program.nodes.push(node);
        }
        self.roots()?;
        let cycle = if forward { None } else { super::graph::find_cycle(self.blob) };
        match cycle {
            Some(index) => Err(BlobError::Cycle { index }),
            None => Ok((self.program, self.pattern_sites)),
        }
    }

    fn node_id(&self, index: u16, from: Site) -> Result<NodeId, BlobError> {
        let limit = self.blob.header().node_count;
        if index < limit { Ok(NodeId(index.into())) } else { Err(reference("node", index, limit, from)) }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), BlobError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(BlobError::Overlap { pool: self.blob.pool().len() })?;
        Ok(())
    }

    fn counted(&mut self, what: &'static str, index: u16, from: Site) -> Result<&'a [u8], BlobError> {
        let content = self.blob.counted(index).ok_or_else(|| record(what, index, OUTSIDE, from))?;
        self.spend(content.len() + 2)?;
        Ok(content)
    }

    fn text(&mut self, what: &'static str, index: u16, from: Site) -> Result<&'a [u8], BlobError> {
        match self.counted(what, index, from)?.split_last() {
            Some((0, text)) => Ok(text),
            _ => Err(record(what, index, "the string does not end with NUL", from)),
        }
    }

    fn names(&mut self, table: Table) -> Result<NameTable, BlobError> {
        let indexes = self.blob.table(table).collect::<Vec<_>>();
        let mut names = Vec::with_capacity(indexes.len());
        for (at, &index) in (0_u32..).zip(&indexes) {
            names.push(self.text("name", index, Site::Table(table, at))?.to_vec());
        }
        let mut order = (0_u16..).take(names.len()).collect::<Vec<_>>();
        order.sort_by_key(|&at| indexes.get(usize::from(at)).copied());
        if table != Table::Variables || order.is_sorted() {
            // State and flag names may share records with strings written before them; index order is the writer's order.
            order.clear();
        }
        Ok(NameTable { names, order })
    }

    fn string(&mut self, index: u16, from: Site) -> Result<StringId, BlobError> {
        if let Some(&id) = self.strings.get(usize::from(index)).filter(|&&id| id != NONE) {
            return Ok(StringId(id));
        }
        let text = self.text("string", index, from)?;
        let id = self.program.add_string(text);
        remember(&mut self.strings, index, id.0);
        Ok(id)
    }

    fn pattern(&mut self, index: u16, from: Site) -> Result<PatternId, BlobError> {
        if let Some(&id) = self.patterns.get(usize::from(index)).filter(|&&id| id != NONE) {
            return Ok(PatternId(id));
        }
        let content = self.counted("pattern", index, from)?;
        let id = self.program.add_pattern(content);
        self.pattern_sites.push((index, from));
        remember(&mut self.patterns, index, id.0);
        Ok(id)
    }

    fn bitmask(&mut self, index: u16, from: Site) -> Result<BitmaskId, BlobError> {
        if let Some(&id) = self.bitmasks.get(usize::from(index)).filter(|&&id| id != NONE) {
            return Ok(BitmaskId(id));
        }
        let raw = self.blob.bitmask(index).ok_or_else(|| record("bit set", index, OUTSIDE, from))?;
        if raw.version.is_some_and(|version| version != (1, 0)) {
            return Err(record("bit set", index, "its version is not 1", from));
        }
        self.spend(raw.head + raw.bytes.len())?;
        let id = self.program.add_bitmask(Bitmask { bits: raw.bits, bytes: raw.bytes.to_vec() });
        remember(&mut self.bitmasks, index, id.0);
        Ok(id)
    }

    fn node(&mut self, index: u16, node: Node) -> Result<ProgramNode, BlobError> {
        let site = Site::Node(index.into());
        match node {
            Node::Test { filter, alternative, argument, matched, unmatched } => Ok(ProgramNode::Test {
                filter,
                argument: self.argument(index, filter, alternative, argument)?,
                matched: self.node_id(matched, site)?,
                unmatched: self.node_id(unmatched, site)?,
            }),
            Node::Terminal { flags, payload } => {
                let modifiers = self.modifiers(index, payload)?;
                let id = TerminalId(self.program.terminals.len().try_into().unwrap_or(NONE));
                self.program.terminals.push(Terminal { flags, modifiers });
                Ok(ProgramNode::Terminal(id))
            }
            Node::Invalid(_) => Err(problem(index, "its first byte is neither 0 (test) nor 1 (terminal)")),
        }
    }

    fn argument(&mut self, node: u16, filter: u8, alternative: bool, value: u16) -> Result<Argument, BlobError> {
        let header = *self.blob.header();
        let from = Site::Node(node.into());
        let kind = self.kinds.get(usize::from(filter)).copied().flatten();
        let kind = kind.ok_or_else(|| problem(node, "the generation has no such filter"))?;
        let within =
            |what, limit: u16| if value < limit { Ok(value) } else { Err(reference(what, value, limit, from)) };
        Ok(match (kind, alternative) {
            (FilterKind::Pattern, false) => Argument::Pattern(self.pattern(value, from)?),
            (FilterKind::Pattern, true) => Argument::Regex(RegexId(within("regex", header.regex_count)?.into())),
            (FilterKind::Integer, true) | (FilterKind::Bitmask, false) => Argument::Bitmask(self.bitmask(value, from)?),
            (FilterKind::Integer, false) => Argument::Integer(value),
            (FilterKind::String, false) => Argument::String(self.string(value, from)?),
            (FilterKind::Network, false) => {
                let [protocols, host, low, high] =
                    self.blob.network(value).ok_or_else(|| record("network address", value, OUTSIDE, from))?;
                Argument::Network(Network { protocols, host, port: u16::from_le_bytes([low, high]) })
            }
            (FilterKind::State, false) => Argument::State(within("state flag", header.state_count.into())?),
            (FilterKind::ProfileFlag, false) => Argument::ProfileFlag(within("profile flag", header.flag_b_count)?),
            (_, true) => return Err(problem(node, "this filter has no alternative argument")),
        })
    }

    fn modifiers(&mut self, node: u16, payload: Payload) -> Result<Vec<Modifier>, BlobError> {
        match payload {
            Payload::None => Ok(Vec::new()),
            Payload::Inline(raw) => Ok(vec![self.modifier(node, raw)?]),
            Payload::Array { count, index, .. } => {
                let site = Site::Node(node.into());
                let entries = self
                    .blob
                    .modifier_array(index, count)
                    .ok_or_else(|| record("modifier array", index, OUTSIDE, site))?;
                self.spend(entries.len())?;
                entries
                    .chunks_exact(4)
                    .filter_map(|chunk| chunk.try_into().ok())
                    .map(|entry| self.modifier(node, RawModifier::read(entry)))
                    .collect()
            }
            Payload::Small { signal, message, .. } => {
                let mut modifiers = Vec::new();
                if signal != 0 {
                    let argument = ModifierArgument::Integer(signal.into());
                    modifiers.push(Modifier { id: SEND_SIGNAL, operation: 0, argument });
                }
                if message != 0 {
                    let limit = self.blob.header().message_count;
                    let index = u8::try_from(message - 1)
                        .ok()
                        .filter(|&index| index < limit)
                        .ok_or_else(|| reference("message", message - 1, limit.into(), Site::Node(node.into())))?;
                    modifiers.push(Modifier { id: MESSAGE, operation: 0, argument: ModifierArgument::Message(index) });
                }
                Ok(modifiers)
            }
        }
    }

    fn modifier(&mut self, node: u16, raw: RawModifier) -> Result<Modifier, BlobError> {
        let header = *self.blob.header();
        let from = Site::Node(node.into());
        let within = |what, limit: u16| {
            if raw.argument < limit { Ok(raw.argument) } else { Err(reference(what, raw.argument, limit, from)) }
        };
        let argument = match modifier_kind(header.format(), raw.id) {
            ModifierKind::Integer => ModifierArgument::Integer(raw.argument),
            ModifierKind::String => ModifierArgument::String(self.string(raw.argument, from)?),
            ModifierKind::State => ModifierArgument::State(within("state flag", header.state_count.into())?),
            ModifierKind::Policy => {
                ModifierArgument::Policy(PolicyId(within("message-filter program", header.policy_count)?.into()))
            }
        };
        Ok(Modifier { id: raw.id, operation: raw.operation, argument })
    }

    fn roots(&mut self) -> Result<(), BlobError> {
        if !self.blob.header().is_collection() {
            self.program.roots = Roots::Single(self.op_table(0)?);
            return Ok(());
        }
        let mut profiles = Vec::with_capacity(self.blob.profile_count());
        for (at, index) in (0_usize..self.blob.profile_count()).zip(0_u32..) {
            let site = Site::Profile(index);
            let Some(ProfileHead { name, type_bits, base, flag_mask }) = self.blob.profile_head(at) else { break };
            let name = self.text("profile name", name, site)?.to_vec();
            let base = if base == 0 { None } else { Some(self.text("base profile name", base, site)?.to_vec()) };
            let flags = if flag_mask == 0 { None } else { Some(self.bitmask(flag_mask, site)?) };
            profiles.push(Profile { name, type_bits, base, flags, roots: self.op_table(at)? });
        }
        self.program.roots = Roots::Collection { profiles, numbering: Vec::new() };
        Ok(())
    }

    fn op_table(&self, profile: usize) -> Result<Vec<NodeId>, BlobError> {
        (0_u8..=u8::MAX)
            .zip(self.blob.op_table(profile))
            .map(|(operation, root)| {
                // A collection has at most 65535 profiles.
                let profile = u32::try_from(profile).unwrap_or(u32::MAX);
                self.node_id(root, Site::Operation { profile, operation })
            })
            .collect()
    }
}

fn remember(ids: &mut [u32], index: u16, id: u32) {
    if let Some(slot) = ids.get_mut(usize::from(index)) {
        *slot = id;
    }
}

fn reference(what: &'static str, value: u16, limit: u16, from: Site) -> BlobError {
    BlobError::Reference { what, value: value.into(), limit: limit.into(), from }
}

fn record(what: &'static str, index: u16, problem: &'static str, from: Site) -> BlobError {
    BlobError::Record { what, index: index.into(), problem, from }
}

fn code(what: &'static str, index: u16, error: CodeError, from: Site) -> BlobError {
    BlobError::Code { what, index: index.into(), error, from }
}

fn problem(index: u16, problem: &'static str) -> BlobError {
    BlobError::Node { index: index.into(), problem }
}
