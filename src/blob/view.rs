//! A blob seen where it lies: nothing is copied, nothing is resolved.

use super::generation::{BitmaskForm, Table};
use super::header::{NODE_LEN, ProfileHead};
use super::node::Node;
use super::{BlobError, Generation, Header, Layout};

/// How to read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The generation, when it is known; else it is told from the bytes.
    pub generation: Option<Generation>,
    /// Largest file that is accepted.
    pub max_bytes: usize,
}

impl Default for Options {
    /// Generation from the bytes; 16 MiB. The kernel refuses registered profiles above 512 KiB.
    fn default() -> Self {
        Self { generation: None, max_bytes: 16 << 20 }
    }
}

/// A blob whose header was read and whose sections lie inside the file.
#[derive(Debug, Clone)]
pub struct Blob<'a> {
    bytes: &'a [u8],
    header: Header,
    layout: Layout,
}

impl<'a> Blob<'a> {
    /// Reads the header and finds the sections. Nodes and pool are not looked at.
    ///
    /// # Errors
    /// [`BlobError::Exhausted`] when the file is too short, and what [`super::detect`] reports when no generation is given.
    pub fn parse(bytes: &'a [u8], options: &Options) -> Result<Self, BlobError> {
        if bytes.len() > options.max_bytes {
            return Err(BlobError::TooLarge { have: bytes.len(), limit: options.max_bytes });
        }
        match options.generation {
            Some(generation) => Self::with_generation(bytes, generation),
            None => Self::with_generation(bytes, super::detect(bytes)?),
        }
    }

    pub(crate) fn with_generation(bytes: &'a [u8], generation: Generation) -> Result<Self, BlobError> {
        let header = Header::read(bytes, generation)?;
        let layout = Layout::of(&header, bytes.len())?;
        Ok(Self { bytes, header, layout })
    }

    /// The whole file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where everything lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn word(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    fn words(&self, start: usize, count: usize) -> impl ExactSizeIterator<Item = u16> + 'a {
        let bytes = self.bytes.get(start..start + 2 * count).unwrap_or_default();
        bytes.chunks_exact(2).map(|pair| match *pair {
            [low, high] => u16::from_le_bytes([low, high]),
            _ => 0,
        })
    }

    /// The entries of `table`; none when the generation has no such table.
    pub fn table(&self, table: Table) -> impl ExactSizeIterator<Item = u16> + 'a {
        let start = self.layout.tables.iter().find(|(other, _)| *other == table).map(|(_, start)| *start);
        let count = if start.is_some() { usize::from(self.header.table_count(table)) } else { 0 };
        self.words(start.unwrap_or(0), count)
    }

    /// Number of op tables: 1, or the profiles of a collection.
    pub fn profile_count(&self) -> usize {
        if self.header.is_collection() { self.header.profile_count.into() } else { 1 }
    }

    pub(crate) fn profile_start(&self, profile: usize) -> usize {
        self.layout.ops + if self.header.is_collection() { profile * self.header.record_len() } else { 0 }
    }

    /// The record head of a collection's profile.
    pub fn profile_head(&self, profile: usize) -> Option<ProfileHead> {
        if !self.header.is_collection() || profile >= self.profile_count() {
            return None;
        }
        let mut head = ProfileHead::default();
        for (at, &field) in self.header.format().record.iter().enumerate() {
            head.set(field, self.word(self.profile_start(profile) + 2 * at)?);
        }
        Some(head)
    }

    /// The op table of `profile` (0 when the blob is no collection): node indexes by operation. Empty for others.
    pub fn op_table(&self, profile: usize) -> impl ExactSizeIterator<Item = u16> + 'a {
        let head = if self.header.is_collection() { 2 * self.header.format().record.len() } else { 0 };
        let count = if profile < self.profile_count() { usize::from(self.header.op_count) } else { 0 };
        self.words(self.profile_start(profile) + head, count)
    }

    /// The node `index`.
    pub fn node(&self, index: u16) -> Option<Node> {
        if index >= self.header.node_count {
            return None;
        }
        let start = self.layout.nodes + NODE_LEN * usize::from(index);
        let bytes = self.bytes.get(start..start + NODE_LEN)?;
        Some(Node::read(bytes.try_into().ok()?, self.header.format().terminal))
    }

    /// All nodes, by index.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = Node> + 'a {
        let form = self.header.format().terminal;
        let end = self.layout.nodes + NODE_LEN * usize::from(self.header.node_count);
        let bytes = self.bytes.get(self.layout.nodes..end).unwrap_or_default();
        bytes.chunks_exact(NODE_LEN).map(move |chunk| match <[u8; NODE_LEN]>::try_from(chunk) {
            Ok(bytes) => Node::read(bytes, form),
            // `chunks_exact` gives chunks of exactly this length.
            Err(_) => Node::Invalid([0xff; NODE_LEN]),
        })
    }

    /// The data pool.
    pub fn pool(&self) -> &'a [u8] {
        self.bytes.get(self.layout.pool..).unwrap_or_default()
    }

    /// The bytes of the pool from `index` (in units of 8 bytes) on.
    pub(crate) fn at(&self, index: u16) -> &'a [u8] {
        self.pool().get(8 * usize::from(index)..).unwrap_or_default()
    }

    /// The content of a record that starts with a `u16` length: patterns, regexes, strings.
    pub fn counted(&self, index: u16) -> Option<&'a [u8]> {
        let (length, rest) = self.at(index).split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_le_bytes(*length)))
    }

    /// The four bytes of a network record.
    pub fn network(&self, index: u16) -> Option<[u8; 4]> {
        self.at(index).first_chunk().copied()
    }

    /// A bit set record: length of its head, number of bits, the bytes.
    pub(crate) fn bitmask(&self, index: u16) -> Option<RawBitmask<'a>> {
        let bytes = self.at(index);
        match self.header.format().bitmask {
            BitmaskForm::Bits => {
                let (bits, rest) = bytes.split_first_chunk::<2>()?;
                let bits = u16::from_le_bytes(*bits);
                Some(RawBitmask { head: 2, bits, version: None, bytes: rest.get(..usize::from(bits.div_ceil(8)))? })
            }
            BitmaskForm::Bytes => {
                let (&[version, zero, low, high], rest) = bytes.split_first_chunk::<4>()?;
                let count = u16::from_le_bytes([low, high]);
                Some(RawBitmask {
                    head: 4,
                    bits: count.saturating_mul(8),
                    version: Some((version, zero)),
                    bytes: rest.get(..usize::from(count))?,
                })
            }
        }
    }

    /// A modifier array of `count` entries. Even an empty one has to begin inside the file.
    pub(crate) fn modifier_array(&self, index: u16, count: u8) -> Option<&'a [u8]> {
        self.pool().get(8 * usize::from(index)..)?.get(..4 * usize::from(count))
    }
}

/// A bit set where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawBitmask<'a> {
    pub(crate) head: usize,
    pub(crate) bits: u16,
    /// The two bytes before the length, where the form has them.
    pub(crate) version: Option<(u8, u8)>,
    pub(crate) bytes: &'a [u8],
}
