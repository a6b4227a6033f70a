//! A part of the keys, with the newest version of each.

use crate::mvcc::Record;

/// Records that a part takes before it drops those that are not the newest of their key.
fn compact_from() -> usize {
    if rt::probe::is_simulated() { 16 } else { 16 << 10 }
}

/// The writes to some of the keys.
#[derive(Debug, Default)]
pub(super) struct Part {
    records: Vec<Record>,
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
        self.records.sort_by(|a, b| a.key().cmp(b.key()).then(b.version().cmp(&a.version())));
        self.records.dedup_by(|later, first| later.key() == first.key());
    }

    /// Returns the newest version of each key, in key order: deletes too, as the checkpoint may have the key.
    pub(super) fn finish(mut self) -> Vec<Record> {
        self.compact();
        self.records
    }
}
