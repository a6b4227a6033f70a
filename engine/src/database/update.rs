//! Reading a key and writing it in one operation, and many keys at once, each a transaction of its own.

use super::Database;
use crate::error::{Error, Result};
use crate::key::{IntoKey, Key};
use crate::run_id::RunId;
use crate::value::Value;

impl Database {
    /// Writes what `change` makes of the value that a key has, in a transaction of its own; runs it again
    /// after a conflict.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.update(run, "words", |words: Option<String>| words.unwrap_or_default() + "more")?;
    /// assert_eq!(db.get("words")?, Some("more".to_owned()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction) and [`Transaction::update`](crate::Transaction::update).
    pub fn update<V, W>(
        &self,
        run: RunId,
        key: impl IntoKey,
        mut change: impl FnMut(Option<V>) -> W,
    ) -> Result<()>
    where
        V: TryFrom<Value>,
        W: TryInto<Value>,
        Error: From<V::Error> + From<W::Error>,
    {
        let key = key.into_key();
        self.transaction(run, |txn| txn.update(&key, &mut change))
    }

    /// Like [`Transaction::fetch_update`](crate::Transaction::fetch_update), in a transaction of its own;
    /// runs it again after a conflict.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "tickets", 1_u64)?;
    /// let before = db.fetch_update(run, "tickets", |left: Option<u64>| left?.checked_sub(1))?;
    /// assert_eq!((before, db.get("tickets")?), (Some(1), Some(0_u64)));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction) and
    /// [`Transaction::fetch_update`](crate::Transaction::fetch_update).
    pub fn fetch_update<V>(
        &self,
        run: RunId,
        key: impl IntoKey,
        mut change: impl FnMut(Option<V>) -> Option<V>,
    ) -> Result<Option<V>>
    where
        V: TryFrom<Value> + TryInto<Value> + Clone,
        Error: From<<V as TryFrom<Value>>::Error> + From<<V as TryInto<Value>>::Error>,
    {
        let key = key.into_key();
        self.transaction(run, |txn| txn.fetch_update(&key, &mut change))
    }

    /// Adds to an integer, which is 0 if the key is absent, in a transaction of its own. Returns the sum.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// assert_eq!(db.increment(run, "visits", 1)?, 1);
    /// assert_eq!(db.increment(run, "visits", 1)?, 2);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction) and [`Transaction::increment`](crate::Transaction::increment).
    pub fn increment(&self, run: RunId, key: impl IntoKey, by: i64) -> Result<i64> {
        let key = key.into_key();
        self.transaction(run, |txn| txn.increment(&key, by))
    }

    /// Returns the value of a key; if the key is absent, writes what `make` returns first, in a transaction
    /// of its own.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// assert_eq!(db.get_or_insert_with(run, "port", || 8_080_u64)?, 8_080);
    /// assert_eq!(db.get_or_insert_with(run, "port", || 9_090_u64)?, 8_080);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction) and
    /// [`Transaction::get_or_insert_with`](crate::Transaction::get_or_insert_with).
    pub fn get_or_insert_with<V>(
        &self,
        run: RunId,
        key: impl IntoKey,
        mut make: impl FnMut() -> V,
    ) -> Result<V>
    where
        V: TryFrom<Value> + TryInto<Value> + Clone,
        Error: From<<V as TryFrom<Value>>::Error> + From<<V as TryInto<Value>>::Error>,
    {
        let key = key.into_key();
        self.transaction(run, |txn| txn.get_or_insert_with(&key, &mut make))
    }

    /// Deletes a key and returns the value that it had, in a transaction of its own: of several that take it,
    /// one gets it.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "job", "first")?;
    /// assert_eq!(db.take(run, "job")?, Some("first".to_owned()));
    /// assert_eq!(db.take::<String>(run, "job")?, None);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction) and [`Transaction::take`](crate::Transaction::take).
    pub fn take<V>(&self, run: RunId, key: impl IntoKey) -> Result<Option<V>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        let key = key.into_key();
        self.transaction(run, |txn| txn.take(&key))
    }

    /// Reads many keys as of one moment, in the order in which they are given.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put_many(run, [("a", 1_i64), ("c", 3)])?;
    /// assert_eq!(db.get_many(["a", "b", "c"])?, [Some(1_i64), None, Some(3)]);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] when a value has another type than asked for.
    pub fn get_many<V>(&self, keys: impl IntoIterator<Item = impl IntoKey>) -> Result<Vec<Option<V>>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        self.read(|snapshot| snapshot.get_many(keys))
    }

    /// Writes many keys in one transaction: all of them are there, or none.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put_many(run, (0..10_i64).map(|number| (format!("item/{number}"), number)))?;
    /// assert_eq!(db.prefix("item/").count(), 10);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_many<V>(&self, run: RunId, entries: impl IntoIterator<Item = (impl IntoKey, V)>) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let entries = entries
            .into_iter()
            .map(|(key, value)| Ok((key.into_key(), value.try_into()?)))
            .collect::<Result<Vec<(Key, Value)>>>()?;
        self.transaction(run, |txn| {
            entries.iter().try_for_each(|(key, value)| txn.put::<Value>(key, value.clone()))
        })
    }
}
