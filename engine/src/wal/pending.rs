//! Records that are encoded and not written yet.

use rt::time::Instant;

use crate::types::Version;

/// Whole records, in commit order.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) bytes: Vec<u8>,
    /// Number of records, those of withdrawn transactions included.
    pub(crate) records: u64,
    pub(crate) commits: u64,
    /// The version of the last commit; zero if there is none.
    pub(crate) last_version: Version,
    /// When the first commit was added; kept only where an interval bounds its age.
    pub(crate) oldest: Option<Instant>,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Removes all records, and keeps the memory up to `capacity`.
    pub(crate) fn clear(&mut self, capacity: usize) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        bytes.shrink_to(capacity);
        *self = Self { bytes, ..Self::default() };
    }

    /// Moves all records to the front of `later`.
    pub(crate) fn put_back(&mut self, later: &mut Self) {
        self.bytes.extend_from_slice(&later.bytes);
        self.records += later.records;
        self.commits += later.commits;
        self.last_version = self.last_version.max(later.last_version);
        self.oldest = self.oldest.or(later.oldest);
        std::mem::swap(self, later);
        self.clear(usize::MAX);
    }
}
