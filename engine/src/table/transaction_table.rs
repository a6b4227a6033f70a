//! A table as a transaction sees and changes it.

use std::borrow::Borrow;
use std::ops::RangeBounds;

use super::{Table, TableEntries, TableValue};
use crate::error::Result;
use crate::tuple::{FromKeyPart, KeyPart};
use crate::txn::Transaction;

/// A [`Table`] as a [`Transaction`] sees and changes it.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// let stock = stormproof::Table::<u32, u64>::new("stock");
/// db.transaction(run, |txn| {
///     let mut stock = txn.table(&stock);
///     stock.insert(&1, 10)?;
///     stock.put(&2, 20)?;
///     stock.update(&1, |left| left.unwrap_or(0) + 5)?;
///     assert_eq!((stock.get(&1)?, stock.take(&2)?, stock.take(&3)?), (Some(15), Some(20), None));
///     stock.delete(&3)?;
///     assert!(stock.exists(&1)? && !stock.is_empty()?);
///     assert_eq!(stock.len()?, 1);
///     assert_eq!(stock.iter()?.count(), 1);
///     assert_eq!(stock.range(2..)?.count(), 0);
///     assert_eq!(stock.prefix(&1)?.next().expect("one")?, (1, 15));
///     Ok(())
/// })?;
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
pub struct TransactionTable<'a, K, V> {
    txn: &'a mut Transaction,
    table: &'a Table<K, V>,
}

impl Transaction {
    /// Returns a table as the transaction sees and changes it.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// let ages = stormproof::Table::<String, u8>::new("ages");
    /// db.transaction(run, |txn| txn.table(&ages).put("ada", 36))?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn table<'a, K, V>(&'a mut self, table: &'a Table<K, V>) -> TransactionTable<'a, K, V> {
        TransactionTable { txn: self, table }
    }
}

impl<K, V> TransactionTable<'_, K, V> {
    /// Reads a key; `None` if it is absent.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub fn get<Q: KeyPart + ?Sized>(&mut self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.txn.get_versioned(self.table.under(key))?.value.map(V::from_stored).transpose()
    }

    /// Returns whether a key is present.
    ///
    /// # Errors
    /// As [`Transaction::exists`].
    pub fn exists<Q: KeyPart + ?Sized>(&mut self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
    {
        self.txn.exists(self.table.under(key))
    }

    /// Writes a key.
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn put<Q: KeyPart + ?Sized>(&mut self, key: &Q, value: V) -> Result<()>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.txn.put(self.table.under(key), value.into_stored()?)
    }

    /// Writes a key on the condition that it is absent.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn insert<Q: KeyPart + ?Sized>(&mut self, key: &Q, value: V) -> Result<()>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        self.txn.insert(self.table.under(key), value.into_stored()?)
    }

    /// Writes what `change` makes of the value of a key, `None` if the key is absent.
    ///
    /// # Errors
    /// As [`Transaction::get`] and [`Transaction::put`].
    pub fn update<Q: KeyPart + ?Sized>(&mut self, key: &Q, change: impl FnOnce(Option<V>) -> V) -> Result<()>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        let changed = change(self.get(key)?);
        self.put(key, changed)
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// As [`Transaction::delete`].
    pub fn delete<Q: KeyPart + ?Sized>(&mut self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
    {
        self.txn.delete(self.table.under(key))
    }

    /// Deletes a key and returns the value that it had.
    ///
    /// # Errors
    /// As [`Transaction::get`] and [`Transaction::delete`].
    pub fn take<Q: KeyPart + ?Sized>(&mut self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        V: TableValue,
    {
        let found = self.get(key)?;
        // A delete of an absent key would be a write that may conflict.
        if found.is_some() {
            self.delete(key)?;
        }
        Ok(found)
    }

    /// Returns how many entries there are, by counting them: a read of the whole table.
    ///
    /// # Errors
    /// As [`Transaction::range`].
    pub fn len(&mut self) -> Result<usize> {
        Ok(self.txn.range(self.table.whole())?.count())
    }

    /// Returns whether there are none.
    ///
    /// # Errors
    /// As [`Transaction::range`].
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(self.txn.range(self.table.whole())?.next_ref().is_none())
    }

    /// Returns all entries, lazily, in key order or backwards.
    ///
    /// # Errors
    /// As [`Transaction::range`].
    pub fn iter(&mut self) -> Result<TableEntries<'_, K, V>> {
        Ok(TableEntries::new(self.table, self.txn.range(self.table.whole())?))
    }

    /// Returns the entries of a range of keys.
    ///
    /// # Errors
    /// As [`Transaction::range`].
    pub fn range(&mut self, range: impl RangeBounds<K>) -> Result<TableEntries<'_, K, V>>
    where
        K: KeyPart + FromKeyPart,
    {
        Ok(TableEntries::new(self.table, self.txn.range(self.table.bounds(&range))?))
    }

    /// Returns the entries whose keys begin with the elements of this tuple.
    ///
    /// # Errors
    /// As [`Transaction::range`].
    pub fn prefix<Q: KeyPart + ?Sized>(&mut self, tuple: &Q) -> Result<TableEntries<'_, K, V>> {
        Ok(TableEntries::new(self.table, self.txn.range(self.table.with_prefix(tuple))?))
    }
}
