//! The writer's second walk: the data pool (`spec/blob-format.md` sections 9 and 9.4).

use std::collections::HashMap;

use super::EncodeError;
use super::generation::{BitmaskForm, Format, RecordField, Table};
use super::header::ProfileHead;
use super::node::RawModifier;
use super::number::{Numbers, dangling};
use super::program::{
    Argument, Bitmask, Modifier, ModifierArgument, NameTable, NodeId, Profile, Program, ProgramNode, RegexId, Roots,
    StringId, Terminal,
};
use crate::pattern;

/// The data pool while it is written, and where everything is in it.
pub(super) struct Pool<'a> {
    program: &'a Program,
    format: &'static Format,
    pub(super) bytes: Vec<u8>,
    /// Records shared by their bytes.
    shared: HashMap<Vec<u8>, u16>,
    /// Records shared by filter id and bytes.
    per_filter: HashMap<(u8, Vec<u8>), u16>,
    /// Pool index by arena position of the node: its argument's record, or the modifier array.
    pub(super) of_node: Vec<u16>,
    pub(super) regexes: Vec<Option<u16>>,
    patterns: Vec<Option<u16>>,
    pub(super) messages: Vec<u16>,
    strings: Vec<Option<u16>>,
    pub(super) heads: Vec<ProfileHead>,
    pub(super) names: Vec<(Table, Vec<u16>)>,
}

impl<'a> Pool<'a> {
    pub(super) fn build(program: &'a Program, numbers: &Numbers) -> Result<Self, EncodeError> {
        let mut pool = Self {
            program,
            format: program.generation.format(),
            bytes: Vec::new(),
            shared: HashMap::new(),
            per_filter: HashMap::new(),
            of_node: vec![0; program.nodes.len()],
            regexes: vec![None; program.regexes.len()],
            patterns: vec![None; program.patterns.len()],
            messages: vec![0; program.messages.len()],
            strings: vec![None; program.strings.len()],
            heads: Vec::new(),
            names: Vec::new(),
        };
        pool.reserve_arrays(numbers)?;
        let mut seen = vec![false; program.nodes.len()];
        match &program.roots {
            Roots::Single(roots) => pool.walk(roots, &mut seen)?,
            Roots::Collection { profiles, .. } => {
                for profile in profiles {
                    let head = pool.profile_head(profile)?;
                    pool.heads.push(head);
                    pool.walk(&profile.roots, &mut seen)?;
                }
            }
        }
        // A table entry that no test refers to still needs a record to point at.
        for id in 0..program.regexes.len() as u32 {
            pool.regex(RegexId(id))?;
        }
        for (at, text) in program.messages.iter().enumerate() {
            // One that a terminal names has its record already, and shares it.
            let record = pool.shared_string(text)?;
            if let Some(slot) = pool.messages.get_mut(at) {
                *slot = record;
            }
        }
        pool.finish_arrays(numbers)?;
        for &table in pool.format.tables {
            let names = match table {
                Table::Variables => &program.variables,
                Table::States => &program.states,
                Table::FlagsA => &program.flags_a,
                Table::FlagsB => &program.flags_b,
                Table::Regexes | Table::Policies | Table::Messages => continue,
            };
            let indexes = pool.name_table(names)?;
            pool.names.push((table, indexes));
        }
        Ok(pool)
    }

    fn reserve_arrays(&mut self, numbers: &Numbers) -> Result<(), EncodeError> {
        for &id in &numbers.arrays {
            let count = self.terminal_of(id).map_or(0, |terminal| terminal.modifiers.len());
            let index = self.append(&vec![0; 4 * count])?;
            if let Some(slot) = self.of_node.get_mut(id.index()) {
                *slot = index;
            }
        }
        Ok(())
    }

    /// Fills the reserved arrays; strings and programs have their indexes by now.
    fn finish_arrays(&mut self, numbers: &Numbers) -> Result<(), EncodeError> {
        for &id in &numbers.arrays {
            let Some(terminal) = self.terminal_of(id) else { continue };
            let entries = terminal
                .modifiers
                .iter()
                .flat_map(|modifier| self.raw_modifier(numbers, modifier).write())
                .collect::<Vec<_>>();
            let start = 8 * usize::from(self.of_node.get(id.index()).copied().unwrap_or(0));
            if let Some(slot) = self.bytes.get_mut(start..start + entries.len()) {
                slot.copy_from_slice(&entries);
            }
        }
        Ok(())
    }

    fn terminal_of(&self, id: NodeId) -> Option<&'a Terminal> {
        match self.program.node(id)? {
            ProgramNode::Terminal(terminal) => self.program.terminal(*terminal),
            ProgramNode::Test { .. } => None,
        }
    }

    pub(super) fn raw_modifier(&self, numbers: &Numbers, modifier: &Modifier) -> RawModifier {
        let argument = match modifier.argument {
            ModifierArgument::Integer(value) | ModifierArgument::State(value) => value,
            ModifierArgument::String(id) => self.strings.get(id.index()).copied().flatten().unwrap_or(0),
            // Numbered by the first walk, which follows the same modifiers.
            ModifierArgument::Policy(id) => numbers.policy_index(id).unwrap_or(0),
            ModifierArgument::Message(index) => u16::from(index) + 1,
        };
        RawModifier { id: modifier.id, operation: modifier.operation, argument }
    }

    fn walk(&mut self, roots: &[NodeId], seen: &mut [bool]) -> Result<(), EncodeError> {
        let mut pending = Vec::new();
        for &root in roots {
            pending.push(root);
            while let Some(id) = pending.pop() {
                match seen.get_mut(id.index()) {
                    Some(seen) if !*seen => *seen = true,
                    _ => continue,
                }
                match self.program.node(id) {
                    Some(&ProgramNode::Test { filter, argument, matched, unmatched }) => {
                        let value = self.argument(filter, argument)?;
                        if let Some(slot) = self.of_node.get_mut(id.index()) {
                            *slot = value;
                        }
                        pending.extend([unmatched, matched]);
                    }
                    Some(ProgramNode::Terminal(_)) => self.terminal(id, &mut pending)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn terminal(&mut self, id: NodeId, pending: &mut Vec<NodeId>) -> Result<(), EncodeError> {
        let Some(terminal) = self.terminal_of(id) else { return Ok(()) };
        for modifier in &terminal.modifiers {
            match modifier.argument {
                ModifierArgument::String(string) => {
                    self.string(string)?;
                }
                ModifierArgument::Message(index) => {
                    let text = self
                        .program
                        .messages
                        .get(usize::from(index))
                        .ok_or_else(|| dangling("message", index.into()))?;
                    let record = self.shared_string(text)?;
                    if let Some(slot) = self.messages.get_mut(usize::from(index)) {
                        *slot = record;
                    }
                }
                _ => {}
            }
        }
        pending
            .extend(terminal.policies().rev().filter_map(|policy| self.program.policies.get(policy.index()).copied()));
        Ok(())
    }

    /// Writes an argument's record where it has one; gives the value that the node stores.
    fn argument(&mut self, filter: u8, argument: Argument) -> Result<u16, EncodeError> {
        match argument {
            Argument::Integer(value) | Argument::State(value) | Argument::ProfileFlag(value) => Ok(value),
            Argument::Pattern(id) => {
                if let Some(&Some(index)) = self.patterns.get(id.index()) {
                    return Ok(index);
                }
                let tree = self.program.patterns.get(id.index()).ok_or_else(|| dangling("pattern", id.0))?;
                let code = pattern::code::encode(tree, self.format.choices)
                    .map_err(|error| EncodeError::Code { what: "a pattern", error })?;
                let index = self.shared(counted(&code)?)?;
                if let Some(slot) = self.patterns.get_mut(id.index()) {
                    *slot = Some(index);
                }
                Ok(index)
            }
            Argument::Regex(id) => {
                self.regex(id)?;
                narrow("regex number", id.index())
            }
            Argument::String(id) => self.string(id),
            Argument::Network(network) => {
                let [low, high] = network.port.to_le_bytes();
                self.per_filter(filter, vec![network.protocols, network.host, low, high])
            }
            Argument::Bitmask(id) => {
                let bitmask = self.program.bitmasks.get(id.index()).ok_or_else(|| dangling("bit set", id.0))?;
                self.per_filter(filter, self.bitmask(bitmask)?)
            }
        }
    }

    fn bitmask(&self, bitmask: &Bitmask) -> Result<Vec<u8>, EncodeError> {
        let mut record = match self.format.bitmask {
            BitmaskForm::Bits => bitmask.bits.to_le_bytes().to_vec(),
            BitmaskForm::Bytes => {
                let [low, high] = narrow("bytes of a bit set", bitmask.bytes.len())?.to_le_bytes();
                vec![1, 0, low, high]
            }
        };
        record.extend(&bitmask.bytes);
        Ok(record)
    }

    fn profile_head(&mut self, profile: &Profile) -> Result<ProfileHead, EncodeError> {
        // Filter ids are below 128, so 0xff cannot meet a bit set of a test.
        const PROFILE_FLAGS: u8 = 0xff;
        let mut head = ProfileHead { type_bits: profile.type_bits, ..ProfileHead::default() };
        let wide = self.format.record.contains(&RecordField::Base);
        if !wide && (profile.base.is_some() || profile.flags.is_some()) {
            return Err(EncodeError::Unsupported {
                what: "a profile's base or flags",
                generation: self.program.generation,
            });
        }
        if let Some(id) = profile.flags {
            let bitmask = self.program.bitmasks.get(id.index()).ok_or_else(|| dangling("bit set", id.0))?;
            head.flag_mask = self.per_filter(PROFILE_FLAGS, self.bitmask(bitmask)?)?;
        }
        head.name = self.shared_string(&profile.name)?;
        if let Some(base) = &profile.base {
            head.base = self.shared_string(base)?;
        }
        Ok(head)
    }

    fn name_table(&mut self, table: &NameTable) -> Result<Vec<u16>, EncodeError> {
        let mut indexes = vec![0; table.names.len()];
        let in_order = (0..table.names.len()).collect::<Vec<_>>();
        let order = if table.order.len() == table.names.len() {
            table.order.iter().map(|&at| usize::from(at)).collect()
        } else {
            in_order
        };
        for at in order {
            let Some((name, slot)) = table.names.get(at).zip(indexes.get_mut(at)) else {
                return Err(EncodeError::Dangling { what: "name", value: at });
            };
            *slot = self.shared_string(name)?;
        }
        Ok(indexes)
    }

    /// Writes the record of a regex unless it is there.
    fn regex(&mut self, id: RegexId) -> Result<(), EncodeError> {
        if let Some(None) = self.regexes.get(id.index()) {
            let regex = self.program.regexes.get(id.index()).ok_or_else(|| dangling("regex", id.0))?;
            let content =
                pattern::regex::code::encode(regex).map_err(|error| EncodeError::Code { what: "a regex", error })?;
            let record = self.shared(counted(&content)?)?;
            if let Some(slot) = self.regexes.get_mut(id.index()) {
                *slot = Some(record);
            }
        }
        Ok(())
    }

    fn string(&mut self, id: StringId) -> Result<u16, EncodeError> {
        if let Some(&Some(index)) = self.strings.get(id.index()) {
            return Ok(index);
        }
        let text = self.program.strings.get(id.index()).ok_or_else(|| dangling("string", id.0))?;
        let index = self.shared_string(text)?;
        if let Some(slot) = self.strings.get_mut(id.index()) {
            *slot = Some(index);
        }
        Ok(index)
    }

    fn shared_string(&mut self, text: &[u8]) -> Result<u16, EncodeError> {
        let mut content = text.to_vec();
        content.push(0);
        self.shared(counted(&content)?)
    }

    fn shared(&mut self, record: Vec<u8>) -> Result<u16, EncodeError> {
        if let Some(&index) = self.shared.get(&record) {
            return Ok(index);
        }
        let index = self.append(&record)?;
        self.shared.insert(record, index);
        Ok(index)
    }

    fn per_filter(&mut self, filter: u8, record: Vec<u8>) -> Result<u16, EncodeError> {
        let key = (filter, record);
        if let Some(&index) = self.per_filter.get(&key) {
            return Ok(index);
        }
        let index = self.append(&key.1)?;
        self.per_filter.insert(key, index);
        Ok(index)
    }

    fn append(&mut self, record: &[u8]) -> Result<u16, EncodeError> {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let index = narrow("pool records (in units of 8 bytes)", self.bytes.len() / 8)?;
        self.bytes.extend(record);
        Ok(index)
    }
}

fn narrow(what: &'static str, value: usize) -> Result<u16, EncodeError> {
    u16::try_from(value).map_err(|_| EncodeError::TooMany { what, have: value, limit: u16::MAX.into() })
}

fn counted(content: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut record = narrow("bytes of a pool record", content.len())?.to_le_bytes().to_vec();
    record.extend(content);
    Ok(record)
}
