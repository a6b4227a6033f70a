//! Settings, and opening.

use std::time::Duration;

use env::{Clock, Entropy, OsEntropy, SystemClock};
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU32, AtomicU64};

use crate::commit::{Committer, Protocol};
use crate::database::{Database, Inner, OPEN};
use crate::error::Result;
use crate::expiry::Expiry;
use crate::maintenance::Maintenance;
use crate::metrics::Tally;
use crate::mvcc::Index;
use crate::run::RunTable;
use crate::snapshot::SnapshotRegistry;
use crate::txn::{Limits, RetryPolicy, Turnstile};
use crate::types::{Isolation, Version};

/// Settings to open a database with. What is not set is chosen for most applications.
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
            index_shards: 256,
            snapshot_generations: 64,
        }
    }

    /// Where wall time comes from: expiry and run records read it.
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

    /// Parts into which the hash index is split, rounded up to a power of two: about the number of threads that write
    /// new keys at once, times a few. Default: 256. Small databases in great numbers want few.
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

    /// Opens the database.
    ///
    /// # Errors
    /// When a background thread can't be started.
    pub fn open(self) -> Result<Database> {
        let index = Index::new(self.index_shards, self.entropy.next_u64());
        let published = Arc::new(AtomicU64::new("published", 0));
        let inner = Arc::new(Inner {
            index,
            snapshots: SnapshotRegistry::new(self.snapshot_generations, Arc::clone(&published)),
            runs: RunTable::new(),
            expiry: Expiry::new(),
            isolation: self.isolation,
            limits: self.limits,
            retry: self.retry,
            turnstile: Turnstile::new(),
            metrics: Tally::new(),
            committer: Committer::new(Protocol::new(Version::ZERO), false),
            published,
            next_txn: AtomicU64::new("next_txn", 1),
            clock: self.clock,
            entropy: self.entropy,
            close_timeout: self.close_timeout,
            state: AtomicU32::new("state", OPEN),
        });
        let maintenance = Maintenance::start(&inner, self.maintenance_interval)?;
        Ok(Database::from_parts(inner, maintenance))
    }
}
