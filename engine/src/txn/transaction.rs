//! A transaction: reads one snapshot, buffers its writes, commits or aborts.

use env::UnixMillis;
use rt::sync::Arc;
use std::time::Duration;

use super::context::{AbortReason, Status, TransactionContext};
use super::options::{Limits, TransactionOptions};
use super::read_set::{ReadEntry, ReadSet};
use super::write_set::{Buffered, WriteSet};
use crate::commit::Request;
use crate::conflict::{CasExpectation, ConflictInfo};
use crate::database::Lease;
use crate::durability::Ticket;
use crate::error::{Error, Result};
use crate::key::{IntoKey, Key};
use crate::primitives::{Append, Head};
use crate::range::KeyRange;
use crate::recording::Shape;
use crate::run::RunRef;
use crate::run_id::RunId;
use crate::snapshot::{Registered, Versioned};
use crate::telemetry::span;
use crate::types::Version;
use crate::value::{VALUE_DEPTH_MAX, Value};

/// A transaction. Dropping it aborts it.
///
/// Reads never block and never fail for what others do; whether the transaction may commit is decided once, by
/// [`commit`](Self::commit).
#[derive(Debug)]
pub struct Transaction {
    pub(crate) inner: Arc<Lease>,
    pub(crate) context: TransactionContext,
    run: RunRef,
    /// Given back when the transaction ends.
    registered: Option<Registered>,
    /// Whether others give way to its commit, and not it to theirs.
    pub(super) goes_first: bool,
}

/// A commit that happened.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// let mut txn = db.begin_transaction(run)?;
/// txn.put("key", 1_i64)?;
/// let commit = txn.commit()?;
/// assert_eq!(commit.version(), Some(db.version()));
/// commit.wait_durable()?; // Or keep `commit.ticket()`, and go on meanwhile.
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "in the modes other than strict, the commit may not be durable yet: the ticket tells"]
pub struct Commit {
    version: Option<Version>,
    ticket: Ticket,
}

impl Commit {
    /// The commit version; `None` if there was nothing to write.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Tells when the commit is durable; of a transaction that wrote nothing, when all that it can have read is.
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Waits until the commit is durable.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`] when it will not be, or nobody will know before the next recovery.
    pub fn wait_durable(&self) -> Result<()> {
        self.ticket.wait()
    }
}

impl Transaction {
    #[inline]
    pub(crate) fn begin(inner: &Arc<Lease>, run: RunRef, options: &TransactionOptions) -> Self {
        let limits = Limits::of(run, options, &inner.limits);
        let started = limits.timeout.is_some().then(rt::time::now);
        let registered = inner.snapshots.register();
        let context = TransactionContext {
            id: inner.txn_ids.next(),
            run: run.id,
            start_version: registered.version,
            now: inner.wall_time(),
            started,
            isolation: options.isolation.unwrap_or(inner.isolation),
            read_only: options.read_only,
            recorded: inner.recording.is_some(),
            limits,
            reads: ReadSet::default(),
            writes: WriteSet::default(),
            appends: Vec::new(),
            status: Status::Active,
        };
        Self { inner: Arc::clone(inner), context, run, registered: Some(registered), goes_first: false }
    }

    /// Identity, snapshot, sets and status.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// assert_eq!(txn.context().write_set_len(), 1);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn context(&self) -> &TransactionContext {
        &self.context
    }

    /// The snapshot that it reads.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// db.put(run, "key", 1_i64)?;
    /// assert!(txn.start_version() < db.version());
    /// assert_eq!(txn.run(), run);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn start_version(&self) -> Version {
        self.context.start_version
    }

    /// The run that it belongs to.
    pub const fn run(&self) -> RunId {
        self.context.run
    }

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
    /// When the value does not fit ([`Error::Value`]: an integer above the range of `i64`), the key or the transaction
    /// is too large, or the transaction may not write any more.
    #[inline]
    pub fn put<V>(&mut self, key: impl IntoKey, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        self.buffer(key.into_key(), Some(value.try_into()?), None, None)
    }

    /// Writes a key that ceases to be `ttl` from now, at the precision of milliseconds.
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
        let expires_at = UnixMillis(self.inner.clock_time().0.saturating_add(millis));
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

    /// Commits: all writes become visible at once, or none ever does. While a closure that keeps losing has reserved one
    /// of the keys that would be written, this waits for its end, but not for long ([`RetryPolicy`](crate::RetryPolicy)).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// let commit = txn.commit()?;
    /// assert_eq!(commit.version(), Some(db.version()));
    /// assert!(matches!(txn.commit(), Err(stormproof::Error::NotActive { .. })));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] with all conflicts when others committed first; [`Error::Timeout`]; [`Error::DiskFull`],
    /// [`Error::Poisoned`] and their like when the log took nothing; [`Error::Indeterminate`] when the outcome is not
    /// known; [`Error::NotActive`] when the transaction has ended before.
    pub fn commit(&mut self) -> Result<Commit> {
        if !self.goes_first {
            let TransactionContext { writes, appends, .. } = &self.context;
            self.inner.turnstile.give_way(&self.inner.index, writes, appends, self.context.deadline());
        }
        if let Err(error) = self.context.check_active() {
            return Err(self.fail(error));
        }
        let shape = self.inner.recording.as_ref().and_then(|recording| recording.shape(&self.context));
        if self.context.writes.is_empty() && self.context.appends.is_empty() {
            self.finish(Status::Committed { version: None });
            self.record(shape, true);
            return Ok(Commit { version: None, ticket: self.inner.ticket(self.context.start_version) });
        }
        let request = self.request();
        let _span = span!(TRACE, "commit", txn = request.txn.get(), writes = request.writes.len());
        match self.inner.commit(request) {
            Ok(version) => {
                self.finish(Status::Committed { version: Some(version) });
                self.record(shape, true);
                Ok(Commit { version: Some(version), ticket: self.inner.ticket(version) })
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Aborts: nothing has happened. An aborted or committed transaction stays what it is.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// txn.abort();
    /// assert_eq!(db.get::<i64>("key")?, None);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn abort(&mut self) {
        if self.context.status == Status::Active {
            self.inner.metrics.aborted();
            if let Some(recording) = &self.inner.recording {
                self.record(recording.shape(&self.context), false);
            }
            self.finish(Status::Aborted { reason: AbortReason::Requested });
        }
    }

    /// Records how a transaction of this shape ended.
    fn record(&self, shape: Option<Shape>, committed: bool) {
        if let (Some(recording), Some(shape)) = (&self.inner.recording, shape) {
            recording.ended(&shape, committed);
        }
    }

    #[inline]
    fn read(&mut self, key: &Key) -> Result<Versioned> {
        self.see(key, |version, value| Versioned { value: value.cloned(), version })
    }

    /// The one place that reads a key: own writes first, then the snapshot; tracked.
    #[inline]
    fn see<R>(&mut self, key: &Key, see: impl FnOnce(Option<Version>, Option<&Value>) -> R) -> Result<R> {
        self.context.check_active()?;
        if !self.context.writes.is_empty()
            && let Some(own) = self.context.writes.get(key)
        {
            return Ok(see(None, own.value.as_ref()));
        }
        Ok(self.see_snapshot(key, |version, value| see(Some(version), value)))
    }

    #[inline]
    fn see_snapshot<R>(&mut self, key: &Key, see: impl FnOnce(Version, Option<&Value>) -> R) -> R {
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

    /// A conditional write, checked at once against the own writes and the snapshot. What it finds out when it fails
    /// is tracked as a read: the caller may go on, and act upon it.
    fn write_if(&mut self, key: Key, expected: CasExpectation, value: Option<Value>) -> Result<()> {
        self.context.check_may_write()?;
        let (found, current) = match self.context.writes.get(&key) {
            Some(own) => (Versioned { value: own.value.clone(), version: None }, self.context.start_version),
            None => {
                let (at, now) = (self.context.start_version, self.context.now);
                let read = self.inner.index.read(&key, at, now);
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
                self.see_snapshot(&key, |_, _| ());
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
        self.context.writes.insert(key, Buffered { value, expires_at, condition, slot });
        self.check_size()
    }

    /// What goes to the committer. The transaction keeps neither reads nor writes.
    pub(crate) fn request(&mut self) -> Request {
        self.context.status = Status::Validating;
        Request {
            txn: self.context.id,
            run: self.run,
            start: self.context.start_version,
            isolation: self.context.isolation,
            reads: std::mem::take(&mut self.context.reads),
            writes: std::mem::take(&mut self.context.writes),
            appends: std::mem::take(&mut self.context.appends),
            validated_early: None,
        }
    }

    /// Buffers an entry for an event log.
    pub(crate) fn append(&mut self, append: Append) -> Result<()> {
        self.context.check_may_write()?;
        if rt::mutant!(EventSequenceAtAppend) {
            return self.append_numbered(append);
        }
        self.context.appends.push(append);
        self.check_size()
    }

    /// Numbers the event by the snapshot, as a blind write.
    fn append_numbered(&mut self, append: Append) -> Result<()> {
        let head = Head::find(&self.inner.index, &append.stream, self.context.start_version);
        let own = self.context.writes.in_range(&KeyRange::all_with(append.stream.clone())).len() as u64;
        let mut head = Head { next: head.next + own, ..head };
        let (key, value) = head.link(&append.stream, append.value);
        self.buffer(key, Some(value), None, None)
    }

    fn check_size(&mut self) -> Result<()> {
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

    /// Ends the transaction with an error, unless it had ended before.
    fn fail(&mut self, error: Error) -> Error {
        let reason = match &error {
            Error::NotActive { .. } => return error,
            Error::Conflict(conflicts) => AbortReason::Conflict(conflicts.clone()),
            Error::Timeout { .. } | Error::LimitExceeded { .. } => AbortReason::Limit,
            Error::Indeterminate { .. } => AbortReason::Indeterminate,
            _ => AbortReason::Failed,
        };
        if !matches!(error, Error::Conflict(_)) {
            self.inner.metrics.aborted();
        }
        self.finish(Status::Aborted { reason });
        error
    }

    #[inline]
    fn finish(&mut self, status: Status) {
        self.context.end(status);
        if let Some(registered) = self.registered.take() {
            self.inner.snapshots.release(&registered);
        }
    }
}

impl Drop for Transaction {
    #[inline]
    fn drop(&mut self) {
        self.abort();
    }
}
