//! The state of an open log that changes with every commit and flush.

use rt::sync::Arc;
use rt::time::Instant;

use super::metrics::LogMetrics;
use super::options::LogOptions;
use super::pending::Pending;
use super::waiters::Waiters;
use super::writer::SealedSegment;
use crate::error::{Error, Result};
use crate::types::{Lsn, Version};

/// The state of an open log that changes with every commit and flush.
#[derive(Debug)]
pub(super) struct LogState {
    pub(super) pending: Pending,
    /// Commits in the group that is being written, and when the first of them was added.
    pub(super) in_flight: (u64, Option<Instant>),
    /// The last version that was appended.
    pub(super) appended_version: Version,
    pub(super) durable_version: Version,
    pub(super) durable_lsn: Lsn,
    /// Why nothing is written any more: the sync that failed.
    pub(super) poison: Option<Arc<Error>>,
    /// When to try again, after a write that failed.
    pub(super) retry_at: Option<Instant>,
    pub(super) closing: bool,
    pub(super) closed: bool,
    /// A thread flushes, or is about to.
    pub(super) leading: bool,
    /// A task waits, which can't flush: the flusher must not wait for the interval.
    pub(super) urgent: bool,
    /// The flusher sleeps, until the deadline below if there is one.
    pub(super) flusher_waits: bool,
    pub(super) flusher_deadline: Option<Instant>,
    pub(super) waiters: Waiters,
    pub(super) sealed: Vec<SealedSegment>,
    pub(super) checkpoint_lsn: Lsn,
    /// The log from `checkpoint_lsn` on has every commit above this version.
    pub(super) covered: Version,
    /// The checkpointer sleeps until the log is durable up to here.
    pub(super) checkpointer_wakes_at: Lsn,
    pub(super) metrics: LogMetrics,
}

impl LogState {
    /// Creates the state of a log that goes on where recovery ended.
    pub(super) fn new(
        last_version: Version,
        durable_lsn: Lsn,
        sealed: Vec<SealedSegment>,
        (checkpoint_lsn, covered): (Lsn, Version),
    ) -> Self {
        Self {
            pending: Pending::default(),
            in_flight: (0, None),
            appended_version: last_version,
            durable_version: last_version,
            durable_lsn,
            poison: None,
            retry_at: None,
            closing: false,
            closed: false,
            leading: false,
            urgent: false,
            flusher_waits: false,
            flusher_deadline: None,
            waiters: Waiters::default(),
            sealed,
            checkpoint_lsn,
            covered,
            checkpointer_wakes_at: Lsn::MAX,
            metrics: LogMetrics::default(),
        }
    }

    /// Returns whether the number of complete segments makes a checkpoint due.
    pub(super) const fn has_many_segments(&self, options: &LogOptions) -> bool {
        self.sealed.len() >= options.checkpoint_segments
    }

    /// Returns how many commits are not durable.
    pub(super) const fn unsynced(&self) -> u64 {
        self.pending.commits + self.in_flight.0
    }

    /// Returns when the oldest commit that is not durable was added.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.in_flight.1.or(self.pending.oldest)
    }

    pub(super) fn poisoned(&self) -> Option<Error> {
        self.poison.as_ref().map(|cause| Error::Poisoned { cause: Arc::clone(cause) })
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if let Some(error) = self.poisoned().filter(|_| !rt::mutant!(AckedAfterPoison)) {
            return Err(error);
        }
        if self.closing { Err(Error::Closed) } else { Ok(()) }
    }

    /// Returns whether `version` is durable.
    ///
    /// # Errors
    /// Why it never will be, or that no commit has this version.
    pub(super) fn durability_of(&self, version: Version) -> Result<bool> {
        if self.durable_version >= version {
            return Ok(true);
        }
        if let Some(error) = self.poisoned() {
            return Err(error);
        }
        if self.closed {
            return Err(Error::Closed);
        }
        if version > self.appended_version {
            return Err(Error::Invalid(format!("no commit has {version} yet: wait for one that exists")));
        }
        Ok(false)
    }

    /// Drops what was appended and not written: its versions were not used.
    pub(super) fn forget_pending(&mut self) {
        self.pending.clear(0);
        self.appended_version = self.durable_version;
    }
}
