//! Reading a key and writing it in one call, and many keys at once.

use super::transaction::Transaction;
use crate::error::{Error, Result};
use crate::key::{IntoKey, Key};
use crate::value::Value;

impl Transaction {
    /// Writes what `change` makes of the value of a key, `None` if the key is absent.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.update("words", |words: Option<String>| words.unwrap_or_default() + "more")?;
    /// assert_eq!(txn.get("words")?, Some("more".to_owned()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`put`](Self::put).
    pub fn update<V, W>(&mut self, key: impl IntoKey, change: impl FnOnce(Option<V>) -> W) -> Result<()>
    where
        V: TryFrom<Value>,
        W: TryInto<Value>,
        Error: From<V::Error> + From<W::Error>,
    {
        let key = key.into_key();
        let changed = change(self.get(&key)?);
        self.put(key, changed)
    }

    /// Writes what `change` makes of the value of a key, or leaves the key as it is if that is `None`.
    /// Returns the value before.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("tickets", 1_u64)?;
    /// let take_one = |left: Option<u64>| left?.checked_sub(1);
    /// assert_eq!(txn.fetch_update("tickets", take_one)?, Some(1));
    /// assert_eq!(txn.fetch_update("tickets", take_one)?, Some(0), "left as it is");
    /// assert_eq!(txn.get("tickets")?, Some(0_u64));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`put`](Self::put).
    pub fn fetch_update<V>(
        &mut self,
        key: impl IntoKey,
        change: impl FnOnce(Option<V>) -> Option<V>,
    ) -> Result<Option<V>>
    where
        V: TryFrom<Value> + TryInto<Value> + Clone,
        Error: From<<V as TryFrom<Value>>::Error> + From<<V as TryInto<Value>>::Error>,
    {
        let key = key.into_key();
        let before: Option<V> = self.get(&key)?;
        if let Some(changed) = change(before.clone()) {
            self.put(key, changed)?;
        }
        Ok(before)
    }

    /// Adds to an integer, which is 0 if the key is absent. Returns the sum.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// assert_eq!(txn.increment("visits", 1)?, 1);
    /// assert_eq!(txn.increment("visits", -3)?, -2);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] when the value is no integer; [`Error::Invalid`] when the sum leaves the range of
    /// `i64`; otherwise as [`get`](Self::get) and [`put`](Self::put).
    pub fn increment(&mut self, key: impl IntoKey, by: i64) -> Result<i64> {
        let key = key.into_key();
        let before: i64 = self.get(&key)?.unwrap_or(0);
        let sum = before.checked_add(by).ok_or_else(|| {
            Error::Invalid(format!("{key}: {before} + {by} is out of the range of integers: use other steps"))
        })?;
        self.put(key, sum)?;
        Ok(sum)
    }

    /// Returns the value of a key; if the key is absent, writes what `make` returns first.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// assert_eq!(txn.get_or_insert_with("port", || 8_080_u64)?, 8_080);
    /// assert_eq!(txn.get_or_insert_with("port", || 9_090_u64)?, 8_080);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`put`](Self::put).
    pub fn get_or_insert_with<V>(&mut self, key: impl IntoKey, make: impl FnOnce() -> V) -> Result<V>
    where
        V: TryFrom<Value> + TryInto<Value> + Clone,
        Error: From<<V as TryFrom<Value>>::Error> + From<<V as TryInto<Value>>::Error>,
    {
        let key = key.into_key();
        if let Some(found) = self.get(&key)? {
            return Ok(found);
        }
        let made = make();
        self.put(key, made.clone())?;
        Ok(made)
    }

    /// Deletes a key and returns the value that it had.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("job", "first")?;
    /// assert_eq!(txn.take("job")?, Some("first".to_owned()));
    /// assert_eq!(txn.take::<String>("job")?, None);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`delete`](Self::delete).
    pub fn take<V>(&mut self, key: impl IntoKey) -> Result<Option<V>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        let key = key.into_key();
        let found = self.get(&key)?;
        // A delete of an absent key would be a write that may conflict.
        if found.is_some() && !rt::mutant!(TakeLeavesValue) {
            self.delete(key)?;
        }
        Ok(found)
    }

    /// Reads many keys, in the order in which they are given.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put_many([("a", 1_i64), ("c", 3)])?;
    /// assert_eq!(txn.get_many(["a", "b", "c"])?, [Some(1_i64), None, Some(3)]);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many<V>(&mut self, keys: impl IntoIterator<Item = impl IntoKey>) -> Result<Vec<Option<V>>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        let keys: Vec<Key> = keys.into_iter().map(IntoKey::into_key).collect();
        self.coordinator.store.index.prefetch(&keys);
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Writes many keys; of a key that is given twice, the last value counts.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put_many((0..10_i64).map(|number| (format!("item/{number}"), number)))?;
    /// assert_eq!(txn.prefix("item/")?.count(), 10);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_many<V>(&mut self, entries: impl IntoIterator<Item = (impl IntoKey, V)>) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        entries.into_iter().try_for_each(|(key, value)| self.put(key, value))
    }
}
