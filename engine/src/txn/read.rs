//! Reading keys: own writes first, then the snapshot; tracked.

use super::mutants;
use super::transaction::Transaction;
use crate::commit::ReadEntry;
use crate::error::{Error, Result};
use crate::key::{IntoKey, Key};
use crate::reentry;
use crate::snapshot::Versioned;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;

impl Transaction {
    /// Reads a key as a value of the type that the caller names or implies; `None` if the key is absent.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("count", 1_u64)?;
    /// let count: u64 = txn.get("count")?.unwrap_or(0);
    /// assert_eq!(count, 1);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] when the value has another type; when the transaction has ended or is past its
    /// timeout.
    #[inline]
    pub fn get<V>(&mut self, key: impl IntoKey) -> Result<Option<V>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        match self.read(&key.into_key())?.value {
            Some(value) => Ok(Some(V::try_from(value)?)),
            None => Ok(None),
        }
    }

    /// Calls `read` with the value of a key, `None` if it is absent: like [`get`](Self::get), but nothing is
    /// copied or counted. `read` should be short, as nothing that others overwrite meanwhile is freed, and
    /// must not use the database.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("text", "four words stand here")?;
    /// let words = txn.get_with("text", |value| match value {
    ///     Some(stormproof::ValueRef::String(text)) => text.split(' ').count(),
    ///     _ => 0,
    /// })?;
    /// assert_eq!(words, 4);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    #[inline]
    pub fn get_with<R>(
        &mut self,
        key: impl IntoKey,
        read: impl FnOnce(Option<ValueRef<'_>>) -> R,
    ) -> Result<R> {
        self.read_with(&key.into_key(), |_, value| reentry::reading_in_place(|| read(value)))
    }

    /// Reads a key with its version.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let mut txn = db.begin_transaction(run)?;
    /// let found = txn.get_versioned("key")?;
    /// assert_eq!(found.version, Some(db.version()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    #[inline]
    pub fn get_versioned(&mut self, key: impl IntoKey) -> Result<Versioned> {
        self.read(&key.into_key())
    }

    /// Returns whether a key is present.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// assert!(txn.exists("key")? && !txn.exists("other")?);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    pub fn exists(&mut self, key: impl IntoKey) -> Result<bool> {
        if rt::mutant!(ExistsNotTracked) {
            return Ok(mutants::exists_untracked(self, &key.into_key()));
        }
        Ok(self.read(&key.into_key())?.value.is_some())
    }

    #[inline]
    pub(super) fn read(&mut self, key: &Key) -> Result<Versioned> {
        self.read_with(key, |version, value| Versioned { value: value.map(ValueRef::to_value), version })
    }

    /// Calls `read` with version and value of a key: of the own write, which has no version yet, or else of
    /// the snapshot. The one gate of all point reads: one that went past it would not be validated.
    #[inline]
    pub(super) fn read_with<R>(
        &mut self,
        key: &Key,
        read: impl FnOnce(Option<Version>, Option<ValueRef<'_>>) -> R,
    ) -> Result<R> {
        self.context.check_active()?;
        if !self.context.writes.is_empty()
            && let Some(own) = self.context.writes.get(key)
        {
            let value = own.value.as_ref().map(ValueRef::from);
            self.coordinator.hooks.read(self, key, None, value);
            return Ok(read(None, value));
        }
        Ok(self.read_snapshot(key, |version, value| read(Some(version), value)))
    }

    /// Reads the snapshot, not the own writes, and tracks that.
    #[inline]
    pub(super) fn read_snapshot<R>(
        &mut self,
        key: &Key,
        read: impl FnOnce(Version, Option<ValueRef<'_>>) -> R,
    ) -> R {
        let (at, now) = (self.context.start_version, mutants::expiry_time(self));
        let (index, hooks) = (&self.coordinator.store.index, &self.coordinator.hooks);
        let read = |version: Version, value: Option<ValueRef<'_>>| {
            hooks.read(self, key, Some(version), value);
            read(version, value)
        };
        if !self.context.tracks_reads() {
            return index.read(key, at, now, |version, value, _| read(version, value));
        }
        let (answer, version, is_present, hint) = index.read(key, at, now, |version, value, hint| {
            (read(version, value), version, value.is_some(), hint)
        });
        // A missing key is tracked too, or a key that others create would not conflict.
        if !mutants::forgets_read(version, is_present) {
            self.context.reads.add_point(ReadEntry { key: key.clone(), hint, version });
        }
        answer
    }
}
