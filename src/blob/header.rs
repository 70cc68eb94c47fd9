//! The header and what it says about the rest (`spec/blob-format.md` sections 1, 2 and 12).

use std::ops::Range;

use serde::Serialize;

use super::generation::{Field, Format, RecordField};
use super::{BlobError, Generation, Table};

/// Bit of [`Header::type_bits`]: at least one message filter is used.
pub const TYPE_MESSAGE_FILTER: u16 = 0x4000;
/// Bit of [`Header::type_bits`]: the blob holds several named profiles.
pub const TYPE_COLLECTION: u16 = 0x8000;

/// Bytes of a node.
pub(crate) const NODE_LEN: usize = 8;

/// The header's values; counts that a generation does not have are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Which layout the header has.
    pub generation: Generation,
    /// Word 0: [`TYPE_MESSAGE_FILTER`], [`TYPE_COLLECTION`] and others.
    #[serde(rename = "type")]
    pub type_bits: u16,
    /// Nodes in the node array.
    pub node_count: u16,
    /// Entries of an op table (byte 4).
    pub op_count: u8,
    /// Entries of the variable table.
    pub var_count: u8,
    /// Entries of the state table.
    pub state_count: u8,
    /// Entries of the first flag table.
    pub flag_a_count: u8,
    /// Entries of the second flag table.
    pub flag_b_count: u16,
    /// Entries of the message table.
    pub message_count: u8,
    /// Profiles of a collection, else 0.
    pub profile_count: u16,
    /// Entries of the regex table.
    pub regex_count: u16,
    /// Entries of the policy table: message-filter programs.
    pub policy_count: u16,
}

impl Header {
    /// All zero.
    pub(crate) fn empty(generation: Generation) -> Self {
        Self {
            generation,
            type_bits: 0,
            node_count: 0,
            op_count: 0,
            var_count: 0,
            state_count: 0,
            flag_a_count: 0,
            flag_b_count: 0,
            message_count: 0,
            profile_count: 0,
            regex_count: 0,
            policy_count: 0,
        }
    }

    /// Reads the header of a blob of `generation`.
    pub(crate) fn read(bytes: &[u8], generation: Generation) -> Result<Self, BlobError> {
        let need = generation.header_len();
        if bytes.len() < need {
            return Err(BlobError::Exhausted { what: "the header", need, have: bytes.len() });
        }
        let mut header = Self::empty(generation);
        let mut rest = bytes;
        for &(field, width) in generation.format().header {
            let (head, tail) = rest.split_at(width);
            let value = head.iter().rev().fold(0_u16, |value, &byte| value << 8 | u16::from(byte));
            header.set(field, value);
            rest = tail;
        }
        Ok(header)
    }

    /// Appends the header's bytes; the counts fit their fields because they were read from or checked against them.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for &(field, width) in self.generation.format().header {
            out.extend(self.get(field).to_le_bytes().into_iter().take(width));
        }
    }

    /// The widest value a field can hold.
    pub(crate) fn capacity(generation: Generation, field: Field) -> usize {
        let width = generation.format().header.iter().find(|(other, _)| *other == field).map_or(0, |(_, width)| *width);
        (1 << (8 * width)) - 1
    }

    pub(crate) fn get(&self, field: Field) -> u16 {
        match field {
            Field::Type => self.type_bits,
            Field::Nodes => self.node_count,
            Field::Ops => self.op_count.into(),
            Field::Vars => self.var_count.into(),
            Field::States => self.state_count.into(),
            Field::FlagsA => self.flag_a_count.into(),
            Field::FlagsB => self.flag_b_count,
            Field::Messages => self.message_count.into(),
            Field::Profiles => self.profile_count,
            Field::Regexes => self.regex_count,
            Field::Policies => self.policy_count,
            Field::Zero => 0,
        }
    }

    /// Sets a field; the byte fields take the low byte (their fields are one byte wide in every layout).
    pub(crate) fn set(&mut self, field: Field, value: u16) {
        let byte = value.to_le_bytes()[0];
        match field {
            Field::Type => self.type_bits = value,
            Field::Nodes => self.node_count = value,
            Field::Ops => self.op_count = byte,
            Field::Vars => self.var_count = byte,
            Field::States => self.state_count = byte,
            Field::FlagsA => self.flag_a_count = byte,
            Field::FlagsB => self.flag_b_count = value,
            Field::Messages => self.message_count = byte,
            Field::Profiles => self.profile_count = value,
            Field::Regexes => self.regex_count = value,
            Field::Policies => self.policy_count = value,
            Field::Zero => {}
        }
    }

    /// Offsets of the header's bytes without a meaning.
    pub(crate) fn unused_bytes(&self) -> impl Iterator<Item = usize> {
        let mut at = 0;
        let fields = self.format().header.iter().map(move |&(field, width)| {
            at += width;
            (field, at - width)
        });
        fields.filter(|(field, _)| *field == Field::Zero).map(|(_, at)| at)
    }

    /// True when the blob holds several named profiles.
    pub fn is_collection(&self) -> bool {
        self.type_bits & TYPE_COLLECTION != 0
    }

    /// Entries of `table`.
    pub fn table_count(&self, table: Table) -> u16 {
        self.get(table.count_field())
    }

    pub(crate) fn format(&self) -> &'static Format {
        self.generation.format()
    }

    /// Bytes of one profile record of a collection.
    pub(crate) fn record_len(&self) -> usize {
        2 * self.format().record.len() + 2 * usize::from(self.op_count)
    }
}

/// One region of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// `header`, a table's name, `op_table`, `profiles`, `padding`, `nodes` or `pool`.
    pub name: &'static str,
    /// Its bytes, from the start of the file.
    pub range: Range<usize>,
}

/// Where everything lies. **Invariant:** the sections follow each other without gap and the last ends with the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// In file order; tables without entries are listed with an empty range.
    pub sections: Vec<Section>,
    pub(crate) tables: Vec<(Table, usize)>,
    pub(crate) ops: usize,
    pub(crate) nodes: usize,
    pub(crate) pool: usize,
}

impl Layout {
    /// Computes the layout that `header` asks for in a file of `len` bytes.
    pub(crate) fn of(header: &Header, len: usize) -> Result<Self, BlobError> {
        let mut sections = Vec::with_capacity(12);
        let mut at = 0;
        let mut push = |name: &'static str, size: usize| {
            let start = at;
            at += size;
            sections.push(Section { name, range: start..at });
            if at > len { Err(BlobError::Exhausted { what: name, need: at, have: len }) } else { Ok(start) }
        };
        push("header", header.generation.header_len())?;
        let mut tables = Vec::with_capacity(header.format().tables.len());
        for &table in header.format().tables {
            tables.push((table, push(table.name(), 2 * usize::from(header.table_count(table)))?));
        }
        let ops = if header.is_collection() {
            push("profiles", usize::from(header.profile_count) * header.record_len())?
        } else {
            push("op_table", 2 * usize::from(header.op_count))?
        };
        let tables_end = ops
            + if header.is_collection() {
                usize::from(header.profile_count) * header.record_len()
            } else {
                2 * usize::from(header.op_count)
            };
        push("padding", tables_end.next_multiple_of(NODE_LEN) - tables_end)?;
        let nodes = push("nodes", NODE_LEN * usize::from(header.node_count))?;
        let pool = nodes + NODE_LEN * usize::from(header.node_count);
        push("pool", len - pool)?;
        Ok(Self { sections, tables, ops, nodes, pool })
    }

    /// The section called `name`.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

/// The words of a profile record's head (`spec/blob-format.md` sections 2.2 and 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProfileHead {
    /// Pool index of the name.
    pub name: u16,
    /// The profile's own type bits.
    pub type_bits: u16,
    /// Pool index of the base profile's name, 0 for none (15 and later).
    pub base: u16,
    /// Pool index of a bit set over the second flag table, 0 for none (15 and later).
    pub flag_mask: u16,
}

impl ProfileHead {
    pub(crate) fn set(&mut self, field: RecordField, value: u16) {
        match field {
            RecordField::Name => self.name = value,
            RecordField::Type => self.type_bits = value,
            RecordField::Base => self.base = value,
            RecordField::FlagMask => self.flag_mask = value,
        }
    }

    pub(crate) fn get(&self, field: RecordField) -> u16 {
        match field {
            RecordField::Name => self.name,
            RecordField::Type => self.type_bits,
            RecordField::Base => self.base,
            RecordField::FlagMask => self.flag_mask,
        }
    }
}
