//! The buffered writes of a transaction to the keys of a range, from both ends.

use std::cmp::Ordering;

use crate::commit::{BufferedWrite, WriteSet};
use crate::key::Key;
use crate::range::KeyRange;

/// Writes in key order, each to be taken once.
#[derive(Debug, Default)]
pub(super) struct OwnWrites<'a>(std::vec::IntoIter<(&'a Key, &'a BufferedWrite)>);

impl<'a> OwnWrites<'a> {
    pub(super) fn new(writes: &'a WriteSet, range: &KeyRange) -> Self {
        if writes.is_empty() {
            return Self::default();
        }
        Self(writes.in_range(range).into_iter())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    /// Returns how the next write, seen from an end, compares with a key: `Less` comes before it from there.
    /// `None` if there is no write left.
    pub(super) fn order<const BACK: bool>(&self, key: &[u8]) -> Option<Ordering> {
        let (own, _) = if BACK { self.0.as_slice().last() } else { self.0.as_slice().first() }?;
        let order = own.as_bytes().cmp(key);
        Some(if BACK { order.reverse() } else { order })
    }

    /// Returns whether the next write, seen from an end, is a delete.
    pub(super) fn is_delete<const BACK: bool>(&self) -> bool {
        let next = if BACK { self.0.as_slice().last() } else { self.0.as_slice().first() };
        next.is_some_and(|(_, write)| write.value.is_none())
    }

    /// Takes the next write, seen from an end.
    pub(super) fn take<const BACK: bool>(&mut self) -> Option<(&'a Key, &'a BufferedWrite)> {
        if BACK { self.0.next_back() } else { self.0.next() }
    }

    /// Leaves only the writes to keys of a range.
    pub(super) fn narrow(&mut self, range: &KeyRange) {
        let left: Vec<_> = self.0.as_slice().iter().copied().filter(|(key, _)| range.contains(key)).collect();
        self.0 = left.into_iter();
    }
}
