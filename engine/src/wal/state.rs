//! What is known about the log of an open database.

use rt::sync::Arc;
use rt::time::Instant;

use super::metrics::LogMetrics;
use super::pending::Pending;
use super::writer::SealedSegment;
use crate::durability::Waiters;
use crate::error::{Error, Result};
use crate::types::{Lsn, Version};

/// What is known about the log, and changes with every commit.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pending: Pending,
    /// Commits in the group that is being written, and when the first of them was added.
    pub(super) in_flight: (u64, Option<Instant>),
    /// The last version that was appended.
    pub(super) appended_version: Version,
    pub(super) durable_version: Version,
    pub(super) durable_lsn: Lsn,
    /// A sync failed: why.
    pub(super) poison: Option<Arc<Error>>,
    /// The last write failed: when to try again.
    pub(crate) retry_at: Option<Instant>,
    pub(crate) closing: bool,
    pub(super) closed: bool,
    /// Somebody flushes, or is about to.
    pub(crate) leading: bool,
    /// Somebody waits who can't flush: the flusher does not wait for the interval.
    pub(crate) urgent: bool,
    /// The flusher sleeps, and until when.
    pub(crate) flusher_waits: bool,
    pub(crate) flusher_deadline: Option<Instant>,
    pub(crate) waiters: Waiters,
    pub(super) sealed: Vec<SealedSegment>,
    pub(super) checkpoint_lsn: Lsn,
    /// The checkpointer sleeps, and is woken when the log is durable up to here.
    pub(super) checkpointer_wakes_at: Lsn,
    pub(super) metrics: LogMetrics,
}

impl State {
    /// Of a log that begins where recovery ended.
    pub(super) fn new(
        last_version: Version,
        durable_lsn: Lsn,
        sealed: Vec<SealedSegment>,
        checkpoint_lsn: Lsn,
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
            checkpointer_wakes_at: Lsn::MAX,
            metrics: LogMetrics::default(),
        }
    }

    /// Commits that are not durable.
    pub(crate) const fn unsynced(&self) -> u64 {
        self.pending.commits + self.in_flight.0
    }

    /// When the oldest commit that is not durable was added.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.in_flight.1.or(self.pending.oldest)
    }

    pub(crate) fn poisoned(&self) -> Option<Error> {
        self.poison.as_ref().map(|cause| Error::Poisoned { cause: Arc::clone(cause) })
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if let Some(error) = self.poisoned() {
            return Err(error);
        }
        if self.closing { Err(Error::Closed) } else { Ok(()) }
    }

    pub(crate) const fn durable(&self) -> Version {
        self.durable_version
    }

    pub(crate) const fn appended(&self) -> Version {
        self.appended_version
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Drops what was appended and not written.
    pub(super) fn forget_pending(&mut self) {
        self.pending.clear(0);
        self.appended_version = self.durable_version;
    }
}
