//! Read set: which keys and ranges a transaction has read, for validation.

use smallvec::SmallVec;

use crate::key::Key;
use crate::mvcc::Hint;
use crate::range::KeyRange;
use crate::types::Version;

/// The size from which duplicates are dropped, and again whenever the set has grown to twice what was left.
const COMPACT_FROM: usize = 64;

/// Point reads and ranges.
#[derive(Debug, Default)]
pub(crate) struct ReadSet {
    points: SmallVec<[ReadEntry; 1]>,
    ranges: Vec<KeyRange>,
    compact_at: usize,
    compact_ranges_at: usize,
}

/// One point read.
#[derive(Debug)]
pub(crate) struct ReadEntry {
    pub(crate) key: Key,
    /// Where it was found, or would have been.
    pub(crate) hint: Hint,
    pub(crate) version: Version,
}

impl ReadSet {
    pub(crate) fn add_point(&mut self, entry: ReadEntry) {
        if self.points.last().is_some_and(|last| last.key == entry.key) {
            return;
        }
        self.points.push(entry);
        if self.points.len() >= self.compact_at.max(COMPACT_FROM) {
            self.points.sort_by(|a, b| a.key.cmp(&b.key));
            self.points.dedup_by(|a, b| a.key == b.key);
            self.compact_at = self.points.len() * 2;
        }
    }

    pub(crate) fn add_range(&mut self, range: KeyRange) {
        if self.ranges.len() < COMPACT_FROM {
            if !self.ranges.contains(&range) {
                self.ranges.push(range);
            }
            return;
        }
        // Of many, comparing each with all would take as long as all together.
        self.ranges.push(range);
        if self.ranges.len() >= self.compact_ranges_at.max(2 * COMPACT_FROM) {
            self.ranges.sort_by(|a, b| a.start().cmp(b.start()).then_with(|| a.end().cmp(&b.end())));
            self.ranges.dedup();
            self.compact_ranges_at = self.ranges.len() * 2;
        }
    }

    /// Adds a range that is about to be walked, whole; [`close_range`](Self::close_range) takes it out again.
    /// A walk that is never closed conflicts with more than it saw, and not with less.
    pub(crate) fn open_range(&mut self, range: KeyRange) {
        self.ranges.push(range);
    }

    /// Takes out the range that was opened last.
    pub(crate) fn close_range(&mut self) {
        self.ranges.pop();
    }

    pub(crate) fn points(&self) -> &[ReadEntry] {
        &self.points
    }

    pub(crate) fn ranges(&self) -> &[KeyRange] {
        &self.ranges
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
