//! The database: the handle that applications hold, and its life from opening to closing.
//!
//! Job: opening, closing, checkpoints, work in the background, and the public operations, which it passes on
//! to `txn` and `snapshot`. Not its job: how a transaction is run and committed.

mod builder;
mod open;
mod settings;
mod handle;
mod transactions;
mod autocommit;
mod update;
mod runs;
mod retention;
mod checkpoints;
mod backups;
mod dumps;
mod maintenance;
mod sweep;
mod watching;
mod measure;
mod mutants;

use std::path::Path;

use env::UnixMillis;
use rt::sync::Arc;

use crate::checkpoint::CheckpointInfo;
use crate::error::Result;
use crate::key::IntoKey;
use crate::metrics::Metrics;
use crate::recovery::RecoveryReport;
use crate::run_id::RunId;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::txn::Coordinator;
use crate::types::{RunNumber, TxnId, Version};

pub use backups::Compaction;
pub use builder::DatabaseBuilder;
pub use dumps::DumpEntry;
use handle::Handle;
use measure::measure;
use sweep::sweep;

/// An open database. Handles are cheap to clone and may be used from any number of threads; dropping the last
/// one closes the database.
#[derive(Clone, Debug)]
pub struct Database {
    handle: Arc<Handle>,
}

impl Database {
    /// Creates an empty database in memory: no log, nothing survives.
    ///
    /// ```
    /// let db = stormproof::Database::open_in_memory()?;
    /// let run = db.begin_run()?;
    /// db.put(run, "key", 1_u64)?;
    /// assert_eq!(db.get("key")?, Some(1_u64));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a background thread can't be started.
    pub fn open_in_memory() -> Result<Self> {
        Self::builder().open()
    }

    /// Opens the database in a directory, which is created if there is none, with strict durability.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// let db = stormproof::Database::open(dir)?;
    /// let run = db.begin_run()?;
    /// db.put(run, "key", "durable as soon as this returns")?;
    /// db.close()?;
    /// # let db = stormproof::Database::open(dir)?;
    /// # assert!(db.get::<String>("key")?.is_some());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Locked`](crate::Error::Locked) when it is open elsewhere;
    /// [`Error::Corruption`](crate::Error::Corruption), [`Error::Missing`](crate::Error::Missing) and
    /// [`Error::NewerFormat`](crate::Error::NewerFormat) when its files are not what they must be;
    /// [`Error::Io`](crate::Error::Io).
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::builder().dir(dir).open()
    }

    /// Returns a builder that opens a database with other settings than the defaults.
    ///
    /// ```
    /// use stormproof::{Database, Isolation};
    ///
    /// let db = Database::builder().isolation(Isolation::Snapshot).open()?;
    /// # let run = db.begin_run()?;
    /// # assert_eq!(db.begin_transaction(run)?.context().isolation(), Isolation::Snapshot);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn builder() -> DatabaseBuilder {
        DatabaseBuilder::new()
    }

    /// Returns the whole database as of now. Takes no time and no memory, but while it lives, what it sees is
    /// kept.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let snapshot = db.snapshot();
    /// db.put(run, "key", 2_i64)?;
    /// assert_eq!(snapshot.get("key")?, Some(1_i64));
    /// assert_eq!(snapshot.prefix("k").count(), 1);
    /// assert!(snapshot.version() < db.version());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    #[inline]
    pub fn snapshot(&self) -> Snapshot {
        self.coordinator().hooks.assert_life();
        Snapshot::new(Arc::clone(self.handle.snapshots.own()))
    }

    /// Reads at one snapshot: everything that `body` sees is as of one moment. Needs no run, and never
    /// conflicts.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::Value;
    ///
    /// db.put(run, "a", 1_i64)?;
    /// db.put(run, "b", 2_i64)?;
    /// let both = db.read(|snapshot| (snapshot.value("a"), snapshot.value("b")));
    /// assert_eq!(both, (Some(Value::I64(1)), Some(Value::I64(2))));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn read<R>(&self, body: impl FnOnce(&Snapshot) -> R) -> R {
        body(&self.snapshot())
    }

    /// Returns who wrote the value that a key has now: run and transaction. `None` if the key never existed,
    /// or if its tombstone has been collected.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let by = db.provenance("key").expect("it was just written");
    /// assert_eq!(by.run, Some(run));
    /// assert!(!by.deleted);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn provenance(&self, key: impl IntoKey) -> Option<Provenance> {
        let store = self.store();
        let view = self.snapshot();
        let entry = store.index.entry(&key.into_key(), view.version())?;
        Some(Provenance {
            version: entry.version,
            txn: entry.txn,
            run: store.runs.id_of(entry.run),
            run_number: entry.run,
            deleted: entry.value.is_none(),
            expires_at: entry.expires.at(),
        })
    }

    /// Returns the newest published version.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// let before = db.version();
    /// db.put(run, "key", 1_i64)?;
    /// assert!(db.version() > before);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn version(&self) -> Version {
        self.store().published()
    }

    /// Returns what the database has done so far. Also handed to the `metrics` crate.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let metrics = db.metrics();
    /// assert!(metrics.commits >= 1);
    /// assert_eq!(metrics.conflict_rate(), 0.0);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        let metrics = measure(self.coordinator());
        metrics.record();
        metrics
    }

    /// Drops every old version and tombstone that no snapshot sees. Happens by itself as transactions commit.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// for number in 0..10_i64 {
    ///     db.put(run, "key", number)?;
    /// }
    /// db.collect();
    /// assert_eq!(db.metrics().surplus_versions, 0);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn collect(&self) {
        self.coordinator().committer.collect_all(self.store(), false);
    }

    /// Deletes the keys that have expired; happens by itself from time to time. Returns how many there were.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use std::time::Duration;
    ///
    /// db.put_with_ttl(run, "cache/a", "soon gone", Duration::ZERO)?;
    /// assert_eq!(db.get::<String>("cache/a")?, None);
    /// db.sweep_expired()?;
    /// assert_eq!(db.prefix("cache/").count(), 0);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the deletes can't be committed.
    pub fn sweep_expired(&self) -> Result<usize> {
        sweep(self.handle.transactions.own())
    }

    /// Makes everything durable that was acked before the call.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let builder = stormproof::Database::builder().dir(dir.path());
    /// # let db = builder.durability(stormproof::Durability::Pipelined).open()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// db.flush()?;
    /// assert_eq!(db.durable_version(), db.version());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Poisoned`](crate::Error::Poisoned) after a failed sync; the error of a failed write, after
    /// which the data still wait for room.
    pub fn flush(&self) -> Result<()> {
        let hooks = &self.coordinator().hooks;
        hooks.check_life()?;
        let called = hooks.now();
        self.store().log.as_ref().map_or(Ok(()), |log| log.flush())?;
        hooks.flushed(called);
        Ok(())
    }

    /// Waits until everything up to `version` is durable: a reader that must not act on what a crash can take
    /// back waits for the version of its snapshot.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let builder = stormproof::Database::builder().dir(dir.path());
    /// # let db = builder.durability(stormproof::Durability::Pipelined).open()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let snapshot = db.snapshot();
    /// db.wait_durable(snapshot.version())?; // What the snapshot shows can't be lost any more.
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Poisoned`](crate::Error::Poisoned), [`Error::Closed`](crate::Error::Closed) when that will
    /// not happen.
    pub fn wait_durable(&self, version: Version) -> Result<()> {
        self.store().ticket(version).wait()
    }

    /// Returns the version up to which everything is durable; in memory, the newest version.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let builder = stormproof::Database::builder().dir(dir.path());
    /// # let db = builder.durability(stormproof::Durability::Pipelined).open()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// assert!(db.durable_version() <= db.version());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn durable_version(&self) -> Version {
        self.store().log.as_ref().map_or_else(|| self.version(), |log| log.durable_version())
    }

    /// Writes the newest state to a checkpoint, from which the next recovery begins, and drops the log before
    /// it. Writers go on meanwhile. Happens by itself as the log grows. In memory there is nothing to do, and
    /// nothing is returned.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let builder = stormproof::Database::builder().dir(dir.path());
    /// # let db = builder.durability(stormproof::Durability::Pipelined).open()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// let written = db.checkpoint()?.expect("a database on disk has checkpoints");
    /// assert_eq!(written.version, db.version());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the checkpoint can't be written; the one before and its log stay then.
    pub fn checkpoint(&self) -> Result<Option<CheckpointInfo>> {
        self.store().log.as_ref().map(|log| self.handle.checkpoints.write(log)).transpose()
    }

    /// Returns what the opening found, and did.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let builder = stormproof::Database::builder().dir(dir.path());
    /// # let db = builder.durability(stormproof::Durability::Pipelined).open()?;
    /// # let run = db.begin_run()?;
    /// let report = db.recovery_report();
    /// assert!(report.created, "there was nothing before");
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn recovery_report(&self) -> &RecoveryReport {
        &self.handle.recovery
    }

    /// Closes the database for all handles: no new transactions, waits for those that are open (as long as
    /// the close timeout allows; then they can't commit any more), and makes everything acked durable.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.close()?;
    /// assert!(matches!(db.begin_transaction(run), Err(stormproof::Error::Closed)));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When what was acked can't be made durable.
    pub fn close(&self) -> Result<()> {
        self.handle.close()
    }

    #[inline]
    pub(crate) fn coordinator(&self) -> &Coordinator {
        &self.handle.coordinator
    }

    #[inline]
    pub(crate) fn store(&self) -> &Store {
        &self.handle.coordinator.store
    }
}

/// Who wrote a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// The version.
    pub version: Version,
    /// The transaction that wrote it.
    pub txn: TxnId,
    /// The run that wrote it; `None` for the database itself, and for a run that is forgotten.
    pub run: Option<RunId>,
    /// The number of that run, forgotten or not; zero for the database itself.
    pub run_number: RunNumber,
    /// Whether it is a delete.
    pub deleted: bool,
    /// When it expires, if it does.
    pub expires_at: Option<UnixMillis>,
}
