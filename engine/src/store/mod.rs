//! The store core: what a database holds, below the rules by which it changes.
//!
//! Job: index, open snapshots, runs, expiry table, log and published version, each behind a small interface
//! for those above: `commit` changes them, `txn` and `snapshot` read them. Not its job: who may commit
//! (`commit`), how a transaction is run (`txn`), opening, closing and checkpoints (`database`).

mod snapshot_registry;

use env::{Clock, UnixMillis};
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};

pub(crate) use snapshot_registry::{Registered, SnapshotRegistry};

use crate::error::Result;
use crate::expiry::ExpiryTable;
use crate::key::Key;
use crate::mvcc::{Index, Slot, VersionEntry};
use crate::run::RunTable;
use crate::types::Version;
use crate::value::Value;
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
    published: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

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
            published,
            clock,
        }
    }

    /// The newest version that new snapshots read.
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
    pub(crate) fn read_newest<R>(&self, key: &Key, mut read: impl FnOnce(Option<&Value>) -> R) -> R {
        for _ in 0..UNREGISTERED_READS_MAX {
            let published = self.published();
            let now = self.wall_time();
            // What is found is the newest version at or below `published`. If nothing is found, there is
            // none; or it has been collected, for which a newer one must have been published: hence the
            // second look.
            let answer = self.index.see(key, published, now, |version, value| {
                if version > Version::ZERO || self.published() == published {
                    Ok(read(value))
                } else {
                    Err(read)
                }
            });
            match answer {
                Ok(answer) => return answer,
                Err(returned) => read = returned,
            }
            rt::reached!("a get repeated: what it was to read was collected");
        }
        let registered = self.snapshots.register();
        let answer = self.index.see(key, registered.version, self.wall_time(), |_, value| read(value));
        self.snapshots.release(&registered);
        answer
    }

    /// Adds a version to a key, and tells the tables beside the index. Only the commit leader calls this.
    /// `known` is the key's slot, if the caller has it. Returns the slot and how many versions it has now.
    #[inline]
    pub(crate) fn install(
        &self,
        key: Key,
        known: Option<Arc<Slot>>,
        entry: VersionEntry,
    ) -> (Arc<Slot>, usize) {
        // The tables come first. Once the version is published, a transaction may look for its run there; and
        // a snapshot that finds a value which can expire must already ask for the time.
        if key.is_system() {
            self.runs.follow(&key, entry.value.as_ref());
        }
        self.expiry.set(&key, entry.expires.at());
        self.index.install(key, known, entry)
    }

    /// Removes the versions of a slot above `published`, which were installed and will not be published.
    pub(crate) fn roll_back(&self, slot: &Arc<Slot>, published: Version) {
        if slot.roll_back(published).1 {
            self.index.remove(slot);
        }
        if slot.key().is_system() {
            let before = slot.entry(published).and_then(|entry| entry.value);
            self.runs.roll_back(slot.key(), before.as_ref());
        }
        // What expired before expires again.
        let expires = slot.entry(published).and_then(|entry| entry.expires.at());
        self.expiry.set(slot.key(), expires);
    }

    /// Checks that this process may write: not one that was forked from the one that opened the log.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    #[inline]
    pub(crate) fn check_process(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.check_process())
    }

    /// Whether a group of that many commits may be appended to the log now.
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

    /// The wall time by which a snapshot that was registered before this call judges expiry. Costs nothing as
    /// long as no key has ever been written with an expiry: what such a snapshot sees then does not expire.
    #[inline]
    pub(crate) fn wall_time(&self) -> UnixMillis {
        if self.expiry.in_use() { self.clock_time() } else { UnixMillis(0) }
    }

    /// The wall time, which never goes back while the database is open.
    pub(crate) fn clock_time(&self) -> UnixMillis {
        self.expiry.latest(self.clock.now())
    }
}
