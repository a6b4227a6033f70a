//! The state that all transactions of a database share.

use env::Entropy;
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::contention::Contention;
use super::ids::TxnIds;
use super::options::{Limits, RetryPolicy};
use super::recording::Recording;
use super::simulation::Hooks;
use crate::commit::{Committer, Request};
use crate::error::{Error, Result};
use crate::reentry;
use crate::store::Store;
use crate::types::{Isolation, Version};

/// The state that all transactions of a database share: ids, defaults, contention, counters, the committer.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) store: Arc<Store>,
    pub(crate) committer: Committer,
    pub(super) ids: TxnIds,
    pub(crate) contention: Contention,
    pub(crate) counters: TxnCounters,
    pub(super) defaults: TxnDefaults,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(super) recording: Option<Recording>,
    pub(crate) hooks: Hooks,
    phase: AtomicU32,
}

/// How transactions are run unless their options say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct TxnDefaults {
    pub(crate) isolation: Isolation,
    pub(crate) limits: Limits,
    pub(crate) retry: RetryPolicy,
    /// The database was opened to be read: nothing commits.
    pub(crate) read_only: bool,
}

const OPEN: u32 = 0;
const CLOSING: u32 = 1;
const CLOSED: u32 = 2;

impl Coordinator {
    pub(crate) fn new(
        store: Arc<Store>,
        committer: Committer,
        ids: TxnIds,
        defaults: TxnDefaults,
        entropy: Arc<dyn Entropy>,
        recording: Option<Recording>,
        hooks: Hooks,
    ) -> Self {
        Self {
            store,
            committer,
            ids,
            contention: Contention::new(),
            counters: TxnCounters::new(),
            defaults,
            entropy,
            recording,
            hooks,
            phase: AtomicU32::new("state", OPEN),
        }
    }

    /// Commits a request.
    #[inline]
    pub(super) fn commit(&self, request: Request) -> Result<Version> {
        self.hooks.check_life()?;
        if self.phase.load(Ordering::SeqCst) == CLOSED {
            return Err(Error::Closed);
        }
        if self.defaults.read_only {
            return Err(Error::ReadOnly);
        }
        // Before the committer's locks: in a forked child, a thread of the parent may hold them for good.
        self.store.check_process()?;
        reentry::check_may_commit()?;
        let version = self.committer.commit(&self.store, request)?;
        reentry::committed(version);
        Ok(version)
    }

    /// Checks whether transactions may begin.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Invalid`] where the database is simulated and the caller is not.
    pub(crate) fn check_open(&self) -> Result<()> {
        self.hooks.check_life()?;
        if self.phase.load(Ordering::SeqCst) == OPEN { Ok(()) } else { Err(Error::Closed) }
    }

    /// Lets no transaction begin from now on; open ones may commit.
    pub(crate) fn begin_closing(&self) {
        self.phase.store(CLOSING, Ordering::SeqCst);
    }

    /// Lets nothing be committed from now on.
    pub(crate) fn close(&self) {
        self.phase.store(CLOSED, Ordering::SeqCst);
        if let Some(recording) = &self.recording {
            recording.flush();
        }
    }
}

/// Counts what the commit leader does not see.
#[derive(Debug)]
pub(crate) struct TxnCounters {
    aborts: AtomicU64,
    retries: AtomicU64,
}

impl TxnCounters {
    const fn new() -> Self {
        Self { aborts: AtomicU64::new("metrics.aborts", 0), retries: AtomicU64::new("metrics.retries", 0) }
    }

    pub(super) fn count_abort(&self) {
        self.aborts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn aborts(&self) -> u64 {
        self.aborts.load(Ordering::Relaxed)
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}
