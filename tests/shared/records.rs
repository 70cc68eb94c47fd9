//! A tiny reader of the reference blobs, for the tests of the pattern room: it finds pattern and regex records and nothing
//! else (header layouts: `spec/blob-format.md` §1, §2, §12).

use std::collections::BTreeMap;
use std::path::Path;

/// Pattern and regex records of one blob.
pub(crate) struct Records {
    /// Distinct pattern records by offset: code without the length word, and the filter ids that use it.
    pub(crate) patterns: BTreeMap<usize, (Vec<u8>, Vec<u8>)>,
    /// Regex records in table order, without the outer length word.
    pub(crate) regexes: Vec<Vec<u8>>,
    /// Names of the variables.
    pub(crate) variables: Vec<Vec<u8>>,
}

/// Where the generations keep their counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// iOS 13, macOS 10.15.
    Old,
    /// macOS 14, iOS 17.
    Fourteen,
    /// macOS 15, iOS 26.
    Fifteen,
}

/// The reference blobs: tag, file, layout.
pub(crate) const BLOBS: &[(&str, &str, Layout)] = &[
    ("P17", "ios-17-platform.bin", Layout::Fourteen),
    ("P15", "macos-15.2-platform.bin", Layout::Fifteen),
    ("P26", "ios-26-platform.bin", Layout::Fifteen),
    ("X17", "ios-17-collection.bin", Layout::Fourteen),
    ("B13", "ios-13-collection.bin", Layout::Old),
];

/// Filters whose argument is a pattern (`spec/blob-format.md` §6).
const PATTERN_FILTERS: &[u8] = &[
    1, 2, 3, 5, 6, 7, 10, 17, 18, 19, 24, 25, 27, 28, 32, 33, 34, 35, 38, 39, 45, 48, 49, 50, 51, 53, 62, 69, 70, 72,
    81, 90, 91,
];

pub(crate) fn load(shared: &Path, name: &str) -> Records {
    let (_, file, layout) = BLOBS.iter().find(|(tag, ..)| *tag == name).unwrap();
    read(&std::fs::read(shared.join("golden/blobs").join(file)).unwrap(), *layout)
}

pub(crate) fn read(blob: &[u8], layout: Layout) -> Records {
    let word = |at: usize| usize::from(u16::from_le_bytes([blob[at], blob[at + 1]]));
    let byte = |at: usize| usize::from(blob[at]);
    let (ops, nodes) = (byte(4), word(2));
    // Header length, regexes, variables, words of the other tables, profiles, words of a record's head.
    let (head, regexes, variables, others, profiles, record) = match layout {
        Layout::Old => (12, word(8), byte(10), byte(11), word(6), 2),
        Layout::Fourteen => (14, word(10), byte(5), byte(6) + word(12), word(8), 2),
        Layout::Fifteen => {
            let flags = byte(7) + word(8);
            (16, word(12), byte(5), byte(6) + flags + word(14), word(10), 4)
        }
    };
    let collection = word(0) & 0x8000 != 0;
    let tables = head + 2 * (regexes + variables + others);
    let end = tables + if collection { profiles * 2 * (record + ops) } else { 2 * ops };
    let base = end.next_multiple_of(8);
    let pool = base + 8 * nodes;
    let record = |index: usize| {
        let at = pool + 8 * index;
        (at, blob[at + 2..at + 2 + word(at)].to_vec())
    };
    let mut patterns: BTreeMap<usize, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for node in blob[base..pool].chunks_exact(8) {
        if node[0] == 0 && PATTERN_FILTERS.contains(&node[1]) {
            let (at, code) = record(usize::from(u16::from_le_bytes([node[2], node[3]])));
            let users = &mut patterns.entry(at).or_insert((code, Vec::new())).1;
            if !users.contains(&node[1]) {
                users.push(node[1]);
            }
        }
    }
    let table = |from: usize, count: usize| (0..count).map(move |i| word(from + 2 * i));
    Records {
        patterns,
        regexes: table(head, regexes).map(|index| record(index).1).collect(),
        variables: table(head + 2 * regexes, variables)
            .map(|index| {
                let mut name = record(index).1;
                name.pop();
                name
            })
            .collect(),
    }
}
