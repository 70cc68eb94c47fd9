//! Names for the numbers in a blob, from the vocabulary of its generation. Names are for people: nothing here decides how
//! bytes are read.

use std::borrow::Cow;

use super::disasm::quote;
use super::kinds::{FilterKind, ModifierKind, filter_kind, modifier_kind};
use super::node::{Node, Payload, RawModifier};
use super::{Blob, Generation, Network, Table};
use crate::vocab::{self, FilterId, OpId, Target};

/// Flags of a wide terminal (`spec/blob-format.md` section 5.2).
const FLAGS: &[(u32, &str)] = &[
    (0x1, "deny"),
    (0x2, "grant"),
    (0x4, "report"),
    (0x8, "no-sandbox"),
    (0x10, "sip-override"),
    (0x20, "no-times"),
    (0x40, "authority"),
    (0x80, "telemetry"),
    (0x100, "telemetry-backtrace"),
    (0x200, "no-approval-prompt"),
    (0x800, "no-storage-class"),
];

/// Flags of a 10.15 terminal: one byte, its highest bit of another meaning.
const SMALL_FLAGS: usize = 7;

/// The names of one generation.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    generation: Generation,
    target: &'static Target,
}

impl Names {
    /// Those of the system that shares the generation's format.
    pub fn of(generation: Generation) -> Self {
        let target = vocab::target(generation.target()).unwrap_or_else(|_| vocab::default_target());
        Self { generation, target }
    }

    /// The system whose names they are.
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// The operation's name, or `operation-N`.
    pub fn operation(&self, id: u8) -> Cow<'static, str> {
        self.target
            .get_operation(OpId(id))
            .map_or_else(|| format!("operation-{id}").into(), |operation| operation.name.into())
    }

    /// The number of the operation with this name.
    pub fn operation_named(&self, name: &str) -> Option<u8> {
        self.target.operation_named(name).map(|id| id.0)
    }

    /// The filter's name, or `filter-N`.
    pub fn filter(&self, id: u8) -> Cow<'static, str> {
        self.target.filter_name(FilterId(id))
    }

    /// The symbol of an integer argument, when the filter has an enumeration with that value.
    pub fn symbol(&self, filter: u8, value: u16) -> Option<&'static str> {
        self.target.symbol_named(self.target.filter(FilterId(filter))?.symbols?, value)
    }

    /// The modifier's name, or `modifier-N`.
    pub fn modifier(&self, id: u8) -> Cow<'static, str> {
        // 26 renumbered what stands behind 16, and only the number of message filters is known.
        let renumbered = self.generation == Generation::Macos26 && id > 16;
        if id != 0 && id == self.generation.format().message_filter {
            return "message-filter".into();
        }
        self.target
            .modifier(vocab::ModifierId(id))
            .filter(|_| !renumbered)
            .map_or_else(|| format!("modifier-{id}").into(), |modifier| modifier.name.into())
    }

    /// The flags that are set, by name; unknown ones as numbers.
    pub fn flags(&self, flags: u32) -> Vec<Cow<'static, str>> {
        let known =
            if self.generation == Generation::Macos10_15 { FLAGS.get(..SMALL_FLAGS).unwrap_or(FLAGS) } else { FLAGS };
        let mut names =
            known.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| Cow::from(*name)).collect::<Vec<_>>();
        let rest = known.iter().fold(flags, |rest, (bit, _)| rest & !bit);
        if rest != 0 {
            names.push(format!("{rest:#x}").into());
        }
        names
    }
}

/// Bytes of a string that a line about a node shows; the pool shows all.
const SHORT: usize = 200;

/// `allow` or `deny`.
pub(crate) fn action(flags: u32) -> &'static str {
    if flags & 1 == 0 { "allow" } else { "deny" }
}

/// A network address as SBPL writes it, e.g. `tcp "localhost:22"`.
pub(crate) fn network(network: &Network) -> String {
    let protocol = match network.protocols {
        1 => "ip4",
        2 => "ip6",
        3 => "ip",
        5 => "tcp4",
        6 => "tcp6",
        7 => "tcp",
        9 => "udp4",
        10 => "udp6",
        11 => "udp",
        other => return format!("protocols {other:#x} host {} port {}", network.host, network.port),
    };
    let host = match network.host {
        0 => "*".to_owned(),
        1 => "localhost".to_owned(),
        other => format!("host-{other}"),
    };
    let port = if network.port == 0 { "*".to_owned() } else { network.port.to_string() };
    format!("{protocol} \"{host}:{port}\"")
}

/// One line for a node: names, the value where it is short, where it leads.
pub(crate) fn node_line(blob: &Blob<'_>, names: &Names, node: &Node) -> String {
    match *node {
        Node::Test { filter, alternative, argument, matched, unmatched } => {
            let argument = argument_text(blob, names, filter, alternative, argument);
            format!("{} {argument}: match {matched}, else {unmatched}", names.filter(filter))
        }
        Node::Terminal { flags, payload } => {
            let mut rest = names.flags(flags & !1).into_iter().map(Cow::into_owned).collect::<Vec<_>>();
            match payload {
                Payload::None => {}
                Payload::Inline(modifier) => rest.push(modifier_line(blob, names, modifier)),
                Payload::Array { count, index, .. } => match blob.modifier_array(index, count) {
                    Some(entries) => {
                        let entries = entries.chunks_exact(4).filter_map(|entry| entry.try_into().ok());
                        rest.extend(entries.map(|entry| modifier_line(blob, names, RawModifier::read(entry))));
                    }
                    None => rest.push(format!("{count} modifiers at pool {index:#x}, outside the file")),
                },
                Payload::Small { signal, message, .. } => {
                    rest.extend((signal != 0).then(|| format!("send-signal {signal}")));
                    rest.extend((message != 0).then(|| format!("message {message}")));
                }
            }
            let rest = if rest.is_empty() { String::new() } else { format!(" ({})", rest.join(", ")) };
            format!("{}{rest}", action(flags))
        }
        Node::Invalid(_) => "neither test nor terminal".to_owned(),
    }
}

fn argument_text(blob: &Blob<'_>, names: &Names, filter: u8, alternative: bool, argument: u16) -> String {
    match (filter_kind(names.generation, filter), alternative) {
        (Some(FilterKind::Pattern), false) => format!("pattern {argument:#x}"),
        (Some(FilterKind::Pattern), true) => format!("regex {argument}"),
        (Some(FilterKind::String), false) => string_text(blob, argument),
        (Some(FilterKind::Network), false) => match blob.network(argument) {
            Some([protocols, host, low, high]) => {
                network(&Network { protocols, host, port: u16::from_le_bytes([low, high]) })
            }
            None => format!("address {argument:#x} outside the file"),
        },
        (Some(FilterKind::Integer), true) | (Some(FilterKind::Bitmask), false) => format!("in set {argument:#x}"),
        (Some(FilterKind::State), false) => table_text(blob, Table::States, argument),
        (Some(FilterKind::ProfileFlag), false) => table_text(blob, Table::FlagsB, argument),
        _ => {
            names.symbol(filter, argument).map_or_else(|| argument.to_string(), |symbol| format!("{argument} {symbol}"))
        }
    }
}

/// One line for a modifier.
pub(crate) fn modifier_line(blob: &Blob<'_>, names: &Names, modifier: RawModifier) -> String {
    let RawModifier { id, operation, argument } = modifier;
    let name = names.modifier(id);
    match modifier_kind(names.generation.format(), id) {
        ModifierKind::Integer => format!("{name} {argument}"),
        ModifierKind::String => format!("{name} {}", string_text(blob, argument)),
        ModifierKind::State => format!("{name} {}", table_text(blob, Table::States, argument)),
        ModifierKind::Policy => format!("{name} of {}: program {argument}", names.operation(operation)),
    }
}

/// An entry of a table of names: number and name.
fn table_text(blob: &Blob<'_>, table: Table, number: u16) -> String {
    match blob.table(table).nth(number.into()) {
        Some(index) => format!("{number} {}", string_text(blob, index)),
        None => format!("{number}, not in the table"),
    }
}

fn string_text(blob: &Blob<'_>, index: u16) -> String {
    match blob.counted(index) {
        Some([text @ .., 0]) if text.len() > SHORT => {
            format!("{}…", quote(text.get(..SHORT).unwrap_or_default()))
        }
        Some([text @ .., 0]) => quote(text),
        _ => format!("string {index:#x}, malformed"),
    }
}
