//! What `decode` shows, as one document: header, sections, op table by name, nodes with typed arguments, pool.

use serde::Serialize;
use serde_json::{Value, json};

use super::disasm::quote;
use super::dump::number_ranges;
use super::names::{Names, action, network, node_line};
use super::node::Node;
use super::program::{
    Argument, Bitmask, Modifier, ModifierArgument, NameTable, Network, Program, ProgramNode, Roots, StringId,
};
use super::records::{Record, RecordKind};
use super::select::Selection;
use super::{Blob, BlobError, Header};
use crate::pattern::{PatternKind, code::PatternTree};

/// Texts that a document holds, in bytes for each byte of the file; values beyond are null. Nodes repeat the values of the
/// pool, so without a bound a small file could make a large document.
const TEXT_FACTOR: usize = 16;

/// The names that the notes' decoder used, marked as what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Legacy {
    /// Word 0: the type bits.
    pub maybe_flags: u16,
    /// Word 1: the node count.
    pub op_count: u16,
    /// The first header word with a value from 0 to 3; a guess of theirs.
    pub profile_class: Option<u16>,
}

impl Legacy {
    /// The three values of `blob`.
    pub fn of(blob: &Blob<'_>) -> Self {
        let words = (0..blob.header().generation.header_len()).step_by(2).filter_map(|at| blob.word(at));
        Self {
            maybe_flags: blob.header().type_bits,
            op_count: blob.header().node_count,
            profile_class: words.into_iter().find(|word| *word <= 3),
        }
    }
}

/// A blob that was read and resolved.
#[derive(Debug, Clone)]
pub struct Decoded<'a> {
    /// The bytes and where everything lies.
    pub blob: Blob<'a>,
    /// The graph; node ids are the blob's node indexes.
    pub program: Program,
    /// The records of the pool.
    pub records: Vec<Record>,
    /// Names of the generation.
    pub names: Names,
}

/// Reads and resolves a blob.
///
/// # Errors
/// As [`Blob::parse`] and [`Blob::program`].
pub fn decode<'a>(bytes: &'a [u8], options: &super::Options) -> Result<Decoded<'a>, BlobError> {
    let blob = Blob::parse(bytes, options)?;
    let program = blob.program()?;
    let records = blob.records();
    let names = Names::of(blob.header().generation);
    Ok(Decoded { blob, program, records, names })
}

impl Decoded<'_> {
    /// The header.
    pub fn header(&self) -> &Header {
        self.blob.header()
    }

    /// The names of a collection's profiles, by record; empty when the blob is no collection.
    pub fn profile_names(&self) -> Vec<&[u8]> {
        match &self.program.roots {
            Roots::Single(_) => Vec::new(),
            Roots::Collection { profiles, .. } => profiles.iter().map(|profile| profile.name.as_slice()).collect(),
        }
    }

    /// The document. Nodes, pool and op table are those of `selection`.
    pub fn to_json(&self, selection: &Selection) -> Value {
        let header = self.header();
        let selected = self.selected_nodes(selection);
        let mut document = json!({
            "generation": header.generation,
            "names_of": header.generation.target(),
            "size_bytes": self.blob.bytes().len(),
            "header": header,
            "legacy": Legacy::of(&self.blob),
            "sections": self.blob.layout().sections.iter().map(|section| json!({
                "name": section.name,
                "offset": section.range.start,
                "length": section.range.len(),
            })).collect::<Vec<_>>(),
            "tables": self.tables_json(),
        });
        match (&self.program.roots, selection.profile) {
            (Roots::Collection { .. }, None) => {
                document["op_table"] = Value::Null;
                document["profiles"] = (0..self.blob.profile_count()).map(|at| self.profile_json(at)).collect();
            }
            (Roots::Collection { .. }, Some(at)) => {
                document["profile"] = self.profile_json(at);
                document["op_table"] = self.op_table_json(at, selection);
            }
            (Roots::Single(_), _) => document["op_table"] = self.op_table_json(0, selection),
        }
        let nodes = self.program.nodes.iter().zip(&selected).enumerate().filter(|(_, (_, selected))| **selected);
        let mut budget = TEXT_FACTOR * self.blob.bytes().len();
        document["nodes"] = nodes.map(|(index, (node, _))| self.node_json(index, node, &mut budget)).collect();
        let records = self.selected_records(selection, &selected);
        document["pool"] = records.into_iter().map(|record| self.record_json(record, &mut budget)).collect();
        document
    }

    fn tables_json(&self) -> Value {
        let program = &self.program;
        let names = |table: &NameTable| table.names.iter().map(|name| text(name)).collect::<Vec<_>>();
        json!({
            "regexes": program.regexes.iter().map(|regex| text(&regex.to_source())).collect::<Vec<_>>(),
            "variables": names(&program.variables),
            "states": names(&program.states),
            "flags_a": names(&program.flags_a),
            "flags_b": names(&program.flags_b),
            "messages": program.messages.iter().map(|message| text(message)).collect::<Vec<_>>(),
            "policies": program.policies.iter().map(|root| root.0).collect::<Vec<_>>(),
        })
    }

    fn op_table_json(&self, profile: usize, selection: &Selection) -> Value {
        let entries = self.roots(profile, selection);
        entries.map(|(id, node)| json!({ "id": id, "operation": self.names.operation(id), "node": node })).collect()
    }

    fn profile_json(&self, at: usize) -> Value {
        let Roots::Collection { profiles, .. } = &self.program.roots else { return Value::Null };
        let Some(profile) = profiles.get(at) else { return Value::Null };
        json!({
            "index": at,
            "name": text(&profile.name),
            "type": profile.type_bits,
            "base": profile.base.as_deref().map(text),
            "flags": profile.flags.map(|id| self.program.bitmasks.get(id.index()).map(numbers_text)),
            "roots": profile.roots.iter().map(|root| root.0).collect::<Vec<_>>(),
        })
    }

    fn node_json(&self, index: usize, node: &ProgramNode, budget: &mut usize) -> Value {
        let stored = u16::try_from(index).ok().and_then(|index| self.blob.node(index));
        match *node {
            ProgramNode::Test { filter, argument, matched, unmatched } => json!({
                "index": index,
                "kind": "test",
                "filter": filter,
                "name": self.names.filter(filter),
                "argument": self.argument_json(filter, argument, stored, budget),
                "match": matched.0,
                "else": unmatched.0,
            }),
            ProgramNode::Terminal(id) => {
                let terminal = self.program.terminal(id);
                let flags = terminal.map_or(0, |terminal| terminal.flags);
                let modifiers = terminal.map(|terminal| terminal.modifiers.as_slice()).unwrap_or_default();
                json!({
                    "index": index,
                    "kind": "terminal",
                    "action": action(flags),
                    "flags": flags,
                    "flag_names": self.names.flags(flags),
                    "modifiers": modifiers.iter().map(|modifier| self.modifier_json(modifier, budget)).collect::<Vec<_>>(),
                })
            }
        }
    }

    fn argument_json(&self, filter: u8, argument: Argument, stored: Option<Node>, budget: &mut usize) -> Value {
        let pool = match stored {
            Some(Node::Test { argument, .. }) => argument,
            _ => 0,
        };
        match argument {
            Argument::Integer(value) => {
                json!({ "kind": "integer", "value": value, "symbol": self.names.symbol(filter, value) })
            }
            Argument::Pattern(_) => json!({ "kind": "pattern", "pool": pool }),
            Argument::Regex(id) => {
                let source = self.program.regexes.get(id.index()).map(|regex| text(&regex.to_source()));
                json!({ "kind": "regex", "regex": id.0, "source": within(budget, source) })
            }
            Argument::String(id) => {
                let value = within(budget, self.string(id));
                json!({ "kind": "string", "pool": pool, "value": value })
            }
            Argument::Network(value) => json!({ "kind": "network", "pool": pool, "value": network(&value) }),
            Argument::Bitmask(id) => {
                let numbers = within(budget, self.program.bitmasks.get(id.index()).map(numbers_text));
                json!({ "kind": "bit-set", "pool": pool, "numbers": numbers })
            }
            Argument::State(index) => json!({ "kind": "state", "index": index }),
            Argument::ProfileFlag(index) => json!({ "kind": "profile-flag", "index": index }),
        }
    }

    fn modifier_json(&self, modifier: &Modifier, budget: &mut usize) -> Value {
        let argument = match modifier.argument {
            ModifierArgument::Integer(value) => json!(value),
            ModifierArgument::String(id) => json!(within(budget, self.string(id))),
            ModifierArgument::State(index) => json!(index),
            ModifierArgument::Policy(id) => json!({
                "operation": self.names.operation(modifier.operation),
                "policy": id.0,
            }),
            ModifierArgument::Message(index) => {
                let message = self.program.messages.get(usize::from(index)).map(|message| text(message));
                json!(within(budget, message))
            }
        };
        json!({ "id": modifier.id, "name": self.names.modifier(modifier.id), "argument": argument })
    }

    fn string(&self, id: StringId) -> Option<String> {
        self.program.strings.get(id.index()).map(|string| text(string))
    }

    fn record_json(&self, record: &Record, budget: &mut usize) -> Value {
        let content = self.blob.counted(record.index).unwrap_or_default();
        let value = match record.kind {
            RecordKind::Pattern => self.pattern_json(content, budget),
            RecordKind::Regex => {
                json!(crate::pattern::regex::code::decode(content).ok().map(|regex| text(&regex.to_source())))
            }
            RecordKind::String => json!(text(content.strip_suffix(&[0]).unwrap_or(content))),
            RecordKind::Network => json!(self.blob.network(record.index).map(network_line)),
            RecordKind::Bitmask => json!(
                self.blob
                    .bitmask(record.index)
                    .map(|raw| { numbers_text(&Bitmask { bits: raw.bits, bytes: raw.bytes.to_vec() }) })
            ),
            RecordKind::ModifierArray => Value::Null,
        };
        json!({
            "index": record.index,
            "offset": record.range.start,
            "length": record.range.len(),
            "kind": record.kind,
            "first_user": record.first_user.to_string(),
            "users": record.users,
            "value": value,
        })
    }

    fn pattern_json(&self, content: &[u8], budget: &mut usize) -> Value {
        let Ok(tree) = crate::pattern::code::decode(content) else { return Value::Null };
        let filters = self.pattern_filters(&tree);
        let size = filters.iter().map(|(_, text)| text.len()).sum();
        match budget.checked_sub(size) {
            Some(rest) => {
                *budget = rest;
                filters.iter().map(|(kind, text)| json!({ "kind": kind, "text": text })).collect()
            }
            None => Value::Null,
        }
    }

    /// One line for a node: names, the value where it is short, where it leads.
    pub fn node_line(&self, node: &Node) -> String {
        node_line(&self.blob, &self.names, node)
    }

    /// What a record holds, in one line; empty for modifier arrays, which the nodes show, and malformed code.
    pub fn record_line(&self, record: &Record) -> String {
        let content = self.blob.counted(record.index).unwrap_or_default();
        match record.kind {
            RecordKind::String => quote(content.strip_suffix(&[0]).unwrap_or(content)),
            RecordKind::Pattern => {
                crate::pattern::code::decode(content).map(|tree| self.pattern_line(&tree)).unwrap_or_default()
            }
            RecordKind::Regex => {
                let regex = crate::pattern::regex::code::decode(content);
                regex.map(|regex| quote(&regex.to_source())).unwrap_or_default()
            }
            RecordKind::Network => self.blob.network(record.index).map_or(String::new(), network_line),
            RecordKind::Bitmask => self.blob.bitmask(record.index).map_or(String::new(), |raw| {
                number_ranges(Bitmask { bits: raw.bits, bytes: raw.bytes.to_vec() }.numbers())
            }),
            RecordKind::ModifierArray => String::new(),
        }
    }

    /// What stands behind the argument of a test of which the node's line shows a number only: the filters of a pattern, the source
    /// of a regex, the numbers of a set. `None` for other arguments.
    pub fn argument_line(&self, argument: Argument) -> Option<String> {
        let program = &self.program;
        match argument {
            Argument::Pattern(id) => Some(self.pattern_line(program.patterns.get(id.index())?)),
            Argument::Regex(id) => Some(format!("regex {}", quote(&program.regexes.get(id.index())?.to_source()))),
            Argument::Bitmask(id) => Some(numbers_text(program.bitmasks.get(id.index())?)),
            _ => None,
        }
    }

    fn pattern_line(&self, tree: &PatternTree) -> String {
        let filters = self.pattern_filters(tree);
        let texts = filters.iter().map(|(form, text)| format!("{form} {}", quote(text.as_bytes())));
        texts.collect::<Vec<_>>().join(" ")
    }

    /// A pattern as the filters it is the union of: form and text.
    pub fn pattern_filters(&self, tree: &PatternTree) -> Vec<(&'static str, String)> {
        let filters = tree.to_patterns(&self.program.variables.names).unwrap_or_default();
        let form = |kind| match kind {
            PatternKind::Literal => "literal",
            PatternKind::Prefix => "prefix",
            PatternKind::Subpath => "subpath",
            PatternKind::Regex => "regex",
        };
        filters.iter().map(|filter| (form(filter.kind()), text(filter.text()))).collect()
    }
}

fn network_line([protocols, host, low, high]: [u8; 4]) -> String {
    network(&Network { protocols, host, port: u16::from_le_bytes([low, high]) })
}

/// Text as JSON holds it: UTF-8 as it is, other bytes as `\xNN`.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let quoted = quote(bytes);
            quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted).to_owned()
        }
    }
}

fn numbers_text(bitmask: &Bitmask) -> String {
    number_ranges(bitmask.numbers())
}

/// `text`, when the budget has room for it.
fn within(budget: &mut usize, text: Option<String>) -> Option<String> {
    *budget = budget.checked_sub(text.as_ref()?.len())?;
    text
}
