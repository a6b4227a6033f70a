//! Tickets: how a committer learns that a commit is durable.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rt::sync::{Arc, Condvar};
use rt::time::Instant;

use super::Waiter;
use crate::error::{Error, Result};
use crate::types::Version;
use crate::wal::Log;

/// Tells when a commit is durable. Wait for it, poll it, or `.await` it; dropping it does nothing. Tickets are
/// fulfilled in commit order.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let db = stormproof::Database::builder().dir(dir.path()).durability(stormproof::Durability::Pipelined).open()?;
/// # let run = db.begin_run()?;
/// use std::time::Duration;
///
/// let mut txn = db.begin_transaction(run)?;
/// txn.put("key", 1_i64)?;
/// let commit = txn.commit()?;
/// let ticket = commit.ticket();
/// assert_eq!(Some(ticket.version()), commit.version());
/// while !ticket.wait_timeout(Duration::from_millis(100))? {
///     println!("still on its way");
/// }
/// ticket.wait()?; // Or `.await` it: a ticket is a future as well.
/// assert!(ticket.is_durable()?);
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone)]
pub struct Ticket {
    /// `None`: durable from the beginning, or in memory only, where nothing ever is more durable than now.
    log: Option<Arc<Log>>,
    version: Version,
}

impl Ticket {
    pub(crate) const fn new(log: Option<Arc<Log>>, version: Version) -> Self {
        Self { log, version }
    }

    /// The version of the commit.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether the commit is durable. Does not wait.
    ///
    /// # Errors
    /// [`Error::Poisoned`] and [`Error::Closed`] if it will not be any more, or nobody will know.
    pub fn is_durable(&self) -> Result<bool> {
        let Some(log) = &self.log else { return Ok(true) };
        if log.durable_version() >= self.version {
            return Ok(true);
        }
        log.state.lock().durability_of(self.version)
    }

    /// Waits until the commit is durable.
    ///
    /// # Errors
    /// As [`Ticket::is_durable`]. Also the error of a write that failed: the commit is not durable yet; waiting
    /// again tries again.
    pub fn wait(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.wait_durable(self.version, None).map(drop))
    }

    /// Waits until the commit is durable, but no longer than `timeout`; returns whether it is.
    ///
    /// # Errors
    /// As [`Ticket::wait`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool> {
        let Some(log) = &self.log else { return Ok(true) };
        log.wait_durable(self.version, Some(rt::time::now().saturating_add(timeout)))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("version", &self.version).finish_non_exhaustive()
    }
}

impl IntoFuture for Ticket {
    type Output = Result<()>;
    type IntoFuture = TicketFuture;

    fn into_future(self) -> TicketFuture {
        TicketFuture { ticket: self, waiting: None }
    }
}

/// Resolves when the commit is durable. Needs no particular executor.
#[derive(Debug)]
pub struct TicketFuture {
    ticket: Ticket,
    waiting: Option<(Version, u64)>,
}

impl Future for TicketFuture {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(log) = self.ticket.log.clone() else { return Poll::Ready(Ok(())) };
        let mut state = log.state.lock();
        match state.durability_of(self.ticket.version) {
            Ok(true) => return Poll::Ready(Ok(())),
            Err(error) => return Poll::Ready(Err(error)),
            Ok(false) => {}
        }
        let waits = self.waiting.is_some_and(|key| state.waiters.replace(key, context.waker()));
        if !waits {
            let key = state.waiters.add(self.ticket.version, Waiter::Task(context.waker().clone()));
            self.waiting = Some(key);
        }
        // A task can't lead the flush, so the flusher must not wait for the interval.
        state.urgent = true;
        let wake = std::mem::take(&mut state.flusher_waits);
        drop(state);
        if wake {
            log.work.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for TicketFuture {
    fn drop(&mut self) {
        if let (Some(log), Some(key)) = (&self.ticket.log, self.waiting) {
            log.state.lock().waiters.remove(key);
        }
    }
}

impl Log {
    /// Waits until `version` is durable, or until `deadline`; returns whether it is. Whoever finds nobody flushing
    /// flushes, and so saves the hand-off to another thread.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`], [`Error::Invalid`] for a version that nobody committed; the error
    /// of a write that failed.
    pub(crate) fn wait_durable(&self, version: Version, deadline: Option<Instant>) -> Result<bool> {
        if self.durable_version() >= version {
            return Ok(true);
        }
        let mut condvar = None;
        loop {
            let mut state = self.state.lock();
            if state.durability_of(version)? {
                return Ok(true);
            }
            if deadline.is_some_and(|deadline| deadline <= rt::time::now()) {
                return Ok(false);
            }
            if !self.durability().is_strict() && !state.leading {
                state.leading = true;
                drop(state);
                self.flush_once()?;
                continue;
            }
            let condvar = condvar.get_or_insert_with(|| Arc::new(Condvar::new("wal.ticket")));
            let key = state.waiters.add(version, Waiter::Thread(Arc::clone(condvar)));
            match deadline {
                Some(deadline) => {
                    condvar.wait_until(&mut state, deadline);
                }
                None => condvar.wait(&mut state),
            }
            state.waiters.remove(key);
        }
    }
}

impl crate::wal::State {
    /// Whether `version` is durable, or why it will not be.
    fn durability_of(&self, version: Version) -> Result<bool> {
        if self.durable() >= version {
            return Ok(true);
        }
        if let Some(error) = self.poisoned() {
            return Err(error);
        }
        if self.is_closed() {
            return Err(Error::Closed);
        }
        if version > self.appended() {
            return Err(Error::Invalid(format!("nobody has committed {version}: wait for one that exists")));
        }
        Ok(false)
    }
}
