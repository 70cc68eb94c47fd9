//! Writing a program as a blob (`spec/blob-format.md` sections 1, 9.4 and 10.5, `spec/codegen-rules.md` sections 7.3 and 8).
//!
//! Two walks over the graph. The first numbers the nodes: operations 0, 1, 2 …, match before else, a node after what it
//! leads to, from the highest index down; a terminal with message filters takes its number before their programs. The second
//! writes the pool in the order of the records: a node's argument when the node is first reached, before what it leads to.
//! They are two because the iOS 26 collection numbers its profiles in another order than it records them.
//!
//! Modifier arrays stand before everything else in the pool, in the order in which their terminals are reached (iOS 17 and 26
//! collections).

use std::collections::HashMap;

use super::generation::{BitmaskForm, Field, Format, RecordField, Table, TerminalForm};
use super::header::{NODE_LEN, ProfileHead, TYPE_COLLECTION};
use super::kinds::{FilterKind, filter_kind};
use super::node::{Node, Payload, RawModifier};
use super::program::{
    Argument, Bitmask, Modifier, ModifierArgument, NameTable, NodeId, PolicyId, Profile, Program, ProgramNode, Roots,
    StringId, Terminal,
};
use super::{EncodeError, Header};
use crate::pattern;

/// Writes `program`.
///
/// # Errors
/// [`EncodeError`] when the graph has a cycle, an id does not exist, something exceeds its field or the generation cannot
/// store it.
pub fn encode(program: &Program) -> Result<Vec<u8>, EncodeError> {
    let numbers = number(program)?;
    let pool = Pool::build(program, &numbers)?;
    assemble(program, &numbers, pool)
}

/// What the first walk found.
struct Numbers {
    /// By arena position: the node's index counted from the top (0 = highest), or `UNSEEN`.
    from_top: Vec<u32>,
    count: u32,
    /// By policy: its index in the policy table, or `UNSEEN`.
    policy: Vec<u32>,
    policy_count: u32,
    /// Terminals with an array, as arena positions of their nodes, in the order reached.
    arrays: Vec<NodeId>,
}

const UNSEEN: u32 = u32::MAX;
const OPEN: u32 = u32::MAX - 1;

enum Step {
    Visit(NodeId),
    Finish(NodeId),
    Policy(PolicyId),
}

fn profiles_in_numbering_order(program: &Program) -> Vec<&[NodeId]> {
    match &program.roots {
        Roots::Single(roots) => vec![roots],
        Roots::Collection { profiles, numbering } if numbering.len() == profiles.len() => numbering
            .iter()
            .filter_map(|&at| profiles.get(usize::from(at)))
            .map(|profile| profile.roots.as_slice())
            .collect(),
        Roots::Collection { profiles, .. } => profiles.iter().map(|profile| profile.roots.as_slice()).collect(),
    }
}

fn number(program: &Program) -> Result<Numbers, EncodeError> {
    let mut numbers = Numbers {
        from_top: vec![UNSEEN; program.nodes.len()],
        count: 0,
        policy: vec![UNSEEN; program.policies.len()],
        policy_count: 0,
        arrays: Vec::new(),
    };
    let mut steps = Vec::new();
    for roots in profiles_in_numbering_order(program) {
        for &root in roots {
            steps.push(Step::Visit(root));
            while let Some(step) = steps.pop() {
                numbers.step(program, step, &mut steps)?;
            }
        }
    }
    Ok(numbers)
}

fn dangling(what: &'static str, value: u32) -> EncodeError {
    EncodeError::Dangling { what, value: value as usize }
}

impl Numbers {
    fn step(&mut self, program: &Program, step: Step, steps: &mut Vec<Step>) -> Result<(), EncodeError> {
        match step {
            Step::Visit(id) => self.visit(program, id, steps),
            Step::Finish(id) => {
                if let Some(slot) = self.from_top.get_mut(id.index()) {
                    *slot = self.count;
                    self.count += 1;
                }
                Ok(())
            }
            Step::Policy(id) => {
                let root = *program.policies.get(id.index()).ok_or_else(|| dangling("policy", id.0))?;
                let slot = self.policy.get_mut(id.index()).ok_or_else(|| dangling("policy", id.0))?;
                if *slot == UNSEEN {
                    *slot = self.policy_count;
                    self.policy_count += 1;
                    steps.push(Step::Visit(root));
                }
                Ok(())
            }
        }
    }

    fn visit(&mut self, program: &Program, id: NodeId, steps: &mut Vec<Step>) -> Result<(), EncodeError> {
        let node = program.node(id).ok_or_else(|| dangling("node", id.0))?;
        let slot = self.from_top.get_mut(id.index()).ok_or_else(|| dangling("node", id.0))?;
        match *slot {
            UNSEEN => {}
            OPEN => return Err(EncodeError::Cycle { node: id.0 }),
            _ => return Ok(()),
        }
        match *node {
            ProgramNode::Test { matched, unmatched, .. } => {
                *slot = OPEN;
                steps.extend([Step::Finish(id), Step::Visit(unmatched), Step::Visit(matched)]);
            }
            ProgramNode::Terminal(terminal) => {
                *slot = self.count;
                self.count += 1;
                let terminal = program.terminal(terminal).ok_or_else(|| dangling("terminal", terminal.0))?;
                if terminal.modifiers.len() > 1 && program.generation.format().terminal == TerminalForm::Wide {
                    self.arrays.push(id);
                }
                steps.extend(terminal.policies().rev().map(Step::Policy));
            }
        }
        Ok(())
    }

    fn node_index(&self, id: NodeId) -> u16 {
        // Every node that is asked for was numbered, and `assemble` refuses more than 65535 nodes before.
        let from_top = self.from_top.get(id.index()).copied().unwrap_or(0);
        u16::try_from(self.count.saturating_sub(1).saturating_sub(from_top)).unwrap_or(u16::MAX)
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

/// The data pool while it is written, and where everything is in it.
struct Pool<'a> {
    program: &'a Program,
    format: &'static Format,
    bytes: Vec<u8>,
    /// Records shared by their bytes.
    shared: HashMap<Vec<u8>, u16>,
    /// Records shared by filter id and bytes.
    per_filter: HashMap<(u8, Vec<u8>), u16>,
    /// Pool index by arena position of the node: its argument's record, or the modifier array.
    of_node: Vec<u16>,
    regexes: Vec<Option<u16>>,
    patterns: Vec<Option<u16>>,
    messages: Vec<u16>,
    strings: Vec<Option<u16>>,
    heads: Vec<ProfileHead>,
    names: Vec<(Table, Vec<u16>)>,
}

impl<'a> Pool<'a> {
    fn build(program: &'a Program, numbers: &Numbers) -> Result<Self, EncodeError> {
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

    fn raw_modifier(&self, numbers: &Numbers, modifier: &Modifier) -> RawModifier {
        let argument = match modifier.argument {
            ModifierArgument::Integer(value) | ModifierArgument::State(value) => value,
            ModifierArgument::String(id) => self.strings.get(id.index()).copied().flatten().unwrap_or(0),
            // Numbered by the first walk, which follows the same modifiers; `assemble` checks the count.
            ModifierArgument::Policy(id) => {
                numbers.policy.get(id.index()).and_then(|&index| u16::try_from(index).ok()).unwrap_or(0)
            }
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
                if let Some(None) = self.regexes.get(id.index()) {
                    let regex = self.program.regexes.get(id.index()).ok_or_else(|| dangling("regex", id.0))?;
                    let content = pattern::regex::code::encode(regex)
                        .map_err(|error| EncodeError::Code { what: "a regex", error })?;
                    let record = self.shared(counted(&content)?)?;
                    if let Some(slot) = self.regexes.get_mut(id.index()) {
                        *slot = Some(record);
                    }
                }
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

fn assemble(program: &Program, numbers: &Numbers, pool: Pool<'_>) -> Result<Vec<u8>, EncodeError> {
    let header = header(program, numbers)?;
    let format = program.generation.format();
    let mut out = Vec::with_capacity(pool.bytes.len() + NODE_LEN * (numbers.count as usize) + 0x200);
    header.write(&mut out);
    for &table in format.tables {
        let words = match table {
            Table::Regexes => pool.regexes.iter().map(|index| index.unwrap_or(0)).collect(),
            Table::Messages => pool.messages.clone(),
            Table::Policies => policy_table(program, numbers),
            _ => {
                pool.names.iter().find(|(other, _)| *other == table).map(|(_, words)| words.clone()).unwrap_or_default()
            }
        };
        words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    }
    let op_table = |roots: &[NodeId], out: &mut Vec<u8>| {
        roots.iter().for_each(|&root| out.extend(numbers.node_index(root).to_le_bytes()));
    };
    match &program.roots {
        Roots::Single(roots) => op_table(roots, &mut out),
        Roots::Collection { profiles, .. } => {
            for (profile, head) in profiles.iter().zip(&pool.heads) {
                format.record.iter().for_each(|&field| out.extend(head.get(field).to_le_bytes()));
                op_table(&profile.roots, &mut out);
            }
        }
    }
    out.resize(out.len().next_multiple_of(NODE_LEN), 0);
    out.extend(nodes(program, numbers, &pool)?);
    out.extend(pool.bytes);
    Ok(out)
}

fn header(program: &Program, numbers: &Numbers) -> Result<Header, EncodeError> {
    let mut header = Header::empty(program.generation);
    let generation = program.generation;
    let mut count = |field: Field, what: &'static str, have: usize| {
        let limit = Header::capacity(generation, field);
        match u16::try_from(have) {
            Ok(value) if have <= limit => {
                header.set(field, value);
                Ok(())
            }
            _ => Err(EncodeError::TooMany { what, have, limit }),
        }
    };
    count(Field::Nodes, "nodes", numbers.count as usize)?;
    count(Field::Ops, "operations", program.op_count.into())?;
    count(Field::Vars, "variables", program.variables.names.len())?;
    count(Field::States, "state flags", program.states.names.len())?;
    count(Field::FlagsA, "profile flags", program.flags_a.names.len())?;
    count(Field::FlagsB, "profile flags", program.flags_b.names.len())?;
    count(Field::Messages, "messages", program.messages.len())?;
    count(Field::Regexes, "regexes", program.regexes.len())?;
    count(Field::Policies, "message-filter programs", numbers.policy_count as usize)?;
    let tables = match &program.roots {
        Roots::Single(roots) => std::slice::from_ref(roots).iter().collect::<Vec<_>>(),
        Roots::Collection { profiles, .. } => {
            count(Field::Profiles, "profiles", profiles.len())?;
            profiles.iter().map(|profile| &profile.roots).collect()
        }
    };
    if let Some(roots) = tables.iter().find(|roots| roots.len() != usize::from(program.op_count)) {
        return Err(EncodeError::TooMany { what: "roots", have: roots.len(), limit: program.op_count.into() });
    }
    header.type_bits = match program.roots {
        Roots::Single(_) => program.type_bits & !TYPE_COLLECTION,
        Roots::Collection { .. } => program.type_bits | TYPE_COLLECTION,
    };
    Ok(header)
}

fn policy_table(program: &Program, numbers: &Numbers) -> Vec<u16> {
    let mut words = vec![0; numbers.policy_count as usize];
    for (&root, &index) in program.policies.iter().zip(&numbers.policy) {
        if let Some(word) = words.get_mut(index as usize) {
            *word = numbers.node_index(root);
        }
    }
    words
}

fn nodes(program: &Program, numbers: &Numbers, pool: &Pool<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = vec![0; NODE_LEN * (numbers.count as usize)];
    for (at, &from_top) in numbers.from_top.iter().enumerate() {
        if from_top == UNSEEN {
            continue;
        }
        // Arena positions fit: the ids that lead to seen nodes are u32.
        let id = NodeId(u32::try_from(at).unwrap_or(u32::MAX));
        let Some(node) = program.node(id) else { continue };
        let stored = stored_node(program, numbers, pool, id, node)?;
        let start = NODE_LEN * usize::from(numbers.node_index(id));
        if let Some(slot) = bytes.get_mut(start..start + NODE_LEN) {
            slot.copy_from_slice(&stored.write());
        }
    }
    Ok(bytes)
}

fn stored_node(
    program: &Program,
    numbers: &Numbers,
    pool: &Pool<'_>,
    id: NodeId,
    node: &ProgramNode,
) -> Result<Node, EncodeError> {
    let value = pool.of_node.get(id.index()).copied().unwrap_or(0);
    Ok(match *node {
        ProgramNode::Test { filter, argument, matched, unmatched } => {
            if !(1..=0x7f).contains(&filter) {
                return Err(EncodeError::Dangling { what: "filter", value: filter.into() });
            }
            let always_mask = filter_kind(program.generation, filter) == Some(FilterKind::Bitmask);
            Node::Test {
                filter,
                alternative: match argument {
                    Argument::Regex(_) => true,
                    Argument::Bitmask(_) => !always_mask,
                    _ => false,
                },
                argument: value,
                matched: numbers.node_index(matched),
                unmatched: numbers.node_index(unmatched),
            }
        }
        ProgramNode::Terminal(terminal) => {
            let terminal = program.terminal(terminal).ok_or_else(|| dangling("terminal", terminal.0))?;
            let payload = match program.generation.format().terminal {
                TerminalForm::Small => small_payload(program, terminal)?,
                TerminalForm::Wide => match terminal.modifiers.as_slice() {
                    [] => Payload::None,
                    [modifier] => Payload::Inline(pool.raw_modifier(numbers, modifier)),
                    many => Payload::Array {
                        count: u8::try_from(many.len()).map_err(|_| EncodeError::TooMany {
                            what: "modifiers of a terminal",
                            have: many.len(),
                            limit: u8::MAX.into(),
                        })?,
                        zero: 0,
                        index: value,
                    },
                },
            };
            Node::Terminal { flags: terminal.flags, payload }
        }
    })
}

/// Modifier id of `send-signal`.
pub(crate) const SEND_SIGNAL: u8 = 1;
/// Modifier id under which a 10.15 message is listed.
pub(crate) const MESSAGE: u8 = 10;

fn small_payload(program: &Program, terminal: &Terminal) -> Result<Payload, EncodeError> {
    let unsupported = |what| EncodeError::Unsupported { what, generation: program.generation };
    let (mut signal, mut message) = (0, 0);
    for modifier in &terminal.modifiers {
        match (modifier.id, modifier.argument) {
            (SEND_SIGNAL, ModifierArgument::Integer(value)) => {
                signal = u8::try_from(value).map_err(|_| unsupported("a signal above 255"))?;
            }
            (MESSAGE, ModifierArgument::Message(index)) => message = u16::from(index) + 1,
            _ => return Err(unsupported("this modifier")),
        }
    }
    if terminal.flags > 0xff {
        return Err(unsupported("a flag above 0xff"));
    }
    Ok(if (signal, message) == (0, 0) { Payload::None } else { Payload::Small { signal, message, unused: [0; 3] } })
}
