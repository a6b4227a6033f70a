//! Reading keys: own writes first, then the snapshot; tracked.

use super::read_set::ReadEntry;
use super::transaction::Transaction;
use crate::error::{Error, Result};
use crate::key::{IntoKey, Key};
use crate::range::KeyRange;
use crate::snapshot::Versioned;
use crate::types::Version;
use crate::value::Value;

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
    /// [`Error::Value`] when the value has another type; when the transaction has ended or is past its timeout.
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

    /// Calls `see` with the value of a key, `None` if it is absent: like [`get`](Self::get), but nothing is copied or
    /// counted. `see` should be short, as nothing that others overwrite meanwhile is freed, and must not use the
    /// database.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("text", "four words stand here")?;
    /// let words = txn.get_with("text", |value| match value {
    ///     Some(stormproof::Value::String(text)) => text.split(' ').count(),
    ///     _ => 0,
    /// })?;
    /// assert_eq!(words, 4);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    #[inline]
    pub fn get_with<R>(&mut self, key: impl IntoKey, see: impl FnOnce(Option<&Value>) -> R) -> Result<R> {
        self.see(&key.into_key(), |_, value| see(value))
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

    /// Whether a key is present.
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
        Ok(self.read(&key.into_key())?.value.is_some())
    }

    #[inline]
    pub(super) fn read(&mut self, key: &Key) -> Result<Versioned> {
        self.see(key, |version, value| Versioned { value: value.cloned(), version })
    }

    /// The one place that reads a key: own writes first, then the snapshot; tracked.
    #[inline]
    pub(super) fn see<R>(
        &mut self,
        key: &Key,
        see: impl FnOnce(Option<Version>, Option<&Value>) -> R,
    ) -> Result<R> {
        self.context.check_active()?;
        if !self.context.writes.is_empty()
            && let Some(own) = self.context.writes.get(key)
        {
            return Ok(see(None, own.value.as_ref()));
        }
        Ok(self.see_snapshot(key, |version, value| see(Some(version), value)))
    }

    #[inline]
    pub(super) fn see_snapshot<R>(&mut self, key: &Key, see: impl FnOnce(Version, Option<&Value>) -> R) -> R {
        let (at, mut now) = (self.context.start_version, self.context.now);
        if rt::mutant!(ExpiryByWallClock) {
            now = self.inner.wall_time();
        }
        if !self.context.tracks_reads() {
            return self.inner.index.see(key, at, now, see);
        }
        let slot = self.inner.index.get(key);
        let mut read = Version::ZERO;
        let mut absent = true;
        let look = |version, value: Option<&Value>| {
            (read, absent) = (version, value.is_none());
            see(version, value)
        };
        let seen = match &slot {
            Some(slot) => slot.see(at, now, look),
            None => look(Version::ZERO, None),
        };
        let forget = rt::mutant!(MissingKeyNotTracked) && read == Version::ZERO
            || rt::mutant!(TombstoneNotTracked) && absent && read > Version::ZERO;
        if !forget {
            self.context.reads.add_point(ReadEntry { key: key.clone(), slot, version: read });
        }
        seen
    }

    pub(super) fn track_range(&mut self, range: KeyRange) {
        if self.context.tracks_reads() && !rt::mutant!(ScanNotTracked) {
            self.context.reads.add_range(range);
        }
    }
}
