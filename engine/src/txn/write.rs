//! Writing keys and appending to event logs: buffered until the commit, within the limits.

use std::time::Duration;

use env::UnixMillis;

use super::mutants;
use super::transaction::Transaction;
use crate::commit::{Append, BufferedWrite};
use crate::conflict::{CasExpectation, ConflictInfo};
use crate::error::{Error, Result};
use crate::key::{IntoKey, Key, TypeTag};
use crate::mvcc::Hint;
use crate::snapshot::Versioned;
use crate::types::Version;
use crate::value::{VALUE_DEPTH_MAX, Value};
use crate::value_ref::ValueRef;

/// The subject of the error about a value that nests too deep.
pub(crate) const DEPTH: &str = "levels of nesting in a value";

impl Transaction {
    /// Writes a key.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", "text, number, list or map")?;
    /// txn.commit()?.wait_durable()?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the value does not fit ([`Error::Value`]: an integer above the range of `i64`), the key or the
    /// transaction is too large, or the transaction may not write any more.
    #[inline]
    pub fn put<V>(&mut self, key: impl IntoKey, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let key = self.plain(key.into_key())?;
        self.buffer(key, Some(value.try_into()?), None, None)
    }

    /// Writes a key that expires `ttl` from now, at the precision of milliseconds. A serializable transaction
    /// that reads it before its time, writes, and commits after its time is in conflict
    /// ([`ConflictInfo::Expired`](crate::ConflictInfo::Expired)).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// use std::time::Duration;
    ///
    /// txn.put_with_ttl("cache", "until tomorrow", Duration::from_secs(86_400))?;
    /// assert!(txn.exists("cache")?);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_with_ttl<V>(&mut self, key: impl IntoKey, value: V, ttl: Duration) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let expires_at = UnixMillis(self.coordinator.store.clock_time().0.saturating_add(millis));
        let key = self.plain(key.into_key())?;
        self.buffer(key, Some(value.try_into()?), Some(expires_at), None)
    }

    /// Deletes a key; a key that is absent stays absent.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// txn.delete("key")?;
    /// assert!(!txn.exists("key")?);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the key or the transaction is too large, or the transaction may not write any more.
    pub fn delete(&mut self, key: impl IntoKey) -> Result<()> {
        let key = self.plain(key.into_key())?;
        self.buffer(key, None, None, None)
    }

    /// Writes a key if it is absent now.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.insert("name", "Ada")?;
    /// assert!(txn.insert("name", "Grace").is_err_and(|error| error.is_conflict()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] at once when it is present; otherwise as [`put`](Self::put).
    pub fn insert<V>(&mut self, key: impl IntoKey, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let key = self.plain(key.into_key())?;
        self.write_if(key, CasExpectation::Absent, Some(value.try_into()?))
    }

    /// Writes a key if it has this version; zero demands that it never existed.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// let seen = txn.get_versioned("key")?.version.unwrap_or_default();
    /// txn.cas("key", seen, 1_i64)?; // Also checked again at commit.
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] at once when it has another; otherwise as [`put`](Self::put).
    pub fn cas<V>(&mut self, key: impl IntoKey, expected: Version, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let key = self.plain(key.into_key())?;
        self.write_if(key, CasExpectation::Version(expected), Some(value.try_into()?))
    }

    /// Writes a key if it has this value.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("state", "queued")?;
    /// txn.compare_and_set("state", "queued", "running")?;
    /// assert!(txn.compare_and_set("state", "queued", "running").is_err());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] at once when it has another or none; otherwise as [`put`](Self::put).
    pub fn compare_and_set<E, V>(&mut self, key: impl IntoKey, expected: E, value: V) -> Result<()>
    where
        E: TryInto<Value>,
        V: TryInto<Value>,
        Error: From<E::Error> + From<V::Error>,
    {
        let key = self.plain(key.into_key())?;
        self.write_if(key, CasExpectation::Value(expected.try_into()?), Some(value.try_into()?))
    }

    /// Deletes a key if it has this version.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let seen = db.version();
    /// let mut txn = db.begin_transaction(run)?;
    /// txn.delete_if("key", seen)?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] at once when it has another; otherwise as [`delete`](Self::delete).
    pub fn delete_if(&mut self, key: impl IntoKey, expected: Version) -> Result<()> {
        let key = self.plain(key.into_key())?;
        if rt::mutant!(DeleteIfWithoutCondition) {
            return self.buffer(key, None, None, None);
        }
        self.write_if(key, CasExpectation::Version(expected), None)
    }

    /// Refuses a key of an event log, a state machine or a run: written past these, it would break what they
    /// promise.
    #[inline]
    fn plain(&self, key: Key) -> Result<Key> {
        if self.run.is_system() {
            return Ok(key);
        }
        let what = match key.tag() {
            Some(TypeTag::Event) => "an entry of an event log: append to the log",
            Some(TypeTag::State) => "the state of a machine: use its transitions",
            Some(TypeTag::Run) => "the record of a run: end the run",
            _ => return Ok(key),
        };
        Err(Error::Invalid(format!("{key} is {what}, as no plain write may change it")))
    }

    /// Writes a key past its owner, as damage would.
    #[cfg(test)]
    pub(crate) fn tamper(&mut self, key: &Key, value: Option<Value>) -> Result<()> {
        self.buffer(key.clone(), value, None, None)
    }

    /// Deletes an event of a stream, or writes the anchor of the stream.
    #[cfg_attr(not(feature = "sha2"), expect(dead_code, reason = "only event logs truncate"))]
    pub(crate) fn set_event(&mut self, key: Key, value: Option<Value>) -> Result<()> {
        self.buffer(key, value, None, None)
    }

    /// Writes the state of a machine that has none.
    pub(crate) fn create_state(&mut self, key: Key, state: &str) -> Result<()> {
        self.write_if(key, CasExpectation::Absent, Some(state.into()))
    }

    /// Writes the state of a machine that is in state `from`.
    pub(crate) fn change_state(&mut self, key: Key, from: &str, to: &str) -> Result<()> {
        if rt::mutant!(TransitionWithoutCompare) {
            return self.buffer(key, Some(to.into()), None, None);
        }
        self.write_if(key, CasExpectation::Value(from.into()), Some(to.into()))
    }

    /// Writes on a condition, which is checked at once against the own writes and the snapshot. What it finds
    /// when it fails is tracked as a read: the caller may go on, and act upon it.
    fn write_if(&mut self, key: Key, expected: CasExpectation, value: Option<Value>) -> Result<()> {
        let value = value.map(|value| value.within_depth(VALUE_DEPTH_MAX, DEPTH)).transpose()?;
        let expected = match expected {
            CasExpectation::Value(value) => {
                CasExpectation::Value(value.within_depth(VALUE_DEPTH_MAX, DEPTH)?)
            }
            other => other,
        };
        self.context.check_may_write()?;
        let (found, current) = match self.context.writes.get(&key) {
            Some(own) => (Versioned { value: own.value.clone(), version: None }, self.context.start_version),
            None => {
                let (at, now) = (self.context.start_version, self.context.now);
                self.coordinator.store.index.read(&key, at, now, |version, value, _| {
                    (Versioned { value: value.map(ValueRef::to_value), version: Some(version) }, version)
                })
            }
        };
        let holds = match &expected {
            CasExpectation::Version(version) => found.version == Some(*version),
            CasExpectation::Value(value) => found.value.as_ref() == Some(value),
            CasExpectation::Absent => found.value.is_none(),
        };
        if !holds {
            if found.version.is_some() {
                self.read_snapshot(&key, |_, _| ());
            }
            let conflict = ConflictInfo::CasConflict { key, expected, current };
            self.context.failed_condition = Some(conflict.clone());
            return Err(Error::Conflict(vec![conflict]));
        }
        // On top of an own write the condition holds by itself, and the own write's conditions stay.
        let condition = found.version.is_some().then_some(expected);
        self.buffer(key, value, None, condition)
    }

    #[inline]
    fn buffer(
        &mut self,
        key: Key,
        value: Option<Value>,
        expires_at: Option<UnixMillis>,
        condition: Option<CasExpectation>,
    ) -> Result<()> {
        // First, as this also drops a value that nests too deep without overflowing the stack.
        let value = value.map(|value| value.within_depth(VALUE_DEPTH_MAX, DEPTH)).transpose()?;
        self.context.check_may_write()?;
        self.check_key_size(key.as_bytes().len())?;
        let last_read = self.context.reads.points().last().filter(|last| last.key == key);
        let hint = last_read.map_or(Hint::NONE, |last| last.hint);
        let write = BufferedWrite { value, expires_at, condition, hint, record: None };
        self.coordinator.hooks.written(self, &key, &write);
        self.context.writes.insert(key, write);
        self.check_size()
    }

    /// Buffers an entry for an event log.
    #[cfg_attr(not(feature = "sha2"), expect(dead_code, reason = "only event logs append"))]
    pub(crate) fn append(&mut self, append: Append) -> Result<()> {
        self.context.check_may_write()?;
        if rt::mutant!(EventSequenceAtAppend) {
            let (key, value) = mutants::number_at_append(self, append);
            return self.buffer(key, Some(value), None, None);
        }
        self.check_key_size(append.stream.as_bytes().len() + size_of::<u64>())?;
        self.coordinator.hooks.appended(self, &append);
        self.context.append_bytes += append.size();
        self.context.appends.push(append);
        self.check_size()
    }

    fn check_key_size(&self, actual: usize) -> Result<()> {
        let limit = self.context.limits.key_bytes_max;
        if actual > limit {
            return Err(Error::LimitExceeded { what: "bytes in a key", limit, actual });
        }
        Ok(())
    }

    pub(super) fn check_size(&mut self) -> Result<()> {
        let context = &self.context;
        let (writes, writes_max) = (context.writes.len() + context.appends.len(), context.limits.writes_max);
        let bytes = context.writes.bytes() + context.append_bytes;
        let bytes_max = context.limits.bytes_max;
        if writes > writes_max.saturating_add(usize::from(rt::mutant!(WritesLimitOffByOne))) {
            return Err(self.fail(Error::LimitExceeded {
                what: "writes",
                limit: writes_max,
                actual: writes,
            }));
        }
        if bytes > bytes_max {
            return Err(self.fail(Error::LimitExceeded { what: "bytes", limit: bytes_max, actual: bytes }));
        }
        Ok(())
    }
}
