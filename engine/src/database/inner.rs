//! What handles, transactions and background work share.

use std::time::Duration;

use env::{Clock, Entropy, UnixMillis};
use rt::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use rt::sync::{Arc, Mutex};

use crate::commit::{Committer, Request};
use crate::error::{Error, Result};
use crate::expiry::Expiry;
use crate::key::Key;
use crate::metrics::{Metrics, Tally};
use crate::mvcc::Index;
use crate::recording::Recording;
use crate::recovery::RecoveryReport;
use crate::run::RunTable;
use crate::snapshot::SnapshotRegistry;
use crate::txn::{Buffered, Limits, RetryPolicy, Turnstile, TxnIds};
use crate::types::{Isolation, Version};
use crate::value::Value;
use crate::wal::{Log, Ticket};

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
    pub(crate) txn_ids: TxnIds,
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

/// How often a read without a snapshot is tried before it takes one.
const UNREGISTERED_READS_MAX: usize = 3;

pub(crate) const OPEN: u32 = 0;
pub(super) const CLOSING: u32 = 1;
pub(super) const CLOSED: u32 = 2;

impl Inner {
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.state.load(Ordering::SeqCst) == OPEN { Ok(()) } else { Err(Error::Closed) }
    }

    /// Calls `see` with the value that a key has now, at some moment of this call. Registers no snapshot: a single read
    /// needs none.
    #[inline]
    pub(crate) fn see_newest<R>(&self, key: &Key, mut see: impl FnOnce(Option<&Value>) -> R) -> R {
        for _ in 0..UNREGISTERED_READS_MAX {
            let published = self.published.load(Ordering::SeqCst);
            let (at, now) = (Version::new(published), self.wall_time());
            // What is found is the newest version at or below `published`. Nothing is found if there is none; or if it
            // has been collected, for which a newer one must have been published.
            let seen = self.index.see(key, at, now, |version, value| {
                if version > Version::ZERO || self.published.load(Ordering::SeqCst) == published {
                    Ok(see(value))
                } else {
                    Err(see)
                }
            });
            match seen {
                Ok(seen) => return seen,
                Err(returned) => see = returned,
            }
            rt::reached!("a get repeated: what it was to read was collected");
        }
        let registered = self.snapshots.register();
        let seen = self.index.see(key, registered.version, self.wall_time(), |_, value| see(value));
        self.snapshots.release(&registered);
        seen
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
        log.append(version, request.txn, request.run.number, |record| {
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
