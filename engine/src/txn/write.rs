//! Writing keys and appending to event logs: buffered until the commit, within the limits.

use std::time::Duration;

use env::UnixMillis;

use super::mutants;
use super::transaction::Transaction;
use crate::commit::{Append, BufferedWrite};
use crate::conflict::{CasExpectation, ConflictInfo};
use crate::error::{Error, Result};
use crate::key::{IntoKey, Key};
use crate::snapshot::Versioned;
use crate::types::Version;
use crate::value::{VALUE_DEPTH_MAX, Value};

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
        self.buffer(key.into_key(), Some(value.try_into()?), None, None)
    }

    /// Writes a key that expires `ttl` from now, at the precision of milliseconds.
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
        self.buffer(key.into_key(), Some(value.try_into()?), Some(expires_at), None)
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
        self.buffer(key.into_key(), None, None, None)
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
        self.write_if(key.into_key(), CasExpectation::Absent, Some(value.try_into()?))
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
        self.write_if(key.into_key(), CasExpectation::Version(expected), Some(value.try_into()?))
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
        self.write_if(key.into_key(), CasExpectation::Value(expected.try_into()?), Some(value.try_into()?))
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
        self.write_if(key.into_key(), CasExpectation::Version(expected), None)
    }

    /// A conditional write, checked at once against the own writes and the snapshot. What it finds out when
    /// it fails is tracked as a read: the caller may go on, and act upon it.
    fn write_if(&mut self, key: Key, expected: CasExpectation, value: Option<Value>) -> Result<()> {
        self.context.check_may_write()?;
        let (found, current) = match self.context.writes.get(&key) {
            Some(own) => (Versioned { value: own.value.clone(), version: None }, self.context.start_version),
            None => {
                let (at, now) = (self.context.start_version, self.context.now);
                let read = self.coordinator.store.index.read(&key, at, now);
                (Versioned { value: read.value, version: Some(read.version) }, read.version)
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
            return Err(Error::Conflict(vec![ConflictInfo::CasConflict { key, expected, current }]));
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
        self.context.check_may_write()?;
        let limits = &self.context.limits;
        if key.as_bytes().len() > limits.key_bytes_max {
            return Err(Error::LimitExceeded {
                what: "bytes in a key",
                limit: limits.key_bytes_max,
                actual: key.as_bytes().len(),
            });
        }
        if let Some(Value::Array(_) | Value::Map(_)) = value
            && let Some(depth) = value.as_ref().map(Value::depth)
            && depth > VALUE_DEPTH_MAX
        {
            return Err(Error::LimitExceeded {
                what: "levels of nesting in a value",
                limit: VALUE_DEPTH_MAX,
                actual: depth,
            });
        }
        let slot = self
            .context
            .reads
            .points()
            .last()
            .filter(|last| last.key == key)
            .and_then(|last| last.slot.clone());
        self.context.writes.insert(key, BufferedWrite { value, expires_at, condition, slot });
        self.check_size()
    }

    /// Buffers an entry for an event log.
    pub(crate) fn append(&mut self, append: Append) -> Result<()> {
        self.context.check_may_write()?;
        if rt::mutant!(EventSequenceAtAppend) {
            let (key, value) = mutants::number_at_append(self, append);
            return self.buffer(key, Some(value), None, None);
        }
        self.context.appends.push(append);
        self.check_size()
    }

    pub(super) fn check_size(&mut self) -> Result<()> {
        let context = &self.context;
        let (writes, writes_max) = (context.writes.len() + context.appends.len(), context.limits.writes_max);
        let appended: usize = context.appends.iter().map(Append::size).sum();
        let (bytes, bytes_max) = (context.writes.bytes() + appended, context.limits.bytes_max);
        if writes > writes_max {
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
