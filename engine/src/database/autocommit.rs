//! Single operations, each a transaction of its own.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::iter::Range;
use crate::key::{IntoKey, Key};
use crate::range::KeyRange;
use crate::reentry;
use crate::run_id::RunId;
use crate::value::{VALUE_DEPTH_MAX, Value};
use crate::value_ref::ValueRef;

use super::Database;

impl Database {
    /// Writes a key, in a transaction of its own.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "greeting", "hello")?;
    /// db.put(run, "answer", 42_u64)?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction) and [`Transaction::put`](crate::Transaction::put).
    pub fn put<V>(&self, run: RunId, key: impl IntoKey, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let (key, value) = (key.into_key(), shallow(value.try_into()?)?);
        self.transaction(run, |txn| txn.put::<Value>(&key, value.clone()))
    }

    /// Writes a key that expires `ttl` from now, in a transaction of its own.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use std::time::Duration;
    ///
    /// db.put_with_ttl(run, "session", "token", Duration::from_secs(3600))?;
    /// assert_eq!(db.get("session")?, Some("token".to_owned()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_with_ttl<V>(&self, run: RunId, key: impl IntoKey, value: V, ttl: Duration) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let (key, value) = (key.into_key(), shallow(value.try_into()?)?);
        self.transaction(run, |txn| txn.put_with_ttl::<Value>(&key, value.clone(), ttl))
    }

    /// Reads a key as of now.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "answer", 42_u64)?;
    /// assert_eq!(db.get("answer")?, Some(42_u64));
    /// assert_eq!(db.get::<u64>("question")?, None);
    /// assert!(db.get::<String>("answer").is_err(), "it is no text");
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] when the value has another type than asked for.
    #[inline]
    pub fn get<V>(&self, key: impl IntoKey) -> Result<Option<V>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        match self.read_with(&key.into_key(), |value| value.map(ValueRef::to_value)) {
            Some(value) => Ok(Some(V::try_from(value)?)),
            None => Ok(None),
        }
    }

    /// Calls `read` with the value that a key has now, `None` if it is absent: like [`get`](Self::get), but
    /// nothing is copied or counted. `read` should be short, as nothing that others overwrite meanwhile is
    /// freed, and must not use the database.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "motto", "bend, don't break")?;
    /// let words = db.get_with("motto", |value| match value {
    ///     Some(stormproof::ValueRef::String(text)) => text.split(' ').count(),
    ///     _ => 0,
    /// });
    /// assert_eq!(words, 3);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    #[inline]
    pub fn get_with<R>(&self, key: impl IntoKey, read: impl FnOnce(Option<ValueRef<'_>>) -> R) -> R {
        self.read_with(&key.into_key(), |value| reentry::reading_in_place(|| read(value)))
    }

    #[inline]
    fn read_with<R>(&self, key: &Key, read: impl FnOnce(Option<ValueRef<'_>>) -> R) -> R {
        let hooks = &self.coordinator().hooks;
        hooks.assert_life();
        let called = hooks.now();
        self.store().read_newest(key, |value| {
            hooks.looked(called, key, value);
            read(value)
        })
    }

    /// Deletes a key, in a transaction of its own.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// db.delete(run, "key")?;
    /// assert_eq!(db.get::<i64>("key")?, None);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub fn delete(&self, run: RunId, key: impl IntoKey) -> Result<()> {
        let key = key.into_key();
        self.transaction(run, |txn| txn.delete(&key))
    }

    /// Returns whether a key is present now.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// assert!(db.exists("key") && !db.exists("other"));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn exists(&self, key: impl IntoKey) -> bool {
        self.get_with(key, |value| value.is_some())
    }

    /// Returns the entries of a range as of now, lazily, in key order or backwards. The iterator reads a
    /// snapshot of its own.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "user/1", "Ada")?;
    /// db.put(run, "user/2", "Grace")?;
    /// let last = db.range("user/"..).next_back().expect("there are two");
    /// assert_eq!((last.user_key(), last.get::<String>()?), (&b"user/2"[..], "Grace".to_owned()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn range(&self, range: impl Into<KeyRange>) -> Range<'static> {
        self.snapshot().into_range(range.into())
    }

    /// Returns the entries of the shared namespace whose keys start with `prefix`: a [`range`](Self::range).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "user/1", "Ada")?;
    /// db.put(run, "user/2", "Grace")?;
    /// let names: Vec<_> = db.prefix("user/").map(|entry| entry.to_value()).collect();
    /// assert_eq!(names, ["Ada".into(), "Grace".into()]);
    /// assert_eq!(db.prefix("user/").keys().count(), 2);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range<'static> {
        self.range(KeyRange::prefix(prefix))
    }
}

/// Returns the value, unless it nests too deep: checked before it is cloned, as cloning recurses as deep.
fn shallow(value: Value) -> Result<Value> {
    Ok(value.within_depth(VALUE_DEPTH_MAX, "levels of nesting in a value")?)
}
