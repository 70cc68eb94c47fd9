//! The records of the data pool: where each is, what it is, who refers to it.
//!
//! The pool has no directory: records are found by following every reference. References that lead outside the file are
//! left out; [`super::validate`] reports them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::error::Site;
use super::kinds::{FilterKind, ModifierKind, filter_kind, modifier_kind};
use super::node::{Node, Payload, RawModifier};
use super::{Blob, Table};

/// What a pool record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// Modifiers of one terminal.
    ModifierArray,
    /// Pattern code.
    Pattern,
    /// Regex code.
    Regex,
    /// A string with final NUL: argument, modifier, or name.
    String,
    /// A network address.
    Network,
    /// A bit set.
    Bitmask,
}

impl RecordKind {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModifierArray => "modifier array",
            Self::Pattern => "pattern",
            Self::Regex => "regex",
            Self::String => "string",
            Self::Network => "network address",
            Self::Bitmask => "bit set",
        }
    }
}

/// One record of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Pool index: its start in units of 8 bytes from the start of the pool.
    pub index: u16,
    /// What it holds.
    pub kind: RecordKind,
    /// Its bytes, length word included, from the start of the file.
    pub range: Range<usize>,
    /// The first that refers to it: tables, then profiles, then nodes, each in file order.
    pub first_user: Site,
    /// How many refer to it.
    pub users: u32,
}

/// A reference into the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolReference {
    pub(crate) index: u16,
    pub(crate) kind: RecordKind,
    /// Entries, for modifier arrays.
    pub(crate) count: u8,
    pub(crate) from: Site,
}

impl Blob<'_> {
    /// All records that something refers to, by index.
    pub fn records(&self) -> Vec<Record> {
        let mut records: BTreeMap<(u16, RecordKind), Record> = BTreeMap::new();
        self.for_each_reference(|reference| {
            let Some(length) = self.record_len(&reference) else { return };
            let start = self.layout().pool + 8 * usize::from(reference.index);
            records.entry((reference.index, reference.kind)).and_modify(|record| record.users += 1).or_insert_with(
                || Record {
                    index: reference.index,
                    kind: reference.kind,
                    range: start..start + length,
                    first_user: reference.from,
                    users: 1,
                },
            );
        });
        records.into_values().collect()
    }

    /// Bytes of the record that a reference leads to, `None` when it does not end inside the file.
    pub(crate) fn record_len(&self, reference: &PoolReference) -> Option<usize> {
        match reference.kind {
            RecordKind::ModifierArray => self.modifier_array(reference.index, reference.count).map(<[u8]>::len),
            RecordKind::Pattern | RecordKind::Regex | RecordKind::String => {
                self.counted(reference.index).map(|content| content.len() + 2)
            }
            RecordKind::Network => self.network(reference.index).map(|bytes| bytes.len()),
            RecordKind::Bitmask => self.bitmask(reference.index).map(|raw| raw.head + raw.bytes.len()),
        }
    }

    /// Calls `visit` with every reference into the pool.
    pub(crate) fn for_each_reference(&self, mut visit: impl FnMut(PoolReference)) {
        for &(table, _) in &self.layout().tables {
            let kind = match table {
                Table::Policies => continue,
                Table::Regexes => RecordKind::Regex,
                _ => RecordKind::String,
            };
            for (at, index) in (0_u32..).zip(self.table(table)) {
                visit(PoolReference { index, kind, count: 0, from: Site::Table(table, at) });
            }
        }
        for (at, profile) in (0_usize..self.profile_count()).zip(0_u32..) {
            let Some(head) = self.profile_head(at) else { break };
            let from = Site::Profile(profile);
            visit(PoolReference { index: head.name, kind: RecordKind::String, count: 0, from });
            if head.base != 0 {
                visit(PoolReference { index: head.base, kind: RecordKind::String, count: 0, from });
            }
            if head.flag_mask != 0 {
                visit(PoolReference { index: head.flag_mask, kind: RecordKind::Bitmask, count: 0, from });
            }
        }
        for (at, node) in (0_u32..).zip(self.nodes()) {
            self.node_references(Site::Node(at), node, &mut visit);
        }
    }

    fn node_references(&self, from: Site, node: Node, visit: &mut impl FnMut(PoolReference)) {
        match node {
            Node::Test { filter, alternative, argument, .. } => {
                let kind = match (filter_kind(self.header().generation, filter), alternative) {
                    (Some(FilterKind::Pattern), false) => RecordKind::Pattern,
                    (Some(FilterKind::String), false) => RecordKind::String,
                    (Some(FilterKind::Network), false) => RecordKind::Network,
                    (Some(FilterKind::Integer), true) | (Some(FilterKind::Bitmask), false) => RecordKind::Bitmask,
                    _ => return,
                };
                visit(PoolReference { index: argument, kind, count: 0, from });
            }
            Node::Terminal { payload: Payload::Inline(modifier), .. } => self.modifier_reference(from, modifier, visit),
            Node::Terminal { payload: Payload::Array { count, index, .. }, .. } => {
                visit(PoolReference { index, kind: RecordKind::ModifierArray, count, from });
                let entries = self.modifier_array(index, count).unwrap_or_default();
                for entry in entries.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok()) {
                    self.modifier_reference(from, RawModifier::read(entry), visit);
                }
            }
            Node::Terminal { .. } | Node::Invalid(_) => {}
        }
    }

    fn modifier_reference(&self, from: Site, modifier: RawModifier, visit: &mut impl FnMut(PoolReference)) {
        if modifier_kind(self.header().format(), modifier.id) == ModifierKind::String {
            visit(PoolReference { index: modifier.argument, kind: RecordKind::String, count: 0, from });
        }
    }
}
