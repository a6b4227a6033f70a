//! A table as single operations see and change it.

use std::borrow::Borrow;
use std::ops::RangeBounds;

use super::{Table, TableEntries, TableValue};
use crate::database::Database;
use crate::error::Result;
use crate::run_id::RunId;
use crate::tuple::{FromKeyPart, KeyPart};
use crate::value::Value;

/// A [`Table`] of a [`Database`]: each call is a transaction of its own, or reads as of now.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// let stock = stormproof::Table::<u32, u64>::new("stock");
/// let table = db.table(&stock);
/// table.put(run, &1, 10)?;
/// table.update(run, &1, |left| left.unwrap_or(0) + 5)?;
/// assert_eq!((table.get(&1)?, table.exists(&2), table.len(), table.is_empty()), (Some(15), false, 1, false));
/// assert_eq!((table.iter().count(), table.range(..1).count(), table.prefix(&1).count()), (1, 0, 1));
/// for entry in &table {
///     let (number, left) = entry?;
///     assert_eq!((number, left), (1, 15));
/// }
/// assert_eq!(table.take(run, &1)?, Some(15));
/// table.delete(run, &1)?;
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
pub struct DatabaseTable<'a, K, V> {
    database: &'a Database,
    table: &'a Table<K, V>,
}

impl Database {
    /// Returns a table, for single operations.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// let ages = stormproof::Table::<String, u8>::new("ages");
    /// db.table(&ages).put(run, "ada", 36)?;
    /// assert_eq!(db.table(&ages).get("ada")?, Some(36));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn table<'a, K, V>(&'a self, table: &'a Table<K, V>) -> DatabaseTable<'a, K, V> {
        DatabaseTable { database: self, table }
    }
}

impl<K, V> DatabaseTable<'_, K, V> {
    /// Reads a key as of now; `None` if it is absent.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) when what is stored is of another type.
    pub fn get<Q: KeyPart + ?Sized>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.database.get::<Value>(self.table.under(key))?.map(V::from_stored).transpose()
    }

    /// Returns whether a key is present now.
    pub fn exists<Q: KeyPart + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.database.exists(self.table.under(key))
    }

    /// Writes a key.
    ///
    /// # Errors
    /// As [`Database::put`].
    pub fn put<Q: KeyPart + ?Sized>(&self, run: RunId, key: &Q, value: V) -> Result<()>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.database.put(run, self.table.under(key), value.into_stored()?)
    }

    /// Writes what `change` makes of the value of a key; runs it again after a conflict.
    ///
    /// # Errors
    /// As [`Database::update`].
    pub fn update<Q: KeyPart + ?Sized>(
        &self,
        run: RunId,
        key: &Q,
        mut change: impl FnMut(Option<V>) -> V,
    ) -> Result<()>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.database.transaction(run, |txn| txn.table(self.table).update(key, &mut change))
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// As [`Database::delete`].
    pub fn delete<Q: KeyPart + ?Sized>(&self, run: RunId, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
    {
        self.database.delete(run, self.table.under(key))
    }

    /// Deletes a key and returns the value that it had: of several that take it, one gets it.
    ///
    /// # Errors
    /// As [`Database::take`].
    pub fn take<Q: KeyPart + ?Sized>(&self, run: RunId, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.database.transaction(run, |txn| txn.table(self.table).take(key))
    }

    /// Returns how many entries there are, by counting them.
    pub fn len(&self) -> usize {
        self.database.range(self.table.whole()).count()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.database.range(self.table.whole()).next_ref().is_none()
    }

    /// Returns all entries as of now, lazily, in key order or backwards.
    pub fn iter(&self) -> TableEntries<'static, K, V> {
        TableEntries::new(self.table, self.database.range(self.table.whole()))
    }

    /// Returns the entries of a range of keys.
    pub fn range(&self, range: impl RangeBounds<K>) -> TableEntries<'static, K, V>
    where
        K: KeyPart + FromKeyPart,
    {
        TableEntries::new(self.table, self.database.range(self.table.bounds(&range)))
    }

    /// Returns the entries whose keys begin with the elements of this tuple.
    pub fn prefix<Q: KeyPart + ?Sized>(&self, tuple: &Q) -> TableEntries<'static, K, V> {
        TableEntries::new(self.table, self.database.range(self.table.with_prefix(tuple)))
    }
}

impl<K: FromKeyPart, V: TableValue> IntoIterator for &DatabaseTable<'_, K, V> {
    type Item = Result<(K, V)>;
    type IntoIter = TableEntries<'static, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
