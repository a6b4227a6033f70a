//! A transaction: reads one snapshot, buffers its writes, commits or aborts.

use rt::sync::Arc;

use super::context::{AbortReason, Status, TransactionContext};
use super::options::{Limits, TransactionOptions};
use super::read_set::ReadSet;
use super::write_set::WriteSet;
use crate::commit::Request;
use crate::database::Lease;
use crate::error::{Error, Result};
use crate::recording::Shape;
use crate::run::RunRef;
use crate::run_id::RunId;
use crate::snapshot::Registered;
use crate::telemetry::span;
use crate::types::Version;
use crate::wal::Ticket;

/// A transaction. Dropping it aborts it.
///
/// Reads never block and never fail for what others do; whether the transaction may commit is decided once, by
/// [`commit`](Self::commit).
#[derive(Debug)]
pub struct Transaction {
    pub(crate) inner: Arc<Lease>,
    pub(crate) context: TransactionContext,
    run: RunRef,
    /// Given back when the transaction ends.
    registered: Option<Registered>,
    /// Whether others give way to its commit, and not it to theirs.
    pub(super) goes_first: bool,
}

/// A commit that happened.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// let mut txn = db.begin_transaction(run)?;
/// txn.put("key", 1_i64)?;
/// let commit = txn.commit()?;
/// assert_eq!(commit.version(), Some(db.version()));
/// commit.wait_durable()?; // Or keep `commit.ticket()`, and go on meanwhile.
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "in the modes other than strict, the commit may not be durable yet: the ticket tells"]
pub struct Commit {
    version: Option<Version>,
    ticket: Ticket,
}

impl Commit {
    /// The commit version; `None` if there was nothing to write.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Tells when the commit is durable; of a transaction that wrote nothing, when all that it can have read is.
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Waits until the commit is durable.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`] when it will not be, or nobody will know before the next recovery.
    pub fn wait_durable(&self) -> Result<()> {
        self.ticket.wait()
    }
}

impl Transaction {
    #[inline]
    pub(crate) fn begin(inner: &Arc<Lease>, run: RunRef, options: &TransactionOptions) -> Self {
        let limits = Limits::of(run, options, &inner.limits);
        let started = limits.timeout.is_some().then(rt::time::now);
        let registered = inner.snapshots.register();
        let context = TransactionContext {
            id: inner.txn_ids.next(),
            run: run.id,
            start_version: registered.version,
            now: inner.wall_time(),
            started,
            isolation: options.isolation.unwrap_or(inner.isolation),
            read_only: options.read_only,
            recorded: inner.recording.is_some(),
            limits,
            reads: ReadSet::default(),
            writes: WriteSet::default(),
            appends: Vec::new(),
            status: Status::Active,
        };
        Self { inner: Arc::clone(inner), context, run, registered: Some(registered), goes_first: false }
    }

    /// Identity, snapshot, sets and status.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// assert_eq!(txn.context().write_set_len(), 1);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn context(&self) -> &TransactionContext {
        &self.context
    }

    /// The snapshot that it reads.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// db.put(run, "key", 1_i64)?;
    /// assert!(txn.start_version() < db.version());
    /// assert_eq!(txn.run(), run);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn start_version(&self) -> Version {
        self.context.start_version
    }

    /// The run that it belongs to.
    pub const fn run(&self) -> RunId {
        self.context.run
    }

    /// Commits: all writes become visible at once, or none ever does. While a closure that keeps losing has reserved one
    /// of the keys that would be written, this waits for its end, but not for long ([`RetryPolicy`](crate::RetryPolicy)).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// let commit = txn.commit()?;
    /// assert_eq!(commit.version(), Some(db.version()));
    /// assert!(matches!(txn.commit(), Err(stormproof::Error::NotActive { .. })));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] with all conflicts when others committed first; [`Error::Timeout`]; [`Error::DiskFull`],
    /// [`Error::Poisoned`] and their like when the log took nothing; [`Error::Indeterminate`] when the outcome is not
    /// known; [`Error::NotActive`] when the transaction has ended before.
    pub fn commit(&mut self) -> Result<Commit> {
        if !self.goes_first {
            let TransactionContext { writes, appends, .. } = &self.context;
            self.inner.turnstile.give_way(&self.inner.index, writes, appends, self.context.deadline());
        }
        if let Err(error) = self.context.check_active() {
            return Err(self.fail(error));
        }
        let shape = self.inner.recording.as_ref().and_then(|recording| recording.shape(&self.context));
        if self.context.writes.is_empty() && self.context.appends.is_empty() {
            self.finish(Status::Committed { version: None });
            self.record(shape, true);
            return Ok(Commit { version: None, ticket: self.inner.ticket(self.context.start_version) });
        }
        let request = self.request();
        let _span = span!(TRACE, "commit", txn = request.txn.get(), writes = request.writes.len());
        match self.inner.commit(request) {
            Ok(version) => {
                self.finish(Status::Committed { version: Some(version) });
                self.record(shape, true);
                Ok(Commit { version: Some(version), ticket: self.inner.ticket(version) })
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Aborts: nothing has happened. An aborted or committed transaction stays what it is.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// txn.abort();
    /// assert_eq!(db.get::<i64>("key")?, None);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn abort(&mut self) {
        if self.context.status == Status::Active {
            self.inner.metrics.aborted();
            if let Some(recording) = &self.inner.recording {
                self.record(recording.shape(&self.context), false);
            }
            self.finish(Status::Aborted { reason: AbortReason::Requested });
        }
    }

    /// Records how a transaction of this shape ended.
    fn record(&self, shape: Option<Shape>, committed: bool) {
        if let (Some(recording), Some(shape)) = (&self.inner.recording, shape) {
            recording.ended(&shape, committed);
        }
    }

    /// What goes to the committer. The transaction keeps neither reads nor writes.
    pub(crate) fn request(&mut self) -> Request {
        self.context.status = Status::Validating;
        Request {
            txn: self.context.id,
            run: self.run,
            start: self.context.start_version,
            isolation: self.context.isolation,
            reads: std::mem::take(&mut self.context.reads),
            writes: std::mem::take(&mut self.context.writes),
            appends: std::mem::take(&mut self.context.appends),
            validated_early: None,
        }
    }

    /// Ends the transaction with an error, unless it had ended before.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        let reason = match &error {
            Error::NotActive { .. } => return error,
            Error::Conflict(conflicts) => AbortReason::Conflict(conflicts.clone()),
            Error::Timeout { .. } | Error::LimitExceeded { .. } => AbortReason::Limit,
            Error::Indeterminate { .. } => AbortReason::Indeterminate,
            _ => AbortReason::Failed,
        };
        if !matches!(error, Error::Conflict(_)) {
            self.inner.metrics.aborted();
        }
        self.finish(Status::Aborted { reason });
        error
    }

    #[inline]
    fn finish(&mut self, status: Status) {
        self.context.end(status);
        if let Some(registered) = self.registered.take() {
            self.inner.snapshots.release(&registered);
        }
    }
}

impl Drop for Transaction {
    #[inline]
    fn drop(&mut self) {
        self.abort();
    }
}
