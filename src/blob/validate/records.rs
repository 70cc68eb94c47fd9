//! Checks of the pool.

use super::super::error::Site;
use super::super::records::{Record, RecordKind};
use super::{Id, Run};
use crate::pattern::{self, code::PatternTree};

/// Protocol sets that SBPL can name (`spec/blob-format.md` section 9.1).
const PROTOCOL_SETS: [u8; 9] = [1, 2, 3, 5, 6, 7, 9, 10, 11];

impl Run<'_, '_> {
    /// Every record, then how they lie together.
    pub(super) fn pool(&mut self) {
        let blob = self.blob;
        let mut outside = Vec::new();
        blob.for_each_reference(|reference| {
            if blob.record_len(&reference).is_none() {
                outside.push(reference);
            }
        });
        for reference in outside {
            self.require(false, Id::Records, reference.from, || {
                format!("{} at pool index {} does not end inside the file", reference.kind.name(), reference.index)
            });
        }
        let records = blob.records();
        self.placement(&records);
        // Overlapping records (a fault already) could make the sum of their contents much larger than the file.
        // One range is counted once, however many kinds of record share it.
        let mut budget = blob.pool().len();
        let mut previous = None;
        for record in &records {
            let length = if previous == Some(&record.range) { 0 } else { record.range.len() };
            match budget.checked_sub(length) {
                Some(rest) => budget = rest,
                None => break,
            }
            previous = Some(&record.range);
            self.content(record);
        }
    }

    fn placement(&mut self, records: &[Record]) {
        let bytes = self.blob.bytes();
        let mut end = self.blob.layout().pool;
        let mut previous: Option<&Record> = None;
        for record in records {
            // A pattern and a string with equal bytes may be one record.
            let shared = previous.is_some_and(|previous| previous.range == record.range);
            if record.range.start < end && !shared {
                let message = format!("its {} starts inside another record", record.kind.name());
                self.fault(Id::Overlap, record.range.start, record.first_user, message);
            } else if !shared {
                let gap = bytes.get(end..record.range.start).unwrap_or_default();
                self.gap(end, gap);
            }
            end = end.max(record.range.end);
            previous = Some(record);
        }
        if end < bytes.len() {
            let message = format!("{} bytes behind the last record", bytes.len() - end);
            self.fault(Id::Gaps, end, "pool", message);
        }
    }

    fn gap(&mut self, start: usize, gap: &[u8]) {
        if gap.len() >= 8 {
            self.fault(Id::Gaps, start, "pool", format!("{} bytes that nothing refers to", gap.len()));
        } else if gap.iter().any(|&byte| byte != 0) {
            self.fault(Id::Gaps, start, "pool", "padding between records is not zero");
        }
    }

    fn content(&mut self, record: &Record) {
        let blob = self.blob;
        let content = blob.counted(record.index).unwrap_or_default();
        let mut fault = |check, message: String| self.fault(check, record.range.start, record.first_user, message);
        match record.kind {
            RecordKind::ModifierArray => {}
            RecordKind::String => {
                if content.last() != Some(&0) {
                    fault(Id::Strings, "the string does not end with NUL".to_owned());
                }
            }
            RecordKind::Pattern => match pattern::code::decode(content) {
                Ok(tree) => self.variables(record, &tree),
                Err(error) => fault(Id::Patterns, format!("{error} at byte {:#x} of the code", error.offset)),
            },
            RecordKind::Regex => {
                if let Err(error) = pattern::regex::code::decode(content) {
                    fault(Id::Regexes, format!("{error} at byte {:#x} of the record", error.offset));
                }
            }
            RecordKind::Network => {
                let [protocols, host, ..] = blob.network(record.index).unwrap_or_default();
                if !PROTOCOL_SETS.contains(&protocols) || host > 1 {
                    fault(Id::Networks, format!("protocol set {protocols}, host {host}"));
                }
            }
            RecordKind::Bitmask => {
                let version = blob.bitmask(record.index).and_then(|raw| raw.version);
                if version.is_some_and(|version| version != (1, 0)) {
                    fault(Id::Bitmasks, format!("version {version:?}"));
                }
            }
        }
    }

    fn variables(&mut self, record: &Record, tree: &PatternTree) {
        let limit = self.blob.header().var_count;
        let beyond = tree.variables().find(|&number| number >= limit.into());
        if let Some(number) = beyond {
            let site: Site = record.first_user;
            self.fault(Id::Variables, record.range.start, site, format!("variable {number}, but there are {limit}"));
        }
    }
}
