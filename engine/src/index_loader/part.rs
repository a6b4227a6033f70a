//! A part of the keys, with the newest version of each.

use super::sorted::{Headed, Sorted};
use crate::mvcc::Record;

/// Records that a part takes before it drops those that are not the newest of their key.
fn compact_from() -> usize {
    if rt::probe::is_simulated() { 16 } else { 16 << 10 }
}

/// The writes to some of the keys.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Sorted up to where they were compacted the last time.
    records: Sorted,
    compact_at: usize,
}

impl Part {
    #[inline]
    pub(super) fn add(&mut self, record: Record) {
        self.records.push(record);
        if self.records.len() >= self.compact_at.max(compact_from()) {
            self.compact();
            self.compact_at = self.records.len() * 2;
        }
    }

    /// Keeps only the newest version of each key, in key order.
    fn compact(&mut self) {
        let Sorted { records, .. } = &mut self.records;
        let newest_first = |a: &Headed, b: &Headed| b.record.version().cmp(&a.record.version());
        records.sort_by(|a, b| a.cmp_key(b).then_with(|| newest_first(a, b)));
        records.dedup_by(|later, first| later.cmp_key(first).is_eq());
        self.records.find_prefix();
    }

    /// Returns the newest version of each key, in key order: deletes too, as the checkpoint may have the key.
    pub(super) fn finish(mut self) -> Sorted {
        self.compact();
        self.records
    }
}
