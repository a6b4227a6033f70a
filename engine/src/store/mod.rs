//! The store core: what a database holds, below the rules by which it changes.
//!
//! Job: index, open snapshots, runs, expiry table, log and published version, each behind a small interface
//! for those above: `commit` changes them, `txn` and `snapshot` read them. Not its job: who may commit
//! (`commit`), how a transaction is run (`txn`), opening, closing and checkpoints (`database`).

mod snapshot_registry;
mod open_snapshot;

use env::{Clock, UnixMillis};
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};

pub(crate) use open_snapshot::OpenSnapshot;
pub(crate) use snapshot_registry::{Registered, SnapshotRegistry};

use crate::error::Result;
use crate::expiry::{ExpiryTable, WallTime};
use crate::key::Key;
use crate::mvcc::{ActiveSnapshots, Hint, Index, Record, Writer};
use crate::run::RunTable;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;
use crate::wal::{Log, Ticket};

/// What a database holds. One thread at a time, the commit leader, changes it; any number read.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) index: Index,
    pub(crate) snapshots: SnapshotRegistry,
    pub(crate) runs: RunTable,
    pub(crate) expiry: ExpiryTable,
    /// `None` in memory.
    pub(crate) log: Option<Arc<Log>>,
    pub(crate) time: WallTime,
    published: Arc<AtomicU64>,
}

/// The time by which expiry is judged where no key has ever been written with one.
pub(crate) const NO_EXPIRY: UnixMillis = UnixMillis(0);

/// How often a read without a snapshot is tried before it takes one.
const UNREGISTERED_READS_MAX: usize = 3;

/// What a store begins with: nothing, or what recovery found.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) index: Index,
    pub(crate) runs: RunTable,
    pub(crate) expiry: ExpiryTable,
    pub(crate) log: Option<Arc<Log>>,
    pub(crate) published: Version,
}

impl Store {
    pub(crate) fn new(contents: Contents, snapshot_generations: usize, clock: Arc<dyn Clock>) -> Self {
        let published = Arc::new(AtomicU64::new("published", contents.published.get()));
        Self {
            index: contents.index,
            snapshots: SnapshotRegistry::new(snapshot_generations, Arc::clone(&published)),
            runs: contents.runs,
            expiry: contents.expiry,
            log: contents.log,
            time: WallTime::new(clock),
            published,
        }
    }

    /// Returns the newest version that new snapshots read.
    pub(crate) fn published(&self) -> Version {
        Version::new(self.published.load(Ordering::SeqCst))
    }

    /// Makes everything up to `version` visible to new snapshots.
    pub(crate) fn publish(&self, version: Version) {
        self.published.store(version.get(), Ordering::SeqCst);
    }

    /// Calls `read` with the value that a key has at some moment of this call. Registers no snapshot: a
    /// single read needs none.
    #[inline]
    pub(crate) fn read_newest<R>(&self, key: &Key, mut read: impl FnOnce(Option<ValueRef<'_>>) -> R) -> R {
        for _ in 0..UNREGISTERED_READS_MAX {
            let published = self.published();
            let now = self.wall_time();
            // What is found is the newest version at or below `published`, unless that has been collected,
            // for which a newer one must have been published: hence the second check.
            let answer = self.index.read_unregistered(key, published, now, |value, is_certain| {
                if is_certain || self.published() == published { Ok(read(value)) } else { Err(read) }
            });
            match answer {
                Ok(answer) => return answer,
                Err(returned) => read = returned,
            }
            rt::reached!("a get repeated: what it was to read was collected");
        }
        let registered = self.snapshots.register();
        let now = self.wall_time();
        let answer = self.index.read(key, registered.version, now, |_, value, _| read(value));
        self.snapshots.release(&registered);
        answer
    }

    /// Adds a version to a key, and updates the tables beside the index. Only the commit leader calls this.
    #[inline]
    pub(crate) fn install(
        &self,
        writer: &mut Writer,
        key: &Key,
        value: Option<&Value>,
        hint: Hint,
        record: Record,
    ) {
        // The tables come first. Once the version is published, a transaction may search for its run there;
        // and a snapshot that finds a value which can expire must already ask for the time.
        if key.is_system() {
            self.runs.follow(key, value);
        }
        self.expiry.set(key, record.expires().at());
        let active = &mut || {
            if rt::mutant!(RepackAtPublished) {
                return ActiveSnapshots::from(self.published());
            }
            self.snapshots.advance()
        };
        writer.install(&self.index, hint, record, active);
    }

    /// Removes all versions above `published`, which were installed and will not be published. `keys` are
    /// those that have any and [concern](Self::concerns_tables) the tables beside the index.
    pub(crate) fn roll_back(&self, writer: &mut Writer, published: Version, keys: &[Key]) {
        writer.roll_back(&self.index, published);
        for key in keys {
            let before = self.index.entry(key, published);
            // What expired before expires again.
            self.expiry.set(key, before.as_ref().and_then(|entry| entry.expires.at()));
            if key.is_system() {
                self.runs.roll_back(key, before.and_then(|entry| entry.value).as_ref());
            }
        }
    }

    /// Returns whether the tables beside the index may know of a key that was installed.
    #[inline]
    pub(crate) fn concerns_tables(&self, key: &Key) -> bool {
        key.is_system() || self.expiry.in_use()
    }

    /// Checks that this process may write: not one that was forked from the one that opened the log.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    #[inline]
    pub(crate) fn check_process(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.check_process())
    }

    /// Returns whether a group of that many commits may be appended to the log now.
    pub(crate) fn admit(&self, commits: usize) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.admit(commits as u64))
    }

    /// Makes the group durable, if the durability mode wants that before it is visible.
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

    /// Returns the wall time by which a snapshot that was registered before this call judges expiry. Costs
    /// nothing as long as no key has ever been written with an expiry: what such a snapshot sees then does
    /// not expire.
    #[inline]
    pub(crate) fn wall_time(&self) -> UnixMillis {
        if self.expiry.in_use() { self.clock_time() } else { NO_EXPIRY }
    }

    /// Returns the wall time.
    pub(crate) fn clock_time(&self) -> UnixMillis {
        self.time.now()
    }
}
