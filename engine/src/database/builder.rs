//! Settings to open a database with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use env::{Clock, Disk, Entropy, OsEntropy, SystemClock};
use rt::sync::Arc;

use super::retention::Retention;
use super::{Database, open};
use crate::commit::COLLECT_EVERY;
use crate::durability::Durability;
use crate::error::Result;
use crate::mvcc::Sizes;
use crate::recovery::Salvage;
#[cfg(feature = "simulation")]
use crate::txn::Observer;
use crate::txn::{Limits, Recording, RetryPolicy, TxnDefaults};
use crate::types::Isolation;
use crate::wal::LogOptions;

/// Settings to open a database with. What is not set is chosen for most applications.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// use std::time::Duration;
/// use stormproof::{Database, Durability, Isolation, RetryPolicy, Salvage};
///
/// let db = Database::builder()
///     .dir(dir) // or `.disk(…)`: any directory that is not one of the operating system
///     .durability(Durability::Batched { interval: Duration::from_millis(5), commits_max: 1_000 })
///     .isolation(Isolation::Serializable)
///     // What transactions may do, unless their options say otherwise.
///     .retry(RetryPolicy::new().attempts_max(100))
///     .timeout(Duration::from_secs(10))
///     .writes_max(100_000)
///     .bytes_max(64 << 20)
///     .key_bytes_max(4 << 10)
///     .close_timeout(Duration::from_secs(1))
///     // The log and its checkpoints.
///     .segment_bytes_max(16 << 20)
///     .allocate_bytes(1 << 20)
///     .log_buffer_bytes_max(4 << 20)
///     .checkpoint_log_bytes(32 << 20)
///     .checkpoint_segments(32)
///     .checkpoint_interval(Duration::from_secs(600))
///     .salvage(Salvage::Refuse)
///     .recovery_threads(2)
///     // Memory.
///     .index_leaf(64, 16)
///     .background_packing(false)
///     .snapshot_generations(32)
///     .collect_every(64)
///     .maintenance_interval(Duration::from_millis(500))
///     // Runs that have ended.
///     .ended_runs_max(10_000)
///     .ended_runs_age_max(Duration::from_secs(30 * 24 * 3600))
///     .open()?;
/// # db.close()?;
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing before `open`"]
pub struct DatabaseBuilder {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) defaults: TxnDefaults,
    pub(super) close_timeout: Duration,
    pub(super) maintenance_interval: Duration,
    pub(super) index_sizes: Sizes,
    pub(super) packs_beside_commits: bool,
    pub(super) snapshot_generations: usize,
    pub(super) collect_every: u64,
    pub(super) recovery_threads: usize,
    pub(super) recording: Option<Recording>,
    #[cfg(feature = "simulation")]
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) place: Place,
    pub(super) read_only: bool,
    pub(super) salvage: Salvage,
    pub(super) log: LogOptions,
    pub(super) retention: Retention,
}

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Memory,
    Dir(PathBuf),
    Disk(Arc<dyn Disk>),
}

impl DatabaseBuilder {
    pub(super) fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            defaults: TxnDefaults {
                isolation: Isolation::default(),
                retry: RetryPolicy::default(),
                read_only: false,
                limits: Limits {
                    timeout: None,
                    writes_max: 1 << 20,
                    bytes_max: 256 << 20,
                    key_bytes_max: 16 << 10,
                },
            },
            close_timeout: Duration::from_secs(5),
            maintenance_interval: Duration::from_secs(1),
            index_sizes: Sizes::DEFAULT,
            packs_beside_commits: true,
            snapshot_generations: 64,
            collect_every: COLLECT_EVERY,
            recovery_threads: recovery_threads_default(),
            recording: None,
            #[cfg(feature = "simulation")]
            observer: None,
            place: Place::Memory,
            read_only: false,
            salvage: Salvage::default(),
            log: LogOptions::default(),
            retention: Retention::ALL,
        }
    }

    /// Keeps the database in a directory, which is created if there is none. Default: in memory only.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.place = Place::Dir(dir.as_ref().to_path_buf());
        self
    }

    /// Keeps the database on a disk of the caller's: a directory by other means, such as a simulated one.
    ///
    /// ```
    /// use stormproof::Database;
    ///
    /// let disk = stormproof_faults::SimDisk::new(stormproof_faults::DiskOptions::default());
    /// let db = Database::builder().disk(disk.mount()).open()?;
    /// # assert!(db.recovery_report().created);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.place = Place::Disk(disk);
        self
    }

    /// Opens the database to be read: it must exist, no file is created or changed, so a full or read-only
    /// disk will do (A6), and every write is [`Error::ReadOnly`](crate::Error::ReadOnly). Locked against
    /// writers only while it is opened, as everything is in memory then; what others write later does not
    /// show. What a writer had not synced before it was killed may show, and be gone after a power cut.
    /// Default: no.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let db = stormproof::Database::open(dir.path())?;
    /// # db.put(db.begin_run()?, "key", 1_i64)?;
    /// # db.close()?;
    /// let db = stormproof::Database::builder().dir(dir.path()).read_only().open()?;
    /// assert_eq!(db.get("key")?, Some(1_i64));
    /// assert!(matches!(db.begin_run(), Err(stormproof::Error::ReadOnly)));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self.defaults.read_only = true;
        self
    }

    /// Sets when commits become durable. Default: [`Durability::Strict`].
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.log.durability = durability;
        self
    }

    /// Sets what to do about damage in what had been synced. Default: refuse to open.
    pub const fn salvage(mut self, salvage: Salvage) -> Self {
        self.salvage = salvage;
        self
    }

    /// Sets the size in bytes at which a segment of the log ends and the next one begins: 256 bytes to 1 TiB.
    /// Default: 64 MiB.
    pub const fn segment_bytes_max(mut self, bytes: u64) -> Self {
        self.log.segment_bytes_max = bytes;
        self
    }

    /// Sets how many bytes ahead the log allocates space on disk at most, 0 to 2^30, so that most syncs don't
    /// change the file's size. A segment begins with 16 KiB, and allocates as much again as it holds.
    /// Default: 1 MiB.
    pub const fn allocate_bytes(mut self, bytes: u64) -> Self {
        self.log.allocate_bytes = bytes;
        self
    }

    /// Sets how many bytes of log may wait to be written before commits wait too, in the modes in which they
    /// wait at all: 1 KiB to 2 GiB. Default: 8 MiB.
    pub const fn log_buffer_bytes_max(mut self, bytes: usize) -> Self {
        self.log.buffer_bytes_max = bytes;
        self
    }

    /// Sets after how many bytes of log a checkpoint is written, at least 1 KiB; `u64::MAX` for never.
    /// Default: 64 MiB.
    pub const fn checkpoint_log_bytes(mut self, bytes: u64) -> Self {
        self.log.checkpoint_log_bytes = bytes;
        self
    }

    /// Sets after how many complete segments of the log a checkpoint is written, at least 1; `usize::MAX` for
    /// never. Every open leaves a segment, so this bounds the files of a database that is opened often.
    /// Default: 64.
    pub const fn checkpoint_segments(mut self, segments: usize) -> Self {
        self.log.checkpoint_segments = segments;
        self
    }

    /// Sets how long after the last checkpoint another one is written, if anything has been logged: 1 ms to a
    /// year. Default: never for this reason alone.
    pub const fn checkpoint_interval(mut self, interval: Duration) -> Self {
        self.log.checkpoint_interval = Some(interval);
        self
    }

    /// Sets where wall time comes from: expiry and run records read it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use stormproof::{Database, OsEntropy, SystemClock};
    ///
    /// // The default, named; tests pass a clock that they can set, and entropy from a seed.
    /// let db = Database::builder().clock(Arc::new(SystemClock)).entropy(Arc::new(OsEntropy)).open()?;
    /// # db.begin_run()?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where random bits come from: ids, jitter, hash seeds.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Sets what transactions are protected from, unless their options say otherwise. Default: serializable.
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.defaults.isolation = isolation;
        self
    }

    /// Sets when closures run again after a conflict, unless their options say otherwise.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.defaults.retry = policy;
        self
    }

    /// Sets how long a transaction may run, unless its options say otherwise: 1 ns to a year. Default: as
    /// long as it likes.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.defaults.limits.timeout = Some(timeout);
        self
    }

    /// Sets the most keys that a transaction may write, unless its options say otherwise; at least 1.
    /// Default: about a million.
    pub const fn writes_max(mut self, writes: usize) -> Self {
        self.defaults.limits.writes_max = writes;
        self
    }

    /// Sets the most bytes that a transaction may buffer, unless its options say otherwise; at least 1.
    /// Default: 256 MiB.
    pub const fn bytes_max(mut self, bytes: usize) -> Self {
        self.defaults.limits.bytes_max = bytes;
        self
    }

    /// Sets the most bytes in a key, namespace included: 1 to 64 MiB. Default: 16 KiB.
    pub const fn key_bytes_max(mut self, bytes: usize) -> Self {
        self.defaults.limits.key_bytes_max = bytes;
        self
    }

    /// Sets how long [`Database::close`] waits for open transactions: up to a year. Default: 5 s.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets how often expired keys are swept and old versions collected while nothing is committed: 100 µs to
    /// a year. Default: 1 s.
    pub const fn maintenance_interval(mut self, interval: Duration) -> Self {
        self.maintenance_interval = interval;
        self
    }

    /// Sets how many runs that have ended are kept, those that ended last; the others are
    /// [forgotten](Database::forget_run). Any number, and `usize::MAX` for all. Default: all.
    pub const fn ended_runs_max(mut self, runs: usize) -> Self {
        self.retention.runs_max = runs;
        self
    }

    /// Sets how long a run is kept after its end; then it is [forgotten](Database::forget_run): up to a year.
    /// Default: for ever.
    pub const fn ended_runs_age_max(mut self, age: Duration) -> Self {
        self.retention.age_max = Some(age);
        self
    }

    /// Sets the size of the leaves of the index: the most entries of a page, from 2 to 128, and the most
    /// records of its journal, from 2 to 32, but not more than entries of the page. Default: 128 and 32. A
    /// smaller journal makes reads of what has just been written faster, and writes slower.
    pub const fn index_leaf(mut self, page_entries: usize, journal_records: usize) -> Self {
        self.index_sizes = Sizes { page: page_entries, journal: journal_records };
        self
    }

    /// Sets whether the background thread packs leaves of the index whose journals are nearly full, so that
    /// hardly any commit has to: on by default. Without it a commit in some thirty takes as long as packing a
    /// page does, and the background thread rests while there is nothing to maintain.
    pub const fn background_packing(mut self, is_on: bool) -> Self {
        self.packs_beside_commits = is_on;
        self
    }

    /// Sets into how many generations, which are spans of versions, snapshots in use are sorted, 2 to
    /// 65,536: the more, the more exactly collection goes around long readers. Default: 64.
    pub const fn snapshot_generations(mut self, generations: usize) -> Self {
        self.snapshot_generations = generations;
        self
    }

    /// Sets how many commits there are between two looks at the snapshots in use, at least 1: the fewer, the
    /// sooner old versions are collected, and the more a commit costs. Default: 8.
    pub const fn collect_every(mut self, commits: u64) -> Self {
        self.collect_every = commits;
        self
    }

    /// Sets how many threads recovery fills the index with, 1 to 1,024, beside the one that reads, once it
    /// has read some megabytes. Default: as many as the machine runs at once, up to 4.
    pub const fn recovery_threads(mut self, threads: usize) -> Self {
        self.recovery_threads = threads;
        self
    }

    /// Records the shapes of transactions, for a simulator to replay: see [`Recording`]. Default: no.
    ///
    /// ```
    /// use stormproof::{Database, Recording};
    ///
    /// let recording = Recording::new(std::io::sink());
    /// let db = Database::builder().record(recording).open()?;
    /// # db.begin_run()?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn record(mut self, recording: Recording) -> Self {
        self.recording = Some(recording);
        self
    }

    /// Tells an observer what transactions do: for simulations, which do so by themselves.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use stormproof::{Database, Observed, Observer};
    /// # use stormproof::{Durability, Entry, Key, TxnId, Value, Version};
    ///
    /// #[derive(Debug)]
    /// struct Told;
    ///
    /// impl Observer for Told {
    ///     fn observe(&self, txn: TxnId, what: Observed<'_>) {
    ///         println!("{txn:?}: {what:?}");
    ///     }
    /// #   fn now(&self) -> u64 { 0 }
    /// #   fn opened(&self, _: Durability, _: Version, _: Vec<Entry>) {}
    /// #   fn looked(&self, _: u64, _: &Key, _: Option<Value>) {}
    /// #   fn flushed(&self, _: u64) {}
    /// #   fn closed(&self) {}
    /// }
    ///
    /// let db = Database::builder().observe(Arc::new(Told)).open()?;
    /// db.put(db.begin_run()?, "key", 1_i64)?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn observe(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Opens the database, recovering what its files hold.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for a setting outside of its range;
    /// [`Error::Locked`](crate::Error::Locked) when it is open elsewhere;
    /// [`Error::Corruption`](crate::Error::Corruption), [`Error::Missing`](crate::Error::Missing) and
    /// [`Error::NewerFormat`](crate::Error::NewerFormat) when its files are not what they must be;
    /// [`Error::Io`](crate::Error::Io).
    pub fn open(self) -> Result<Database> {
        open::open(self)
    }
}

/// Returns the default number of threads. In simulations the machine must not decide it.
fn recovery_threads_default() -> usize {
    if rt::probe::is_simulated() {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4)
}
