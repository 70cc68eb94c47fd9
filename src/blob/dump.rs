//! A listing of every byte: offset, length, meaning.

use super::disasm::{pattern_instructions, quote, regex_instructions};
use super::generation::{Field, RecordField, Table};
use super::header::NODE_LEN;
use super::names::{Names, network, node_line};
use super::node::RawModifier;
use super::program::Network;
use super::records::{Record, RecordKind};
use super::{Blob, Section};

/// One row of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpRow {
    /// Offset from the start of the file.
    pub offset: usize,
    /// Bytes that the row speaks of; 0 for the heading of a section or record.
    pub length: usize,
    /// What they mean.
    pub meaning: String,
    /// Depth: 0 the heading of a section, 1 its entries and the headings of records, 2 what a record holds.
    pub depth: u8,
}

/// Bytes of a row that has no better measure: unknown bytes, strings, bit sets.
const ROW: usize = 16;

impl Blob<'_> {
    /// Calls `row` for every row of the listing. The rows with a length follow each other without gap and cover the file.
    pub fn dump(&self, mut row: impl FnMut(DumpRow)) {
        let mut dump = Dump { blob: self, names: Names::of(self.header().generation), at: 0, row: &mut row };
        for section in &self.layout().sections {
            dump.section(section);
        }
    }
}

struct Dump<'b, 'a, 'r> {
    blob: &'b Blob<'a>,
    names: Names,
    at: usize,
    row: &'r mut dyn FnMut(DumpRow),
}

impl Dump<'_, '_, '_> {
    fn heading(&mut self, depth: u8, meaning: String) {
        (self.row)(DumpRow { offset: self.at, length: 0, meaning, depth });
    }

    fn entry(&mut self, depth: u8, length: usize, meaning: impl Into<String>) {
        (self.row)(DumpRow { offset: self.at, length, meaning: meaning.into(), depth });
        self.at += length;
    }

    /// Rows of at most [`ROW`] bytes up to `end`; the first says what they are.
    fn bytes(&mut self, depth: u8, end: usize, meaning: &str) {
        let mut meaning = meaning;
        while self.at < end {
            self.entry(depth, ROW.min(end - self.at), meaning);
            meaning = "";
        }
    }

    fn section(&mut self, section: &Section) {
        if section.range.is_empty() {
            return;
        }
        self.heading(0, format!("{} ({} bytes)", section.name, section.range.len()));
        match section.name {
            "header" => self.header(),
            "op_table" => self.op_table(0, 1),
            "profiles" => self.profiles(),
            "padding" => self.bytes(1, section.range.end, "padding"),
            "nodes" => self.nodes(),
            "pool" => self.pool(section.range.end),
            _ => self.tables(section),
        }
    }

    fn header(&mut self) {
        let header = *self.blob.header();
        for &(field, width) in header.format().header {
            let value = header.get(field);
            let meaning = match field {
                Field::Type => format!("type {value:#06x}"),
                Field::Nodes => format!("nodes {value}"),
                Field::Ops => format!("operations {value} (generation {})", header.generation),
                Field::Vars => format!("variables {value}"),
                Field::States => format!("state flags {value}"),
                Field::FlagsA => format!("profile flags, first table {value}"),
                Field::FlagsB => format!("profile flags, second table {value}"),
                Field::Messages => format!("messages {value}"),
                Field::Profiles => format!("profiles {value}"),
                Field::Regexes => format!("regexes {value}"),
                Field::Policies => format!("message-filter programs {value}"),
                Field::Zero => "unused".to_owned(),
            };
            self.entry(1, width, meaning);
        }
    }

    fn tables(&mut self, section: &Section) {
        let Some(&(table, _)) = self.blob.layout().tables.iter().find(|(table, _)| table.name() == section.name) else {
            return self.bytes(1, section.range.end, section.name);
        };
        for (at, value) in self.blob.table(table).enumerate() {
            let meaning = match table {
                Table::Policies => format!("message-filter program {at}: node {value}"),
                Table::Regexes => format!("regex {at}: pool {value:#x}"),
                _ => format!("{at}: pool {value:#x} {}", self.string(value)),
            };
            self.entry(1, 2, meaning);
        }
    }

    fn string(&self, index: u16) -> String {
        match self.blob.counted(index) {
            Some([text @ .., 0]) => quote(text),
            Some(text) => format!("{} without NUL", quote(text)),
            None => "outside the file".to_owned(),
        }
    }

    fn op_table(&mut self, profile: usize, depth: u8) {
        for (operation, node) in (0_u8..=u8::MAX).zip(self.blob.op_table(profile)) {
            let name = self.names.operation(operation);
            self.entry(depth, 2, format!("{operation} {name}: node {node}"));
        }
    }

    fn profiles(&mut self) {
        for profile in 0..self.blob.profile_count() {
            let Some(head) = self.blob.profile_head(profile) else { break };
            self.heading(1, format!("profile {profile} {}", self.string(head.name)));
            for &field in self.blob.header().format().record {
                let value = head.get(field);
                let meaning = match field {
                    RecordField::Name => format!("name: pool {value:#x} {}", self.string(value)),
                    RecordField::Type => format!("type {value:#06x}"),
                    RecordField::Base if value == 0 => "no base profile".to_owned(),
                    RecordField::Base => format!("base profile: pool {value:#x} {}", self.string(value)),
                    RecordField::FlagMask if value == 0 => "no profile flags".to_owned(),
                    RecordField::FlagMask => format!("profile flags: pool {value:#x}"),
                };
                self.entry(2, 2, meaning);
            }
            self.op_table(profile, 2);
        }
    }

    fn nodes(&mut self) {
        for (index, node) in self.blob.nodes().enumerate() {
            let line = node_line(self.blob, &self.names, &node);
            self.entry(1, NODE_LEN, format!("{index}: {line}"));
        }
    }

    fn pool(&mut self, end: usize) {
        let start = self.blob.layout().pool;
        for record in self.blob.records() {
            if record.range.start < self.at {
                // It overlaps what was listed; only a heading can say so.
                let meaning = format!("pool {:#x}: {} inside the above", record.index, record.kind.name());
                self.heading(1, meaning);
                continue;
            }
            let gap = if record.range.start - self.at < 8 { "padding" } else { "nothing refers to this" };
            self.bytes(1, record.range.start, gap);
            let users = if record.users == 1 { String::new() } else { format!(" and {} more", record.users - 1) };
            let meaning = format!("pool {:#x}: {} of {}{users}", record.index, record.kind.name(), record.first_user);
            self.heading(1, meaning);
            self.record(&record);
            self.bytes(2, record.range.end, "not decoded");
        }
        debug_assert!(self.at >= start);
        self.bytes(1, end, "nothing refers to this");
    }

    fn record(&mut self, record: &Record) {
        let content = self.blob.counted(record.index).unwrap_or_default();
        match record.kind {
            RecordKind::Pattern => {
                self.entry(2, 2, format!("length {}", content.len()));
                self.instructions(pattern_instructions(content));
            }
            RecordKind::Regex => {
                self.entry(2, 2, format!("length {}", content.len()));
                let Some((head, code)) = content.split_first_chunk::<6>() else { return };
                let [v0, v1, v2, v3, l0, l1] = *head;
                self.entry(2, 4, format!("version {}", u32::from_be_bytes([v0, v1, v2, v3])));
                self.entry(2, 2, format!("code length {}", u16::from_le_bytes([l0, l1])));
                self.instructions(regex_instructions(code));
            }
            RecordKind::String => {
                self.entry(2, 2, format!("length {}", content.len()));
                let text = self.string(record.index);
                self.bytes(2, record.range.end, &text);
            }
            RecordKind::Network => {
                let [protocols, host, low, high] = self.blob.network(record.index).unwrap_or_default();
                let port = u16::from_le_bytes([low, high]);
                self.entry(2, 4, network(&Network { protocols, host, port }));
            }
            RecordKind::Bitmask => {
                let Some(raw) = self.blob.bitmask(record.index) else { return };
                self.entry(2, raw.head, format!("bit set of {} bits", raw.bits));
                let numbers = super::Bitmask { bits: raw.bits, bytes: raw.bytes.to_vec() };
                self.bytes(2, record.range.end, &number_ranges(numbers.numbers()));
            }
            RecordKind::ModifierArray => {
                let bytes = self.blob.bytes().get(record.range.clone()).unwrap_or_default();
                for entry in bytes.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok()) {
                    let line = super::names::modifier_line(self.blob, &self.names, RawModifier::read(entry));
                    self.entry(2, 4, line);
                }
            }
        }
    }

    fn instructions(&mut self, instructions: Vec<super::Instruction>) {
        for instruction in instructions {
            let text = format!("{:#06x}  {}", instruction.range.start, instruction.text);
            self.entry(2, instruction.range.len(), text);
        }
    }
}

/// `1-3 7 9-12`.
pub(crate) fn number_ranges(numbers: impl Iterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |&(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(" ")
}
