//! The database: the handle that applications hold, and what all handles share.

mod handle;
mod inner;
mod lease;
mod runs;
mod single;

use std::path::Path;

use env::UnixMillis;
use rt::sync::Arc;
use rt::sync::atomic::Ordering;
use rt::thread::JoinHandle;

use crate::builder::DatabaseBuilder;
use crate::checkpoint::{CheckpointInfo, take_checkpoint};
use crate::error::Result;
use crate::key::IntoKey;
use crate::maintenance::Maintenance;
use crate::metrics::Metrics;
use crate::recovery::RecoveryReport;
use crate::run_id::RunId;
use crate::snapshot::{ClonedSnapshotView, LazySnapshotView, SnapshotView as _};
use crate::txn::{Commit, Transaction, TransactionOptions, run_with_retry};
use crate::types::{TxnId, Version};

use handle::Handle;
pub(crate) use inner::{Inner, OPEN};
pub(crate) use lease::Lease;

/// An open database. Handles are cheap to clone and may be used from any number of threads; the last one to go closes
/// the database.
#[derive(Clone, Debug)]
pub struct Database {
    handle: Arc<Handle>,
}

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
    /// [`Error::Locked`](crate::Error::Locked) when it is open elsewhere; [`Error::Corruption`](crate::Error::Corruption), [`Error::Missing`](crate::Error::Missing) and
    /// [`Error::NewerFormat`](crate::Error::NewerFormat) when its files are not what they must be; [`Error::Io`](crate::Error::Io).
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
        Self { handle: Arc::new(Handle::new(inner, maintenance, checkpointer)) }
    }

    /// Begins a transaction of a run, to be committed by the caller.
    ///
    /// # Errors
    /// [`Error::RunNotFound`](crate::Error::RunNotFound), [`Error::RunEnded`](crate::Error::RunEnded); [`Error::Closed`](crate::Error::Closed).
    pub fn begin_transaction(&self, run: RunId) -> Result<Transaction> {
        self.begin_transaction_with(run, &TransactionOptions::default())
    }

    /// Begins a transaction of a run with options of its own. An ended run may begin read-only ones.
    ///
    /// # Errors
    /// [`Error::RunNotFound`](crate::Error::RunNotFound), [`Error::RunEnded`](crate::Error::RunEnded); [`Error::Closed`](crate::Error::Closed).
    #[inline]
    pub fn begin_transaction_with(&self, run: RunId, options: &TransactionOptions) -> Result<Transaction> {
        let inner = self.inner();
        inner.check_open()?;
        let run = if options.read_only { inner.runs.find(run)? } else { inner.runs.find_active(run)? };
        Ok(Transaction::begin(self.lease(), run, options))
    }

    /// Runs a closure as a transaction: commits when it returns `Ok`, runs it again after a conflict, aborts and
    /// returns any other error. The closure may thus run several times.
    ///
    /// # Errors
    /// What the closure returns; [`Error::MaxRetriesExceeded`](crate::Error::MaxRetriesExceeded); whatever else keeps a commit from happening.
    pub fn transaction<T>(&self, run: RunId, body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        self.transaction_with(run, &TransactionOptions::default(), body)
    }

    /// Like [`transaction`](Self::transaction), with options.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction); [`Error::Timeout`](crate::Error::Timeout).
    pub fn transaction_with<T>(
        &self,
        run: RunId,
        options: &TransactionOptions,
        body: impl FnMut(&mut Transaction) -> Result<T>,
    ) -> Result<T> {
        self.transaction_with_commit(run, options, body).map(|(done, _)| done)
    }

    /// Like [`transaction_with`](Self::transaction_with), and hands out the commit as well: its version, and a ticket
    /// that tells when it is durable.
    ///
    /// ```
    /// use stormproof::{Database, TransactionOptions};
    ///
    /// # fn main() -> Result<(), stormproof::Error> {
    /// let db = Database::open_in_memory()?;
    /// let run = db.begin_run()?;
    /// let (_, commit) = db.transaction_with_commit(run, &TransactionOptions::new(), |txn| txn.put("key", 1_i64))?;
    /// commit.wait_durable()?;
    /// assert_eq!(commit.version(), Some(db.version()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`transaction_with`](Self::transaction_with).
    pub fn transaction_with_commit<T>(
        &self,
        run: RunId,
        options: &TransactionOptions,
        body: impl FnMut(&mut Transaction) -> Result<T>,
    ) -> Result<(T, Commit)> {
        let inner = self.inner();
        let run = if options.read_only { inner.runs.find(run)? } else { inner.runs.find_active(run)? };
        run_with_retry(self.lease(), run, options, body)
    }

    /// A view of the whole database as of now. Takes no time and no memory, but while it lives, what it sees is kept.
    #[inline]
    pub fn snapshot(&self) -> LazySnapshotView {
        LazySnapshotView::new(Arc::clone(self.lease()))
    }

    /// A deep copy of the whole database as of now, for tests.
    pub fn cloned_snapshot(&self) -> ClonedSnapshotView {
        ClonedSnapshotView::new(self.lease())
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
            expires_at: entry.expires.at(),
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
        crate::expiry::sweep(self.lease())
    }

    /// Makes everything durable that was acked before the call.
    ///
    /// # Errors
    /// [`Error::Poisoned`](crate::Error::Poisoned) after a failed sync; the error of a failed write, after which the data still wait for room.
    pub fn flush(&self) -> Result<()> {
        self.inner().log.as_ref().map_or(Ok(()), |log| log.flush())
    }

    /// Waits until everything up to `version` is durable: a reader that must not act on what a crash can take back
    /// waits for the version of its snapshot.
    ///
    /// # Errors
    /// [`Error::Poisoned`](crate::Error::Poisoned), [`Error::Closed`](crate::Error::Closed) when that will not happen.
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

    /// What this thread's transactions and views hold the database by.
    #[inline]
    fn lease(&self) -> &Arc<Lease> {
        self.handle.leases.own()
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
