//! Writing a program as a blob (`spec/blob-format.md` sections 1, 9.4 and 10.5, `spec/codegen-rules.md` sections 7.3 and 8).
//!
//! Two walks over the graph. The first numbers the nodes: operations 0, 1, 2 …, match before else, a node after what it
//! leads to, from the highest index down; a terminal with message filters takes its number before their programs. The second
//! writes the pool in the order of the records: a node's argument when the node is first reached, before what it leads to.
//! They are two because the iOS 26 collection numbers its profiles in another order than it records them.
//!
//! Modifier arrays stand before everything else in the pool, in the order in which their terminals are reached (iOS 17 and 26
//! collections).

use super::generation::{Field, Table, TerminalForm};
use super::header::{NODE_LEN, TYPE_COLLECTION};
use super::kinds::{FilterKind, filter_kind};
use super::node::{Node, Payload};
use super::number::{Numbers, dangling, number};
use super::pool::Pool;
use super::program::{Argument, ModifierArgument, NodeId, PolicyId, Program, ProgramNode, Roots, Terminal};
use super::{EncodeError, Header};

/// Writes `program`.
///
/// # Errors
/// [`EncodeError`] when the graph has a cycle, an id does not exist, something exceeds its field or the generation cannot
/// store it.
pub fn encode(program: &Program) -> Result<Vec<u8>, EncodeError> {
    let numbers = number(program)?;
    if numbers.count == 0 {
        // Readers, ours among them, refuse a blob without nodes.
        return Err(EncodeError::Unsupported { what: "a program without nodes", generation: program.generation });
    }
    let pool = Pool::build(program, &numbers)?;
    assemble(program, &numbers, pool)
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
        roots.iter().for_each(|&root| out.extend(index_of(numbers, root).to_le_bytes()));
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

/// The index of a node that the first walk reached; `header` refused more nodes than fit.
fn index_of(numbers: &Numbers, id: NodeId) -> u16 {
    numbers.node_index(id).unwrap_or(0)
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
    count(Field::Policies, "message-filter programs", numbers.policy_count.into())?;
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
    let mut words = vec![0; numbers.policy_count.into()];
    for (&root, id) in program.policies.iter().zip((0..).map(PolicyId)) {
        let slot = numbers.policy_index(id).and_then(|index| words.get_mut(usize::from(index)));
        if let Some(word) = slot {
            *word = index_of(numbers, root);
        }
    }
    words
}

fn nodes(program: &Program, numbers: &Numbers, pool: &Pool<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = vec![0; NODE_LEN * (numbers.count as usize)];
    for (node, id) in program.nodes.iter().zip((0..).map(NodeId)) {
        let Some(index) = numbers.node_index(id) else { continue };
        let stored = stored_node(program, numbers, pool, id, node)?;
        let start = NODE_LEN * usize::from(index);
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
                matched: index_of(numbers, matched),
                unmatched: index_of(numbers, unmatched),
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
