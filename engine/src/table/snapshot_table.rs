//! A table as a snapshot sees it.

use std::borrow::Borrow;
use std::ops::RangeBounds;

use super::{Table, TableEntries, TableValue};
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::tuple::{FromKeyPart, KeyPart};

/// A [`Table`] as a [`Snapshot`] sees it.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// let ages = stormproof::Table::<String, u8>::new("ages");
/// db.table(&ages).put(run, "ada", 36)?;
/// db.read(|snapshot| {
///     let ages = snapshot.table(&ages);
///     assert_eq!((ages.get("ada")?, ages.get("bob")?), (Some(36), None));
///     assert!(ages.exists("ada") && !ages.is_empty());
///     assert_eq!((ages.len(), ages.iter().count()), (1, 1));
///     assert_eq!(ages.range("a".to_owned()..).count() + ages.prefix("ada").count(), 2);
///     Ok::<(), stormproof::Error>(())
/// })?;
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
pub struct SnapshotTable<'a, K, V> {
    snapshot: &'a Snapshot,
    table: &'a Table<K, V>,
}

impl Snapshot {
    /// Returns a table as the snapshot sees it.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// let ages = stormproof::Table::<String, u8>::new("ages");
    /// assert!(db.snapshot().table(&ages).is_empty());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn table<'a, K, V>(&'a self, table: &'a Table<K, V>) -> SnapshotTable<'a, K, V> {
        SnapshotTable { snapshot: self, table }
    }
}

impl<'a, K, V> SnapshotTable<'a, K, V> {
    /// Reads a key; `None` if it is absent.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) when what is stored is of another type.
    pub fn get<Q: KeyPart + ?Sized>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.snapshot.value(self.table.under(key)).map(V::from_stored).transpose()
    }

    /// Returns whether a key is present.
    pub fn exists<Q: KeyPart + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.snapshot.exists(self.table.under(key))
    }

    /// Returns how many entries there are, by counting them.
    pub fn len(&self) -> usize {
        self.snapshot.range(self.table.whole()).count()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.snapshot.range(self.table.whole()).next_ref().is_none()
    }

    /// Returns all entries, lazily, in key order or backwards.
    pub fn iter(&self) -> TableEntries<'a, K, V> {
        TableEntries::new(self.table, self.snapshot.range(self.table.whole()))
    }

    /// Returns the entries of a range of keys.
    pub fn range(&self, range: impl RangeBounds<K>) -> TableEntries<'a, K, V>
    where
        K: KeyPart + FromKeyPart,
    {
        TableEntries::new(self.table, self.snapshot.range(self.table.bounds(&range)))
    }

    /// Returns the entries whose keys begin with the elements of this tuple.
    pub fn prefix<Q: KeyPart + ?Sized>(&self, tuple: &Q) -> TableEntries<'a, K, V> {
        TableEntries::new(self.table, self.snapshot.range(self.table.with_prefix(tuple)))
    }
}

impl<'a, K: FromKeyPart, V: TableValue> IntoIterator for &SnapshotTable<'a, K, V> {
    type Item = Result<(K, V)>;
    type IntoIter = TableEntries<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
