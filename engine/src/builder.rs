//! Settings, and opening.

use std::path::{Path, PathBuf};
use std::time::Duration;

use env::{Clock, Disk, Entropy, OsEntropy, StdDisk, SystemClock};
use rt::sync::atomic::{AtomicU32, AtomicU64};
use rt::sync::{Arc, Mutex};

use crate::checkpoint::{spawn_checkpointer, take_checkpoint};
use crate::commit::{COLLECT_EVERY, Committer, Protocol};
use crate::database::{Database, Inner, OPEN};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::expiry::Expiry;
use crate::index_loader::IndexLoader;
use crate::maintenance::Maintenance;
use crate::metrics::Tally;
use crate::mvcc::Index;
use crate::recording::Recording;
use crate::recovery::{self, RecoveryOptions, RecoveryReport, Salvage};
use crate::run::RunTable;
use crate::snapshot::SnapshotRegistry;
use crate::telemetry::{event, span};
use crate::txn::{Limits, RetryPolicy, Turnstile, TxnIds};
use crate::types::{Isolation, TxnId, Version};
use crate::wal::{Log, LogOptions};

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
///     .durability(Durability::Batched { interval: Duration::from_millis(5), max_commits: 1_000 })
///     .isolation(Isolation::Serializable)
///     // What transactions may do, unless their options say otherwise.
///     .retry(RetryPolicy { attempts_max: 100, ..RetryPolicy::default() })
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
///     .checkpoint_interval(Duration::from_secs(600))
///     .salvage(Salvage::Refuse)
///     .recovery_threads(2)
///     // Memory.
///     .index_shards(8)
///     .snapshot_generations(32)
///     .collect_every(64)
///     .maintenance_interval(Duration::from_millis(500))
///     .open()?;
/// # db.close()?;
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing before `open`"]
pub struct DatabaseBuilder {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    isolation: Isolation,
    retry: RetryPolicy,
    limits: Limits,
    close_timeout: Duration,
    maintenance_interval: Duration,
    index_shards: usize,
    snapshot_generations: usize,
    collect_every: u64,
    recovery_threads: usize,
    recording: Option<Recording>,
    place: Place,
    salvage: Salvage,
    log: LogOptions,
}

/// Where the files are.
#[derive(Clone, Debug)]
enum Place {
    Memory,
    Dir(PathBuf),
    Disk(Arc<dyn Disk>),
}

impl DatabaseBuilder {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            isolation: Isolation::default(),
            retry: RetryPolicy::default(),
            limits: Limits {
                timeout: None,
                writes_max: 1 << 20,
                bytes_max: 256 << 20,
                key_bytes_max: 16 << 10,
            },
            close_timeout: Duration::from_secs(5),
            maintenance_interval: Duration::from_secs(1),
            index_shards: 16,
            snapshot_generations: 64,
            collect_every: COLLECT_EVERY,
            recovery_threads: recovery_threads_default(),
            recording: None,
            place: Place::Memory,
            salvage: Salvage::default(),
            log: LogOptions::default(),
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

    /// When commits become durable. Default: [`Durability::Strict`].
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.log.durability = durability;
        self
    }

    /// What to do about damage in what had been synced. Default: refuse to open.
    pub const fn salvage(mut self, salvage: Salvage) -> Self {
        self.salvage = salvage;
        self
    }

    /// Size in bytes at which a segment of the log ends and the next one begins. Default: 64 MiB.
    pub const fn segment_bytes_max(mut self, bytes: u64) -> Self {
        self.log.segment_bytes_max = bytes;
        self
    }

    /// How many bytes ahead the log allocates space on disk, so that most syncs don't change the file's size. Default:
    /// 1 MiB.
    pub const fn allocate_bytes(mut self, bytes: u64) -> Self {
        self.log.allocate_bytes = bytes;
        self
    }

    /// How many bytes of log may wait to be written before commits wait too, in the modes in which they wait at all.
    /// Default: 8 MiB.
    pub const fn log_buffer_bytes_max(mut self, bytes: usize) -> Self {
        self.log.buffer_bytes_max = bytes;
        self
    }

    /// After how many bytes of log a checkpoint is written. Default: 64 MiB.
    pub const fn checkpoint_log_bytes(mut self, bytes: u64) -> Self {
        self.log.checkpoint_log_bytes = bytes;
        self
    }

    /// How long after the last checkpoint another one is written, if anything has been logged. Default: never for this
    /// reason alone.
    pub const fn checkpoint_interval(mut self, interval: Duration) -> Self {
        self.log.checkpoint_interval = Some(interval);
        self
    }

    /// Where wall time comes from: expiry and run records read it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use env::{OsEntropy, SystemClock};
    /// use stormproof::Database;
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

    /// Where random bits come from: ids, jitter, hash seeds.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// What transactions are protected from, unless their options say otherwise. Default: serializable.
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// When closures run again after a conflict, unless their options say otherwise.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How long a transaction may run, unless its options say otherwise. Default: as long as it likes.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// Most keys that a transaction may write, unless its options say otherwise. Default: about a million.
    pub const fn writes_max(mut self, writes: usize) -> Self {
        self.limits.writes_max = writes;
        self
    }

    /// Most bytes that a transaction may buffer, unless its options say otherwise. Default: 256 MiB.
    pub const fn bytes_max(mut self, bytes: usize) -> Self {
        self.limits.bytes_max = bytes;
        self
    }

    /// Most bytes in a key, namespace included. Default: 16 KiB.
    pub const fn key_bytes_max(mut self, bytes: usize) -> Self {
        self.limits.key_bytes_max = bytes;
        self
    }

    /// How long [`Database::close`] waits for open transactions. Default: 5 s.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// How often expired keys are swept and old versions collected while nothing is committed. Default: 1 s.
    pub const fn maintenance_interval(mut self, interval: Duration) -> Self {
        self.maintenance_interval = interval;
        self
    }

    /// Parts into which the hash index is split, rounded up to a power of two: at least as many as threads that fill it
    /// when the database is opened. Default: 16. Small databases in great numbers want few.
    pub const fn index_shards(mut self, shards: usize) -> Self {
        self.index_shards = shards.next_power_of_two();
        self
    }

    /// How many spans of versions snapshots are counted in, at least 2: the more, the more exactly collection follows
    /// long readers. Default: 64.
    pub const fn snapshot_generations(mut self, generations: usize) -> Self {
        self.snapshot_generations = if generations < 2 { 2 } else { generations };
        self
    }

    /// How many commits there are between two looks at the oldest snapshot, at least 1: the fewer, the sooner old versions
    /// go, and the more a commit costs. Default: 32.
    pub const fn collect_every(mut self, commits: u64) -> Self {
        self.collect_every = if commits == 0 { 1 } else { commits };
        self
    }

    /// How many threads recovery fills the index with, beside the one that reads, once it has read some megabytes. Default:
    /// as many as the machine runs at once, up to 4.
    pub const fn recovery_threads(mut self, threads: usize) -> Self {
        self.recovery_threads = threads;
        self
    }

    /// Records the shapes of transactions, for a simulator to play them again: see [`Recording`]. Default: no.
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

    /// Opens the database, recovering what its files hold.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is open elsewhere; [`Error::Corruption`], [`Error::Missing`] and
    /// [`Error::NewerFormat`] when its files are not what they must be; [`Error::Io`].
    pub fn open(self) -> Result<Database> {
        let seed = self.entropy.next_u64();
        let index = Index::new(self.index_shards, seed);
        let disk: Option<Arc<dyn Disk>> = match &self.place {
            Place::Memory => None,
            Place::Disk(disk) => Some(Arc::clone(disk)),
            Place::Dir(dir) => match StdDisk::create(dir) {
                Ok(disk) => Some(Arc::new(disk)),
                Err(error) => {
                    return Err(Error::io("creating the directory", dir.display().to_string(), error));
                }
            },
        };
        let Some(disk) = disk else {
            return self.start(State::empty(index, seed));
        };
        let _span = span!(INFO, "open", place = disk.describe());
        let mut loader = IndexLoader::new(index, self.recovery_threads);
        let options = RecoveryOptions { log: self.log, salvage: self.salvage };
        let opened = recovery::open(disk, options, &*self.entropy, &mut loader)?;
        let (runs, expiry) = (RunTable::new(seed), Expiry::new());
        let index = loader.finish(|key, entry| {
            runs.follow(key, entry.value.as_ref());
            if let Some(expires_at) = entry.expires.at() {
                expiry.add(expires_at, key);
            }
        })?;
        event!(
            INFO,
            created = opened.report.created,
            version = opened.report.last_version.get(),
            checkpoint_entries = opened.report.checkpoint_entries,
            commits = opened.report.commits,
            log_bytes = opened.report.log_bytes,
            torn_bytes = opened.report.torn_bytes,
            salvaged = opened.report.salvaged.len(),
            "recovered"
        );
        self.start(State {
            index,
            runs,
            expiry,
            published: opened.last_version,
            first_version: opened.first_version,
            first_txn: opened.first_txn,
            log: Some(opened.log),
            report: opened.report,
        })
    }

    fn start(self, state: State) -> Result<Database> {
        let published = Arc::new(AtomicU64::new("published", state.published.get()));
        let grouped = state.log.is_some() && self.log.durability.is_strict();
        let protocol = Protocol::new(state.first_version.previous(), self.collect_every);
        let inner = Arc::new(Inner {
            index: state.index,
            snapshots: SnapshotRegistry::new(self.snapshot_generations, Arc::clone(&published)),
            runs: state.runs,
            expiry: state.expiry,
            isolation: self.isolation,
            limits: self.limits,
            retry: self.retry,
            turnstile: Turnstile::new(),
            metrics: Tally::new(),
            committer: Committer::new(protocol, grouped),
            published,
            txn_ids: TxnIds::new(state.first_txn),
            clock: self.clock,
            entropy: self.entropy,
            close_timeout: self.close_timeout,
            state: AtomicU32::new("state", OPEN),
            log: state.log,
            checkpoint: Mutex::new("checkpoint", ()),
            recovery: state.report,
            recording: self.recording,
        });
        let maintenance = Maintenance::start(&inner, self.maintenance_interval)?;
        let checkpointer = match &inner.log {
            None => None,
            Some(log) => {
                let (inner, body) = (Arc::clone(&inner), Arc::clone(log));
                Some(spawn_checkpointer(log, move || take_checkpoint(&inner, &body).map(drop))?)
            }
        };
        Ok(Database::from_parts(inner, maintenance, checkpointer))
    }
}

/// In simulations the machine must not decide anything.
fn recovery_threads_default() -> usize {
    if rt::probe::SIMULATED {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4)
}

/// What a database begins with.
struct State {
    index: Index,
    runs: RunTable,
    expiry: Expiry,
    published: Version,
    first_version: Version,
    first_txn: TxnId,
    log: Option<Arc<Log>>,
    report: RecoveryReport,
}

impl State {
    fn empty(index: Index, seed: u64) -> Self {
        Self {
            index,
            runs: RunTable::new(seed),
            expiry: Expiry::new(),
            published: Version::ZERO,
            first_version: Version::ZERO.next(),
            first_txn: TxnId::ZERO.next(),
            log: None,
            report: RecoveryReport::default(),
        }
    }
}
