//! The keys of a range alone.

use std::iter::FusedIterator;

use super::range::Range;
use crate::key::Key;

/// The keys of a [`Range`] in order, from either end. Values are not copied.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// db.put_many(run, [("a", 1_i64), ("b", 2)])?;
/// let names: Vec<_> = db.range(..).keys().rev().map(|key| key.user_key().to_vec()).collect();
/// assert_eq!(names, [b"b", b"a"]);
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "iterators are lazy: what is not iterated is not read"]
pub struct Keys<'a>(pub(super) Range<'a>);

impl Iterator for Keys<'_> {
    type Item = Key;

    #[inline]
    fn next(&mut self) -> Option<Key> {
        self.0.next_ref().map(|entry| entry.to_key())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    fn count(self) -> usize {
        self.0.count()
    }

    fn nth(&mut self, number: usize) -> Option<Key> {
        self.0.skip_entries(number)?;
        self.next()
    }
}

impl DoubleEndedIterator for Keys<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Key> {
        self.0.next_back_ref().map(|entry| entry.to_key())
    }
}

impl FusedIterator for Keys<'_> {}
