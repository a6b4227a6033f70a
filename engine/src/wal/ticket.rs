//! Tickets: how a committer learns that a commit is durable.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rt::sync::Arc;

use super::log::Log;
use super::waiters::Waiter;
use crate::error::Result;
use crate::types::Version;

/// A promise that is fulfilled when a commit is durable. Wait for it, poll it, or `.await` it; dropping it
/// does nothing. Tickets are fulfilled in commit order.
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
    /// `None` in memory.
    log: Option<Arc<Log>>,
    version: Version,
}

impl Ticket {
    /// Creates the ticket of a commit; without a log the commit is in memory only, and as durable as it gets.
    pub(crate) const fn new(log: Option<Arc<Log>>, version: Version) -> Self {
        Self { log, version }
    }

    /// Returns the version of the commit.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns whether the commit is durable. Does not wait.
    ///
    /// # Errors
    /// [`crate::Error::Poisoned`] and [`crate::Error::Closed`]: it never will be, or only the next open can
    /// tell.
    pub fn is_durable(&self) -> Result<bool> {
        let Some(log) = &self.log else { return Ok(true) };
        if log.durable_version() >= self.version {
            return Ok(true);
        }
        log.core.state.lock().durability_of(self.version)
    }

    /// Waits until the commit is durable.
    ///
    /// # Errors
    /// As [`Ticket::is_durable`]. Also the error of a write that failed: the commit is not durable yet;
    /// waiting again tries again.
    pub fn wait(&self) -> Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.wait_durable(self.version, None).map(drop))
    }

    /// Waits until the commit is durable, but no longer than `timeout`; returns whether it is.
    ///
    /// # Errors
    /// As [`Ticket::wait`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool> {
        let Some(log) = &self.log else { return Ok(true) };
        let durable = log.wait_durable(self.version, Some(rt::time::now().saturating_add(timeout)))?;
        Ok(durable || rt::mutant!(WaitTimeoutSaysDurable))
    }

    /// Returns a future that resolves when the commit is durable, and does not make the log sync earlier than
    /// it would.
    pub(crate) fn patiently(self) -> TicketFuture {
        TicketFuture { ticket: self, waiting: None, hurries: false }
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
        TicketFuture { ticket: self, waiting: None, hurries: true }
    }
}

/// Resolves when the commit is durable. Needs no particular executor.
#[derive(Debug)]
pub struct TicketFuture {
    ticket: Ticket,
    waiting: Option<(Version, u64)>,
    /// Whether the flusher is not to wait for the interval.
    hurries: bool,
}

impl Future for TicketFuture {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(log) = self.ticket.log.clone() else { return Poll::Ready(Ok(())) };
        let mut state = log.core.state.lock();
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
        if !self.hurries {
            return Poll::Pending;
        }
        // A task can't lead the flush, so the flusher must not wait for the interval.
        state.urgent = true;
        let wake = std::mem::take(&mut state.flusher_waits);
        drop(state);
        if wake {
            log.core.work.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for TicketFuture {
    fn drop(&mut self) {
        if let (Some(log), Some(key)) = (&self.ticket.log, self.waiting)
            && !rt::mutant!(WokenTaskStays)
        {
            log.core.state.lock().waiters.remove(key);
        }
    }
}
