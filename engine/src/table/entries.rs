//! The entries of a table, one by one.

use std::iter::FusedIterator;
use std::marker::PhantomData;

use super::{Table, TableValue};
use crate::error::Result;
use crate::iter::{Entry, Range};
use crate::tuple::{FromKeyPart, KeyPart};

/// Keys and values of a [`Table`] in key order, from either end: a [`Range`] that decodes.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// let squares = stormproof::Table::<u32, u32>::new("squares");
/// for number in 0..10 {
///     db.table(&squares).put(run, &number, number * number)?;
/// }
/// let table = db.table(&squares);
/// assert_eq!(table.range(7..).next_back().expect("three")?, (9, 81));
/// assert_eq!(table.iter().after(&3).limit(2).map(|entry| entry.map(|(key, _)| key)).collect::<Result<Vec<_>, _>>()?, [4, 5]);
/// assert_eq!(table.iter().before(&3).rev().next().expect("three")?, (2, 4));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "iterators are lazy: what is not iterated is not read"]
pub struct TableEntries<'a, K, V> {
    range: Range<'a>,
    table: Table<K, V>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<'a, K, V> TableEntries<'a, K, V> {
    pub(super) fn new(table: &Table<K, V>, range: Range<'a>) -> Self {
        Self { range, table: table.clone(), types: PhantomData }
    }

    /// Limits the iterator to this many entries, from both ends together.
    pub fn limit(mut self, limit: usize) -> Self {
        self.range = self.range.limit(limit);
        self
    }

    /// Leaves only what comes after a key.
    pub fn after(mut self, key: &K) -> Self
    where
        K: KeyPart,
    {
        self.range = self.range.after(self.table.under(key));
        self
    }

    /// Leaves only what comes before a key.
    pub fn before(mut self, key: &K) -> Self
    where
        K: KeyPart,
    {
        self.range = self.range.before(self.table.under(key));
        self
    }
}

impl<K: FromKeyPart, V: TableValue> TableEntries<'_, K, V> {
    fn decode(&self, entry: Entry) -> Result<(K, V)> {
        let (key, value) = entry.into_pair();
        Ok((self.table.key_of(&key)?, V::from_stored(value)?))
    }
}

impl<K: FromKeyPart, V: TableValue> Iterator for TableEntries<'_, K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.range.next()?;
        Some(self.decode(entry))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }

    fn count(self) -> usize {
        self.range.count()
    }
}

impl<K: FromKeyPart, V: TableValue> DoubleEndedIterator for TableEntries<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.range.next_back()?;
        Some(self.decode(entry))
    }
}

impl<K: FromKeyPart, V: TableValue> FusedIterator for TableEntries<'_, K, V> {}
