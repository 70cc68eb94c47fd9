//! Checks of header, tables and graph.

use super::super::error::Site;
use super::super::graph;
use super::super::header::{NODE_LEN, TYPE_MESSAGE_FILTER};
use super::super::kinds::{FilterKind, ModifierKind, filter_kind, modifier_kind};
use super::super::node::{Node, Payload, RawModifier};
use super::super::{Generation, Table};
use super::{Id, Run};

const ENTITLEMENT_LOAD: u8 = 30;
const ENTITLEMENT_VALUES: [u8; 2] = [31, 32];
/// The highest modifier id of 14 and 15; 26 has at least two more.
const LAST_MODIFIER: u8 = 19;
const LAST_MODIFIER_26: u8 = 21;

impl Run<'_, '_> {
    /// Header, padding, op tables and policy table.
    pub(super) fn structure(&mut self) {
        let header = *self.blob.header();
        if header.op_count != header.generation.op_count() {
            let expected = header.generation.op_count();
            let message = format!("{} operations; generation {} has {expected}", header.op_count, header.generation);
            self.fault(Id::OpCount, 4, "header", message);
        }
        if header.node_count == 0 {
            self.fault(Id::NodeCount, 2, "header", "no nodes");
        }
        if header.is_collection() != (header.profile_count > 0) {
            let message = format!("type {:#06x} with {} profiles", header.type_bits, header.profile_count);
            self.fault(Id::Profiles, 0, "header", message);
        }
        let has_filter_bit = header.type_bits & TYPE_MESSAGE_FILTER != 0;
        if !header.is_collection() && has_filter_bit != (header.policy_count > 0) {
            let message = format!("type {:#06x} with {} message filters", header.type_bits, header.policy_count);
            self.fault(Id::MessageFilters, 0, "header", message);
        }
        self.zero_bytes();
        for (at, profile) in (0..self.blob.profile_count()).zip(0_u32..) {
            for (operation, root) in (0_u8..=u8::MAX).zip(self.blob.op_table(at)) {
                let site = Site::Operation { profile, operation };
                self.require(root < header.node_count, Id::Roots, site, || format!("node {root} does not exist"));
            }
        }
        for (at, root) in (0_u32..).zip(self.blob.table(Table::Policies)) {
            let site = Site::Table(Table::Policies, at);
            self.require(root < header.node_count, Id::Policies, site, || format!("node {root} does not exist"));
        }
    }

    fn zero_bytes(&mut self) {
        let bytes = self.blob.bytes();
        for at in self.blob.header().unused_bytes() {
            if bytes.get(at).is_some_and(|&byte| byte != 0) {
                self.fault(Id::Padding, at, "header", "unused byte is not zero");
            }
        }
        let padding = self.blob.layout().section("padding").map(|section| section.range.clone()).unwrap_or_default();
        if bytes.get(padding.clone()).is_some_and(|padding| padding.iter().any(|&byte| byte != 0)) {
            self.fault(Id::Padding, padding.start, "padding", "not zero");
        }
    }

    /// Nodes one by one, then the graph as a whole.
    pub(super) fn graph(&mut self) {
        for (index, node) in (0_u16..).zip(self.blob.nodes()) {
            self.node(index, node);
        }
        if self.violations(Id::Edges) + self.violations(Id::Roots) + self.violations(Id::Policies) > 0 {
            // The graph cannot be walked.
            return;
        }
        if let Some(on_cycle) = graph::find_cycle(self.blob) {
            let site = Site::Node(on_cycle);
            self.fault(Id::Acyclic, self.blob.offset_of(site), site, "lies on a cycle");
            return;
        }
        let reached = graph::reachable(self.blob);
        for (index, _) in (0_u32..).zip(reached).filter(|(_, reached)| !reached) {
            let site = Site::Node(index);
            self.fault(Id::Reachable, self.blob.offset_of(site), site, "nothing leads to it");
        }
        if self.violations(Id::Order) == 0 {
            self.entitlements();
        }
    }

    fn node(&mut self, index: u16, node: Node) {
        let site = Site::Node(index.into());
        match node {
            Node::Test { filter, alternative, argument, matched, unmatched } => {
                let count = self.blob.header().node_count;
                for (name, next) in [("match", matched), ("else", unmatched)] {
                    self.require(next < count, Id::Edges, site, || format!("{name} {next} does not exist"));
                    self.require(next > index, Id::Order, site, || format!("{name} {next} is not behind it"));
                }
                self.require(matched != unmatched, Id::Branches, site, || format!("both lead to {matched}"));
                self.argument(site, filter, alternative, argument);
            }
            Node::Terminal { payload, .. } => self.payload(site, payload),
            Node::Invalid([tag, ..]) => {
                self.fault(Id::NodeKind, self.blob.offset_of(site), site, format!("first byte is {tag}"));
            }
        }
    }

    fn argument(&mut self, site: Site, filter: u8, alternative: bool, argument: u16) {
        let header = *self.blob.header();
        let Some(kind) = filter_kind(header.generation, filter) else {
            return self.require(false, Id::Filters, site, || format!("no filter {filter}"));
        };
        let limit = match (kind, alternative) {
            (FilterKind::Pattern, true) => header.regex_count,
            (FilterKind::State, false) => header.state_count.into(),
            (FilterKind::ProfileFlag, false) => header.flag_b_count,
            (FilterKind::Integer, true) | (_, false) => return,
            (_, true) => {
                return self.require(false, Id::Filters, site, || format!("filter {filter} has no alternative form"));
            }
        };
        self.require(argument < limit, Id::Indexes, site, || format!("number {argument}, but there are {limit}"));
    }

    fn payload(&mut self, site: Site, payload: Payload) {
        match payload {
            Payload::None => {}
            Payload::Inline(modifier) => self.modifier(site, modifier),
            Payload::Array { count, zero, index } => {
                self.require(count >= 2, Id::Payloads, site, || format!("array of {count}"));
                self.require(zero == 0, Id::Payloads, site, || "byte 5 is not zero".to_owned());
                let entries = self.blob.modifier_array(index, count).unwrap_or_default();
                for entry in entries.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok()) {
                    self.modifier(site, RawModifier::read(entry));
                }
            }
            Payload::Small { message, unused, .. } => {
                let limit = u16::from(self.blob.header().message_count);
                self.require(message <= limit, Id::Indexes, site, || format!("message {message} of {limit}"));
                self.require(unused == [0; 3], Id::Payloads, site, || "an unused byte is not zero".to_owned());
            }
        }
    }

    fn modifier(&mut self, site: Site, modifier: RawModifier) {
        let header = *self.blob.header();
        let last = if header.generation == Generation::Macos26 { LAST_MODIFIER_26 } else { LAST_MODIFIER };
        let RawModifier { id, operation, argument } = modifier;
        self.require((1..=last).contains(&id), Id::Modifiers, site, || format!("modifier {id} is unknown"));
        let kind = modifier_kind(header.format(), id);
        let limit = match kind {
            ModifierKind::State => u16::from(header.state_count),
            ModifierKind::Policy => header.policy_count,
            ModifierKind::Integer | ModifierKind::String => u16::MAX,
        };
        if kind != ModifierKind::Integer && kind != ModifierKind::String {
            self.require(argument < limit, Id::Indexes, site, || format!("number {argument}, but there are {limit}"));
        }
        let fits = if kind == ModifierKind::Policy { operation >= header.op_count } else { operation == 0 };
        self.require(fits, Id::Modifiers, site, || format!("modifier {id} for operation {operation}"));
    }

    /// Walks in index order, which edges follow: a value test is loaded when every way to it passed a matched load.
    fn entitlements(&mut self) {
        let mut loaded = vec![true; self.blob.header().node_count.into()];
        let roots = (0..self.blob.profile_count()).flat_map(|at| self.blob.op_table(at));
        for root in roots.chain(self.blob.table(Table::Policies)) {
            if let Some(slot) = loaded.get_mut(usize::from(root)) {
                *slot = false;
            }
        }
        for (index, node) in (0_u16..).zip(self.blob.nodes()) {
            let Node::Test { filter, matched, unmatched, .. } = node else { continue };
            let before = loaded.get(usize::from(index)).copied().unwrap_or(false);
            for (next, value) in [(matched, before || filter == ENTITLEMENT_LOAD), (unmatched, before)] {
                if let Some(slot) = loaded.get_mut(usize::from(next)) {
                    *slot &= value;
                }
            }
            if ENTITLEMENT_VALUES.contains(&filter) && !before {
                let site = Site::Node(index.into());
                let message = format!("filter {filter} can be reached without a matched filter {ENTITLEMENT_LOAD}");
                self.fault(Id::Entitlements, self.blob.offset_of(site), site, message);
            }
        }
    }
}

impl super::super::Blob<'_> {
    /// Where in the file `site` is.
    pub(crate) fn offset_of(&self, site: Site) -> usize {
        match site {
            Site::Node(index) => self.layout().nodes + NODE_LEN * index as usize,
            Site::Table(table, index) => {
                let start =
                    self.layout().tables.iter().find(|(other, _)| *other == table).map_or(0, |(_, start)| *start);
                start + 2 * index as usize
            }
            Site::Operation { profile, operation } => {
                let head = if self.header().is_collection() { 2 * self.header().format().record.len() } else { 0 };
                self.profile_start(profile as usize) + head + 2 * usize::from(operation)
            }
            Site::Profile(index) => self.profile_start(index as usize),
        }
    }
}
