//! A transaction: reads one snapshot, buffers its writes, commits or aborts.

use rt::sync::Arc;

use super::context::{AbortReason, Status, TransactionContext};
use super::coordinator::Coordinator;
use super::mutants;
use super::options::{Limits, TransactionOptions};
#[cfg(feature = "sha2")]
use super::own_events::OwnEvents;
use super::recording::Shape;
use crate::commit::{ReadSet, Request, WriteSet};
use crate::error::{Error, Result};
use crate::run::RunRef;
use crate::run_id::RunId;
use crate::store::Registered;
use crate::striped::Stripe;
use crate::telemetry::span;
use crate::types::Version;
use crate::wal::Ticket;

/// A transaction. Dropping it aborts it.
///
/// [`commit`](Self::commit) and [`abort`](Self::abort) take the transaction by value: what has ended can't be
/// used. A closure of [`Database::transaction`](crate::Database::transaction) gets a `&mut Transaction`, and
/// can't end it:
///
/// ```compile_fail,E0507
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// db.transaction(run, |txn| {
///     txn.put("key", 1_i64)?;
///     txn.commit()?; // The transaction commits when the closure returns `Ok`.
///     Ok(())
/// })?;
/// # Ok::<(), stormproof::Error>(())
/// ```
///
/// Reads never block and never fail for what others do; whether the transaction may commit is decided once,
/// by [`commit`](Self::commit).
#[derive(Debug)]
#[must_use = "a transaction that is dropped is aborted"]
pub struct Transaction {
    pub(crate) coordinator: Arc<Stripe<Coordinator>>,
    pub(crate) context: TransactionContext,
    pub(super) run: RunRef,
    /// Released when the transaction ends.
    registered: Option<Registered>,
    /// Whether what it lost before is reserved for it: others wait, and it does not.
    pub(super) holds_reservation: bool,
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
pub struct Commit {
    version: Option<Version>,
    ticket: Ticket,
}

impl Commit {
    /// Returns the commit version; `None` if there was nothing to write.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Returns the ticket of the commit, which is fulfilled when the commit is durable; of a transaction that
    /// wrote nothing, when all that it can have read is.
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Waits until the commit is durable.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`] when it will not be, or when only the next
    /// recovery can tell.
    pub fn wait_durable(&self) -> Result<()> {
        self.ticket.wait()
    }
}

impl Transaction {
    #[inline]
    pub(crate) fn begin(
        coordinator: &Arc<Stripe<Coordinator>>,
        run: RunRef,
        options: &TransactionOptions,
    ) -> Self {
        let limits = Limits::of(run, options, &coordinator.defaults.limits);
        let started = limits.timeout.is_some().then(rt::time::now);
        let called = coordinator.hooks.now();
        let registered = coordinator.store.snapshots.register();
        let context = TransactionContext {
            id: coordinator.ids.next(),
            run: run.id,
            start_version: registered.version,
            // After the snapshot was registered: what it sees of keys that expire was written before, so the
            // store knows by now that there are any.
            now: coordinator.store.wall_time(),
            started,
            isolation: options.isolation.unwrap_or(coordinator.defaults.isolation),
            read_only: options.read_only || coordinator.defaults.read_only,
            recorded: coordinator.recording.is_some(),
            limits,
            reads: ReadSet::default(),
            writes: WriteSet::default(),
            appends: Vec::new(),
            append_bytes: 0,
            #[cfg(feature = "sha2")]
            own_events: OwnEvents::default(),
            status: Status::Active,
            failed_condition: None,
        };
        let txn = Self {
            coordinator: Arc::clone(coordinator),
            context,
            run,
            registered: Some(registered),
            holds_reservation: false,
        };
        coordinator.hooks.begun(called, &txn);
        txn
    }

    /// Returns its identity, snapshot, sets and status.
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

    /// Returns the snapshot that it reads.
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

    /// Returns the run that it belongs to.
    pub const fn run(&self) -> RunId {
        self.context.run
    }

    /// Returns whether it is one of the database's own.
    #[cfg(feature = "simulation")]
    pub(crate) fn is_of_system(&self) -> bool {
        self.run.is_system()
    }

    /// Commits: all writes become visible at once, or none ever does. While a closure that keeps losing has
    /// reserved one of the keys that would be written, this waits for its end, but not for long
    /// ([`RetryPolicy`](crate::RetryPolicy)).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// let commit = txn.commit()?;
    /// assert_eq!(commit.version(), Some(db.version()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] with all conflicts when others committed first; [`Error::Timeout`];
    /// [`Error::DiskFull`], [`Error::Poisoned`] and their like when the log took nothing;
    /// [`Error::Indeterminate`] when the outcome is not known; [`Error::NotActive`] when the transaction has
    /// ended before.
    pub fn commit(mut self) -> Result<Commit> {
        self.commit_in_place()
    }

    pub(super) fn commit_in_place(&mut self) -> Result<Commit> {
        // Before it joins a group: one that waited inside of a group would keep all its members waiting.
        if !self.holds_reservation {
            let TransactionContext { writes, appends, .. } = &self.context;
            let Coordinator { contention, .. } = &**self.coordinator;
            contention.give_way(writes, appends, self.context.deadline());
        }
        if let Err(error) = self.context.check_active()
            && !mutants::commits_late(&error)
        {
            return Err(self.fail(error));
        }
        self.coordinator.hooks.commit_called(self);
        let shape = self.coordinator.recording.as_ref().and_then(|recording| recording.shape(&self.context));
        if self.context.writes.is_empty() && self.context.appends.is_empty() {
            self.finish(Status::Committed { version: None });
            self.coordinator.hooks.committed(self, None);
            self.record(shape, true);
            return Ok(Commit {
                version: None,
                ticket: self.coordinator.store.ticket(self.context.start_version),
            });
        }
        let request = self.request();
        let _span = span!(TRACE, "commit", txn = request.txn.get(), writes = request.writes.len());
        match self.coordinator.commit(request) {
            Ok(version) => {
                self.finish(Status::Committed { version: Some(version) });
                self.coordinator.hooks.committed(self, Some(version));
                self.record(shape, true);
                Ok(Commit { version: Some(version), ticket: self.coordinator.store.ticket(version) })
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Aborts: the transaction has no effect.
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
    pub fn abort(mut self) {
        self.abort_in_place();
    }

    fn abort_in_place(&mut self) {
        if self.context.status == Status::Active {
            self.coordinator.counters.count_abort();
            if let Some(recording) = &self.coordinator.recording {
                self.record(recording.shape(&self.context), false);
            }
            self.finish(Status::Aborted { reason: AbortReason::Requested });
            self.coordinator.hooks.aborted(self, None);
        }
    }

    /// Records how a transaction of this shape ended.
    fn record(&self, shape: Option<Shape>, committed: bool) {
        if let (Some(recording), Some(shape)) = (&self.coordinator.recording, shape) {
            recording.ended(&shape, committed);
        }
    }

    /// Returns what goes to the committer. The transaction keeps neither reads nor writes.
    #[inline]
    pub(crate) fn request(&mut self) -> Request {
        self.context.status = Status::Validating;
        // Here and not by the leader, who must do as little as possible while others wait.
        self.context.writes.encode(self.context.id, self.run.number);
        Request {
            txn: self.context.id,
            run: self.run,
            start: self.context.start_version,
            now: self.context.now,
            isolation: self.context.isolation,
            reads: std::mem::take(&mut self.context.reads),
            writes: std::mem::take(&mut self.context.writes),
            appends: std::mem::take(&mut self.context.appends),
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
            self.coordinator.counters.count_abort();
        }
        self.finish(Status::Aborted { reason });
        self.coordinator.hooks.aborted(self, Some(&error));
        error
    }

    #[inline]
    fn finish(&mut self, status: Status) {
        self.context.end(status);
        if let Some(registered) = self.registered.take() {
            self.coordinator.store.snapshots.release(&registered);
        }
    }
}

impl Drop for Transaction {
    #[inline]
    fn drop(&mut self) {
        self.abort_in_place();
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::{AbortReason, Status};
    use crate::{Database, Error};

    #[test]
    fn a_status_goes_from_active_to_committed_or_aborted_with_its_reason() {
        rt::check(|| {
            let db = Database::open_in_memory().unwrap();
            let run = db.begin_run().unwrap();
            let begin = || {
                let mut txn = db.begin_transaction(run).unwrap();
                txn.put("key", 1_i64).unwrap();
                assert_eq!(txn.context().status(), &Status::Active);
                txn
            };
            let mut first = begin();
            let mut second = begin();
            let version = first.commit_in_place().unwrap().version();
            assert_eq!(first.context().status(), &Status::Committed { version });
            assert!(matches!(first.put("key", 2_i64), Err(Error::NotActive { status: "committed" })));
            assert!(matches!(first.commit_in_place(), Err(Error::NotActive { .. })));
            let Err(Error::Conflict(conflicts)) = second.commit_in_place() else { panic!("the first won") };
            let reason = AbortReason::Conflict(conflicts);
            assert_eq!(second.context().status(), &Status::Aborted { reason });
            let mut third = begin();
            third.abort_in_place();
            assert_eq!(third.context().status(), &Status::Aborted { reason: AbortReason::Requested });
            assert!(matches!(third.get::<i64>("key"), Err(Error::NotActive { status: "aborted" })));
        });
    }
}
