//! Which part of a blob is shown: one profile of a collection, some operations, what they reach.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::error::Site;
use super::records::Record;
use super::{Decoded, graph};

/// Which part of a blob is meant; the default is all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The profile of a collection, by record; `None`: all of them.
    pub profile: Option<usize>,
    /// Operations, by number; empty: all of them.
    pub operations: Vec<u8>,
}

/// Operations that share a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationGroup {
    /// The node index of the root.
    pub root: u16,
    /// The operations, ascending.
    pub operations: Vec<u8>,
}

impl Decoded<'_> {
    /// The selected operations of `profile` (0 when the blob is no collection) with the node index of their root.
    pub(super) fn roots(&self, profile: usize, selection: &Selection) -> impl Iterator<Item = (u8, u16)> {
        let wanted = |operation: &u8| selection.operations.is_empty() || selection.operations.contains(operation);
        (0_u8..=u8::MAX).zip(self.blob.op_table(profile)).filter(move |(operation, _)| wanted(operation))
    }

    /// The selected operations of `profile` (0 when the blob is no collection) by root, in the order of each root's first
    /// operation.
    pub fn operation_groups(&self, profile: usize, selection: &Selection) -> Vec<OperationGroup> {
        let mut groups: IndexMap<u16, Vec<u8>> = IndexMap::new();
        for (operation, root) in self.roots(profile, selection) {
            groups.entry(root).or_default().push(operation);
        }
        groups.into_iter().map(|(root, operations)| OperationGroup { root, operations }).collect()
    }

    /// Which nodes the selected operations reach, by index; of the whole blob all.
    pub fn selected_nodes(&self, selection: &Selection) -> Vec<bool> {
        if *selection == Selection::default() {
            return vec![true; self.program.nodes.len()];
        }
        let profiles = selection.profile.map_or(0..self.blob.profile_count(), |profile| profile..profile + 1);
        let roots: Vec<u16> =
            profiles.flat_map(|profile| self.roots(profile, selection)).map(|(_, root)| root).collect();
        graph::reachable_from(&self.blob, &roots)
    }

    /// The records that the selected nodes refer to, and unless single operations are selected also those of the tables and the
    /// profile; of the whole blob all.
    pub fn selected_records(&self, selection: &Selection, selected: &[bool]) -> Vec<&Record> {
        if *selection == Selection::default() {
            return self.records.iter().collect();
        }
        let mut used = BTreeSet::new();
        self.blob.for_each_reference(|reference| {
            let wanted = match reference.from {
                Site::Node(index) => selected.get(index as usize).copied().unwrap_or(false),
                _ if !selection.operations.is_empty() => false,
                Site::Profile(index) => selection.profile.is_none_or(|profile| index as usize == profile),
                Site::Table(..) | Site::Operation { .. } => true,
            };
            if wanted {
                used.insert((reference.index, reference.kind));
            }
        });
        self.records.iter().filter(|record| used.contains(&(record.index, record.kind))).collect()
    }
}
