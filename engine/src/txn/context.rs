//! A transaction's identity, snapshot, sets and status.

use env::UnixMillis;
use rt::time::Instant;

use super::options::{Limits, TransactionOptions};
#[cfg(feature = "sha2")]
use super::own_events::OwnEvents;
use crate::commit::{Append, ReadSet, WriteSet};
use crate::conflict::ConflictInfo;
use crate::error::{Error, Result};
use crate::run::RunRef;
use crate::run_id::RunId;
use crate::types::{Isolation, TxnId, Version};

/// Status of a transaction: active → validating → committed or aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// May read and write.
    Active,
    /// Commit is under way.
    Validating,
    /// Committed.
    Committed {
        /// The commit version; `None` if there was nothing to write.
        version: Option<Version>,
    },
    /// Aborted: it has had no effect, unless the reason says that this is not known.
    Aborted {
        /// Why.
        reason: AbortReason,
    },
}

/// Why a transaction aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AbortReason {
    /// The caller aborted it, or dropped it.
    Requested,
    /// Another transaction committed first.
    Conflict(Vec<ConflictInfo>),
    /// Past its timeout or a size limit.
    Limit,
    /// Another error.
    Failed,
    /// The commit failed half-way: it may have happened. Recovery decides.
    Indeterminate,
}

impl Status {
    pub(crate) const fn describe(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Validating => "committing",
            Self::Committed { .. } => "committed",
            Self::Aborted { .. } => "aborted",
        }
    }
}

/// A transaction's identity, snapshot, sets and status, for inspection.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{Isolation, Status};
///
/// let mut txn = db.begin_transaction(run)?;
/// txn.get::<i64>("read")?;
/// txn.range("a".."b")?.count();
/// txn.put("written", 1_i64)?;
/// txn.delete("deleted")?;
/// txn.insert("inserted", 1_i64)?;
/// let context = txn.context();
/// assert_eq!((context.run(), context.start_version()), (run, db.version()));
/// assert_eq!((context.isolation(), context.is_read_only()), (Isolation::Serializable, false));
/// assert_eq!((context.read_set_len(), context.range_set_len()), (1, 1));
/// assert_eq!((context.write_set_len(), context.delete_set_len(), context.cas_set_len()), (1, 1, 1));
/// assert_eq!(context.append_len(), 0);
/// assert!(context.write_bytes() > 0 && context.id().get() > 0);
/// assert_eq!(*context.status(), Status::Active);
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
pub struct TransactionContext {
    pub(crate) id: TxnId,
    pub(crate) run: RunId,
    pub(crate) start_version: Version,
    /// Wall time at begin, by which expiry is judged (V7).
    pub(crate) now: UnixMillis,
    /// When it began, for the timeout.
    pub(crate) started: Option<Instant>,
    pub(crate) isolation: Isolation,
    pub(crate) read_only: bool,
    /// Whether its shape is recorded.
    pub(crate) recorded: bool,
    pub(crate) limits: Limits,
    pub(crate) reads: ReadSet,
    pub(crate) writes: WriteSet,
    /// Entries for event logs, which get their sequence numbers at commit.
    pub(crate) appends: Vec<Append>,
    /// Bytes of them, about.
    pub(super) append_bytes: usize,
    #[cfg(feature = "sha2")]
    pub(crate) own_events: OwnEvents,
    pub(crate) status: Status,
    /// The conditional write that failed at once, if one did: a closure that gives up after it is run again
    /// if the key has changed meanwhile.
    pub(crate) failed_condition: Option<ConflictInfo>,
}

impl TransactionContext {
    /// Returns its id; never used twice.
    pub const fn id(&self) -> TxnId {
        self.id
    }

    /// Returns the run that it belongs to.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// Returns the snapshot that it reads.
    pub const fn start_version(&self) -> Version {
        self.start_version
    }

    /// Returns its isolation level.
    pub const fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Returns whether it refuses writes.
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Returns its status.
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// Returns how many reads of keys are tracked; none under snapshot isolation or when read-only.
    pub fn read_set_len(&self) -> usize {
        self.reads.points().len()
    }

    /// Returns how many scanned ranges are tracked.
    pub fn range_set_len(&self) -> usize {
        self.reads.ranges().len()
    }

    /// Returns how many keys would be written without a condition.
    pub const fn write_set_len(&self) -> usize {
        self.writes.counts().puts
    }

    /// Returns how many keys would be deleted without a condition.
    pub const fn delete_set_len(&self) -> usize {
        self.writes.counts().deletes
    }

    /// Returns how many keys would be written on a condition.
    pub const fn cas_set_len(&self) -> usize {
        self.writes.counts().conditional
    }

    /// Returns how many entries would be appended to event logs.
    pub const fn append_len(&self) -> usize {
        self.appends.len()
    }

    /// Returns the bytes of keys and values that would be written, about.
    pub const fn write_bytes(&self) -> usize {
        self.writes.bytes()
    }

    /// Returns whether reads must be remembered, for validation or for a recording.
    #[inline]
    pub(crate) fn tracks_reads(&self) -> bool {
        self.isolation == Isolation::Serializable && !self.read_only || self.recorded
    }

    #[inline]
    pub(crate) fn check_active(&self) -> Result<()> {
        match self.status {
            Status::Active => self.check_timeout(),
            ref ended => Err(Error::NotActive { status: ended.describe() }),
        }
    }

    #[inline]
    pub(crate) fn check_may_write(&self) -> Result<()> {
        self.check_active()?;
        if self.read_only { Err(Error::ReadOnly) } else { Ok(()) }
    }

    /// Returns when the timeout is over, if there is one.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.started.zip(self.limits.timeout).map(|(started, limit)| started.saturating_add(limit))
    }

    #[inline]
    pub(crate) fn check_timeout(&self) -> Result<()> {
        if let (Some(limit), Some(started)) = (self.limits.timeout, self.started)
            && rt::time::now().saturating_since(started) >= limit
        {
            return Err(Error::Timeout { limit });
        }
        Ok(())
    }

    /// Forgets what the transaction has read and would have written.
    pub(crate) fn end(&mut self, status: Status) {
        self.reads.clear();
        self.writes.clear();
        self.appends = Vec::new();
        self.append_bytes = 0;
        #[cfg(feature = "sha2")]
        {
            self.own_events = OwnEvents::default();
        }
        self.status = status;
    }
}

impl Limits {
    /// Returns the limits of the transaction's options, and the database's for the rest. The database's own
    /// work has none: a small limit must neither keep runs from beginning nor expired keys from being swept.
    #[inline]
    pub(crate) fn of(run: RunRef, options: &TransactionOptions, database: &Self) -> Self {
        if run.is_system() {
            return Self {
                timeout: None,
                writes_max: usize::MAX,
                bytes_max: usize::MAX,
                key_bytes_max: usize::MAX,
            };
        }
        Self {
            timeout: options.timeout.or(database.timeout),
            writes_max: options.writes_max.unwrap_or(database.writes_max),
            bytes_max: options.bytes_max.unwrap_or(database.bytes_max),
            key_bytes_max: database.key_bytes_max,
        }
    }
}
