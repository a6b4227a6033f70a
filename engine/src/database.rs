//! The database: the handle that applications hold, and what all handles share.

use std::path::Path;
use std::time::Duration;

use env::{Clock, Entropy, UnixMillis};
use rt::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use rt::sync::{Arc, Mutex};
use rt::thread::JoinHandle;

use crate::builder::DatabaseBuilder;
use crate::checkpoint::{CheckpointInfo, take_checkpoint};
use crate::commit::{Committer, Request};
use crate::durability::Ticket;
use crate::error::{Error, Result};
use crate::expiry::Expiry;
use crate::key::{IntoKey, Key};
use crate::maintenance::Maintenance;
use crate::metrics::{Metrics, Tally};
use crate::mvcc::Index;
use crate::range::KeyRange;
use crate::recording::Recording;
use crate::recovery::RecoveryReport;
use crate::run::{RunOptions, RunRecord, RunStatus, RunTable};
use crate::run_id::RunId;
use crate::snapshot::{ClonedSnapshotView, LazySnapshotView, SnapshotRegistry, SnapshotView as _};
use crate::txn::{
    Buffered, Entry, Limits, RetryPolicy, Transaction, TransactionOptions, Turnstile, run_with_retry,
};
use crate::types::{Isolation, RunNumber, TxnId, Version};
use crate::value::Value;
use crate::wal::Log;

/// An open database. Handles are cheap to clone and may be used from any number of threads; the last one to go closes
/// the database.
#[derive(Clone, Debug)]
pub struct Database {
    handle: Arc<Handle>,
}

/// Closes the database when the last handle goes.
#[derive(Debug)]
struct Handle {
    inner: Arc<Inner>,
    maintenance: Mutex<Option<Maintenance>>,
    checkpointer: Mutex<Option<JoinHandle<()>>>,
}

/// What handles, transactions and background work share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) index: Index,
    pub(crate) snapshots: SnapshotRegistry,
    pub(crate) runs: RunTable,
    pub(crate) expiry: Expiry,
    pub(crate) isolation: Isolation,
    pub(crate) limits: Limits,
    pub(crate) retry: RetryPolicy,
    pub(crate) turnstile: Turnstile,
    pub(crate) metrics: Tally,
    pub(crate) committer: Committer,
    pub(crate) published: Arc<AtomicU64>,
    pub(crate) next_txn: AtomicU64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) close_timeout: Duration,
    pub(crate) state: AtomicU32,
    /// `None` in memory.
    pub(crate) log: Option<Arc<Log>>,
    /// The right to write a checkpoint.
    pub(crate) checkpoint: Mutex<()>,
    pub(crate) recovery: RecoveryReport,
    pub(crate) recording: Option<Recording>,
}

pub(crate) const OPEN: u32 = 0;
const CLOSING: u32 = 1;
const CLOSED: u32 = 2;

impl Database {
    /// An empty database in memory: no log, nothing survives.
    ///
    /// # Errors
    /// When a background thread can't be started.
    pub fn open_in_memory() -> Result<Self> {
        Self::builder().open()
    }

    /// Opens the database in a directory, which is created if there is none, with strict durability.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is open elsewhere; [`Error::Corruption`], [`Error::Missing`] and
    /// [`Error::NewerFormat`] when its files are not what they must be; [`Error::Io`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::builder().dir(dir).open()
    }

    /// Settings to open a database with.
    pub fn builder() -> DatabaseBuilder {
        DatabaseBuilder::new()
    }

    pub(crate) fn from_parts(
        inner: Arc<Inner>,
        maintenance: Maintenance,
        checkpointer: Option<JoinHandle<()>>,
    ) -> Self {
        Self {
            handle: Arc::new(Handle {
                inner,
                maintenance: Mutex::new("maintenance.handle", Some(maintenance)),
                checkpointer: Mutex::new("checkpointer.handle", checkpointer),
            }),
        }
    }

    /// Begins a run: one agent's session of work.
    ///
    /// # Errors
    /// When the record of the run can't be committed.
    pub fn begin_run(&self) -> Result<RunId> {
        self.begin_run_with(RunOptions::new())
    }

    /// Begins a run with an id, a parent or tags of the caller's choice.
    ///
    /// # Errors
    /// [`Error::RunExists`] when a run has that id; [`Error::RunNotFound`] when there is no such parent; when the
    /// record of the run can't be committed.
    pub fn begin_run_with(&self, options: RunOptions) -> Result<RunId> {
        let inner = self.inner();
        if let Some(parent) = options.parent {
            inner.runs.find(parent)?;
        }
        let id = options.id.unwrap_or_else(|| RunId::random(inner.entropy()));
        let mut number = inner.runs.last_number();
        self.as_system(|txn| {
            if txn.exists(RunRecord::key(id))? {
                return Err(Error::RunExists(id));
            }
            number = inner.runs.last_number().max(number).next();
            txn.insert(RunRecord::number_key(number), Value::from(id.as_bytes()))?;
            let record = RunRecord {
                id,
                number,
                status: RunStatus::Active,
                parent: options.parent,
                tags: options.tags.clone(),
                started: inner.clock_time(),
                ended: None,
            };
            txn.put(RunRecord::key(id), record.encode())
        })?;
        Ok(id)
    }

    /// Ends a run: from now on it may read only. Ending it again changes nothing.
    ///
    /// # Errors
    /// [`Error::RunNotFound`]; when the record of the run can't be committed.
    pub fn end_run(&self, run: RunId) -> Result<()> {
        let inner = self.inner();
        self.as_system(|txn| {
            let key = RunRecord::key(run);
            let value: Value = txn.get(&key)?.ok_or(Error::RunNotFound(run))?;
            let mut record = RunRecord::decode(&key, &value).ok_or(Error::RunNotFound(run))?;
            if record.status == RunStatus::Active {
                record.status = RunStatus::Ended;
                record.ended = Some(inner.clock_time().max(record.started));
                txn.put(key, record.encode())?;
            }
            Ok(())
        })
    }

    /// What is known of a run.
    ///
    /// # Errors
    /// [`Error::RunNotFound`].
    pub fn run(&self, run: RunId) -> Result<RunRecord> {
        let key = RunRecord::key(run);
        let value = self.snapshot().value(&key).ok_or(Error::RunNotFound(run))?;
        RunRecord::decode(&key, &value).ok_or(Error::RunNotFound(run))
    }

    /// All runs, in the order in which they began.
    pub fn runs(&self) -> Vec<RunRecord> {
        let mut runs: Vec<_> = self
            .snapshot()
            .scan(RunRecord::all())
            .into_iter()
            .filter_map(|(key, versioned)| RunRecord::decode(&key, &versioned.value?))
            .collect();
        runs.sort_by_key(|record| record.number);
        runs
    }

    /// Begins a transaction of a run, to be committed by the caller.
    ///
    /// # Errors
    /// [`Error::RunNotFound`], [`Error::RunEnded`]; [`Error::Closed`].
    pub fn begin_transaction(&self, run: RunId) -> Result<Transaction> {
        self.begin_transaction_with(run, &TransactionOptions::default())
    }

    /// Begins a transaction of a run with options of its own. An ended run may begin read-only ones.
    ///
    /// # Errors
    /// [`Error::RunNotFound`], [`Error::RunEnded`]; [`Error::Closed`].
    #[inline]
    pub fn begin_transaction_with(&self, run: RunId, options: &TransactionOptions) -> Result<Transaction> {
        let inner = self.inner();
        inner.check_open()?;
        let run = if options.read_only { inner.runs.find(run)? } else { inner.runs.find_active(run)? };
        Ok(Transaction::begin(inner, run, options))
    }

    /// Runs a closure as a transaction: commits when it returns `Ok`, runs it again after a conflict, aborts and
    /// returns any other error. The closure may thus run several times.
    ///
    /// # Errors
    /// What the closure returns; [`Error::MaxRetriesExceeded`]; whatever else keeps a commit from happening.
    pub fn transaction<T>(&self, run: RunId, body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        self.transaction_with(run, &TransactionOptions::default(), body)
    }

    /// Like [`transaction`](Self::transaction), with options.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction); [`Error::Timeout`].
    pub fn transaction_with<T>(
        &self,
        run: RunId,
        options: &TransactionOptions,
        body: impl FnMut(&mut Transaction) -> Result<T>,
    ) -> Result<T> {
        let inner = self.inner();
        let run = if options.read_only { inner.runs.find(run)? } else { inner.runs.find_active(run)? };
        run_with_retry(inner, &run, options, body)
    }

    /// Writes a key, in a transaction of its own.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction) and [`Transaction::put`].
    pub fn put<V>(&self, run: RunId, key: impl IntoKey, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let (key, value) = (key.into_key(), value.try_into()?);
        self.transaction(run, |txn| txn.put::<Value>(&key, value.clone()))
    }

    /// Writes a key that ceases to be `ttl` from now, in a transaction of its own.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_with_ttl<V>(&self, run: RunId, key: impl IntoKey, value: V, ttl: Duration) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let (key, value) = (key.into_key(), value.try_into()?);
        self.transaction(run, |txn| txn.put_with_ttl::<Value>(&key, value.clone(), ttl))
    }

    /// Reads a key as of now.
    ///
    /// # Errors
    /// [`Error::Value`] when the value has another type than asked for.
    #[inline]
    pub fn get<V>(&self, key: impl IntoKey) -> Result<Option<V>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        match self.snapshot().value(key) {
            Some(value) => Ok(Some(V::try_from(value)?)),
            None => Ok(None),
        }
    }

    /// Deletes a key, in a transaction of its own.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub fn delete(&self, run: RunId, key: impl IntoKey) -> Result<()> {
        let key = key.into_key();
        self.transaction(run, |txn| txn.delete(&key))
    }

    /// The keys of the shared namespace that start with `prefix`, with values and versions, as of now.
    pub fn list(&self, prefix: impl AsRef<[u8]>) -> Vec<Entry> {
        self.snapshot()
            .scan(KeyRange::prefix(prefix))
            .into_iter()
            .filter_map(|(key, found)| Some(Entry { key, value: found.value?, version: found.version }))
            .collect()
    }

    /// A view of the whole database as of now. Takes no time and no memory, but while it lives, what it sees is kept.
    #[inline]
    pub fn snapshot(&self) -> LazySnapshotView {
        LazySnapshotView::new(Arc::clone(self.inner()))
    }

    /// A deep copy of the whole database as of now, for tests.
    pub fn cloned_snapshot(&self) -> ClonedSnapshotView {
        ClonedSnapshotView::new(self.inner())
    }

    /// Who wrote the value that a key has now: run and transaction. `None` if the key never existed, or if its
    /// tombstone has been collected.
    pub fn provenance(&self, key: impl IntoKey) -> Option<Provenance> {
        let inner = self.inner();
        let view = self.snapshot();
        let entry = inner.index.with(&key.into_key(), |slot| slot.entry(view.version())).flatten()?;
        Some(Provenance {
            version: entry.version,
            txn: entry.txn,
            run: inner.runs.id_of(entry.run),
            deleted: entry.value.is_none(),
            expires_at: entry.expires_at,
        })
    }

    /// The newest published version.
    pub fn version(&self) -> Version {
        Version::new(self.inner().published.load(Ordering::SeqCst))
    }

    /// What the database has done so far. Also handed to the `metrics` crate.
    pub fn metrics(&self) -> Metrics {
        let metrics = self.inner().measure();
        metrics.record();
        metrics
    }

    /// Drops every old version and tombstone that no snapshot sees. Happens by itself as transactions commit.
    pub fn collect(&self) {
        self.inner().committer.protocol().collect_all(self.inner());
    }

    /// Deletes the keys that have expired; happens by itself from time to time. Returns how many there were.
    ///
    /// # Errors
    /// When the deletes can't be committed.
    pub fn sweep_expired(&self) -> Result<usize> {
        crate::expiry::sweep(self.inner())
    }

    /// Makes everything durable that was acked before the call.
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a failed sync; the error of a failed write, after which the data still wait for room.
    pub fn flush(&self) -> Result<()> {
        self.inner().log.as_ref().map_or(Ok(()), |log| log.flush())
    }

    /// Waits until everything up to `version` is durable: a reader that must not act on what a crash can take back
    /// waits for the version of its snapshot.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`] when that will not happen.
    pub fn wait_durable(&self, version: Version) -> Result<()> {
        self.inner().ticket(version).wait()
    }

    /// Up to which version everything is durable; in memory that is everything.
    pub fn durable_version(&self) -> Version {
        self.inner().log.as_ref().map_or_else(|| self.version(), |log| log.durable_version())
    }

    /// Writes the newest state to a checkpoint, from which the next recovery begins, and drops the log before it.
    /// Writers go on meanwhile. Happens by itself as the log grows. In memory there is nothing to do, and nothing is
    /// returned.
    ///
    /// # Errors
    /// When the checkpoint can't be written; the one before and its log stay then.
    pub fn checkpoint(&self) -> Result<Option<CheckpointInfo>> {
        let inner = self.inner();
        inner.log.as_ref().map(|log| take_checkpoint(inner, log)).transpose()
    }

    /// What the opening found, and did.
    pub fn recovery_report(&self) -> &RecoveryReport {
        &self.inner().recovery
    }

    /// Closes the database for all handles: no new transactions, waits for those that are open (as long as the close
    /// timeout allows; then they can't commit any more), and makes everything acked durable.
    ///
    /// # Errors
    /// When what was acked can't be made durable.
    pub fn close(&self) -> Result<()> {
        self.handle.close()
    }

    #[inline]
    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.handle.inner
    }

    fn as_system<T>(&self, body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        let inner = self.inner();
        run_with_retry(inner, inner.runs.system(), &TransactionOptions::default(), body)
    }
}

/// Who wrote a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The version.
    pub version: Version,
    /// The transaction that wrote it.
    pub txn: TxnId,
    /// The run that wrote it; `None` for the database itself.
    pub run: Option<RunId>,
    /// Whether it is a delete.
    pub deleted: bool,
    /// When it expires, if it does.
    pub expires_at: Option<UnixMillis>,
}

impl Handle {
    fn close(&self) -> Result<()> {
        let inner = &self.inner;
        if inner.state.load(Ordering::SeqCst) != OPEN {
            return Ok(());
        }
        inner.state.store(CLOSING, Ordering::SeqCst);
        let deadline = rt::time::now().saturating_add(inner.close_timeout);
        while inner.snapshots.in_use() > 0 && rt::time::now() < deadline {
            rt::time::sleep(Duration::from_millis(1));
        }
        self.stop()
    }

    /// Ends background work and commits.
    fn stop(&self) -> Result<()> {
        let maintenance = self.maintenance.lock().take();
        if let Some(maintenance) = maintenance {
            maintenance.stop();
        }
        self.inner.state.store(CLOSED, Ordering::SeqCst);
        if let Some(recording) = &self.inner.recording {
            recording.flush();
        }
        // Whoever leads a group now has it synced before the log closes behind it.
        drop(self.inner.committer.protocol());
        let closed = self.inner.log.as_ref().map_or(Ok(()), |log| log.close());
        let checkpointer = self.checkpointer.lock().take();
        if let Some(checkpointer) = checkpointer {
            // It has seen the log close. A panic has been reported where it happened.
            let _ = checkpointer.join();
        }
        closed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to hear of an error: whoever wants to know closes explicitly.
        let _ = self.stop();
    }
}

impl Inner {
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.state.load(Ordering::SeqCst) == OPEN { Ok(()) } else { Err(Error::Closed) }
    }

    pub(crate) fn commit(&self, request: Request) -> Result<Version> {
        if self.state.load(Ordering::SeqCst) == CLOSED {
            return Err(Error::Closed);
        }
        self.committer.commit(self, request)
    }

    /// Whether a group of so many commits may be appended to the log now.
    pub(crate) fn admit(&self, commits: usize) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.admit(commits as u64))
    }

    /// Appends a transaction that is going to commit to the log.
    #[inline]
    pub(crate) fn log_commit(&self, version: Version, request: &Request) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        log.append(version, request.txn, request.run.number(), |record| {
            for (key, write) in request.writes.iter() {
                match &write.value {
                    Some(value) => {
                        let expires_at = write.expires_at.filter(|_| !rt::mutant!(ExpiryNotLogged));
                        record.put(key.as_bytes(), value, expires_at)?;
                    }
                    None => record.delete(key.as_bytes())?,
                }
            }
            Ok(())
        })
    }

    /// Makes the group durable, if that comes before it may be visible.
    pub(crate) fn sync_group(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.end_group())
    }

    /// Waits while an ack would promise more than the durability mode allows.
    pub(crate) fn before_ack(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.before_ack())
    }

    pub(crate) fn ticket(&self, version: Version) -> Ticket {
        Ticket::new(self.log.clone(), version)
    }

    /// Makes everything up to `version` visible.
    pub(crate) fn publish(&self, version: Version) {
        self.published.store(version.get(), Ordering::SeqCst);
    }

    /// What the tables beside the index must know before a write is visible.
    #[inline]
    pub(crate) fn before_install(&self, key: &Key, write: &Buffered) {
        if key.is_system() {
            self.runs.follow(key, write.value.as_ref());
        }
        if let Some(expires_at) = write.expires_at {
            self.expiry.add(expires_at, key);
        }
    }

    #[inline]
    pub(crate) fn next_txn_id(&self) -> TxnId {
        TxnId::new(self.next_txn.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The wall time by which a snapshot that was registered before this call judges expiry. Costs nothing as long as
    /// no key has ever been written with an expiry: what such a snapshot sees then does not expire.
    #[inline]
    pub(crate) fn wall_time(&self) -> UnixMillis {
        if self.expiry.in_use() { self.clock_time() } else { UnixMillis(0) }
    }

    /// The wall time, which never goes back while the database is open.
    pub(crate) fn clock_time(&self) -> UnixMillis {
        self.expiry.latest(self.clock.now())
    }

    pub(crate) fn measure(&self) -> Metrics {
        let protocol = self.committer.protocol();
        let counters = protocol.counters;
        let surplus = protocol.garbage.surplus();
        drop(protocol);
        let published = Version::new(self.published.load(Ordering::SeqCst));
        let mut metrics = Metrics {
            commits: counters.commits,
            groups: counters.groups,
            group_max: counters.group_max,
            conflicts: counters.conflicted,
            read_conflicts: counters.read_conflicts,
            write_conflicts: counters.write_conflicts,
            cas_conflicts: counters.cas_conflicts,
            range_conflicts: counters.range_conflicts,
            collected_versions: counters.collected,
            surplus_versions: surplus as u64,
            snapshots: self.snapshots.in_use(),
            keys: self.index.len() as u64,
            snapshot_lag: published.get().saturating_sub(self.snapshots.floor().get()),
            ..Metrics::default()
        };
        self.metrics.fill(&mut metrics);
        if let Some(log) = &self.log {
            metrics.log = log.metrics();
        }
        metrics
    }
}

impl RunRecord {
    /// The key that reserves a run's number.
    fn number_key(number: RunNumber) -> Key {
        Key::system(crate::key::TypeTag::State, &number.get().to_be_bytes())
    }

    fn all() -> KeyRange {
        KeyRange::all_with(Key::system(crate::key::TypeTag::Run, &[]))
    }
}
