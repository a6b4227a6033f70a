//! A flush: one write and one sync of the pending group, and what follows when they fail.
//!
//! * INV-WAL-4: `durable_version` never passes a version whose record is not synced.
//! * INV-WAL-5: after a failed sync nothing is written any more, and nothing is retried.
//! * INV-WAL-6: Strict: a group whose write failed is not in the log, or its committers get the error that
//!   its outcome is not known. Other modes: it stays in memory, in front of what follows, until a write
//!   succeeds.

use std::time::Duration;

use env::displaced;
use rt::sync::Arc;

use super::core::{LogCore, LogIo};
use super::files::IoFailure;
use super::mutants;
use super::pending::Pending;
use super::waiters::Waiter;
use super::writer::{SealedSegment, SegmentWriter};
use crate::error::{Error, Result};
use crate::telemetry::{event, span};
use crate::types::Lsn;

/// How long the flusher waits after a failed write.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl LogCore {
    /// Writes and syncs what is pending, after a flush that is under way.
    pub(super) fn flush_once(&self) -> Result<()> {
        // Before any lock: in a forked child, a thread of the parent may have held it, which is not there to
        // release it.
        self.check_process()?;
        let mut io = self.io.lock();
        self.flush_locked(&mut io)
    }

    /// Runs the protocol of a flush: take the group, make room, write, sync, announce.
    pub(super) fn flush_locked(&self, io: &mut LogIo) -> Result<()> {
        let LogIo { writer, group } = io;
        // Before anything is written: a group that goes into a directory which was removed would be acked,
        // and lost.
        self.check_place();
        let Some(durable_lsn) = self.take_group(group)? else { return Ok(()) };
        if group.commits > 1 {
            rt::reached!("group of two or more");
        }
        let _span = span!(DEBUG, "flush", commits = group.commits, bytes = group.bytes.len());
        rt::probe::at("group taken");
        let started = rt::time::now();
        // Before the write, so that a group lies in one segment whole: a seal between two of its records
        // would say that the first of them were durable, and they are not.
        let mut sealed = None;
        let written = writer.make_room(group.bytes.len()).and_then(|segment| {
            sealed = segment;
            // Never a place in an earlier segment: the lag counts from within this one.
            let durable = durable_lsn.max(writer.header().first_lsn);
            writer.write(group, durable)
        });
        let done = written.and_then(|()| {
            rt::probe::at("group written");
            if rt::mutant!(AckBeforeSync) {
                return Ok(());
            }
            writer.sync()
        });
        rt::probe::at("group synced");
        match done {
            Ok(()) => {
                // The end moves only now: after a failed write it must still point in front of the group, as
                // that is where the repair cuts.
                writer.advance(group);
                self.announce(group, writer.end_lsn(), sealed, rt::time::now().saturating_since(started));
                group.clear(self.options.buffer_bytes_max);
                Ok(())
            }
            Err(failure) => {
                let mut state = self.state.lock();
                state.sealed.extend(sealed);
                drop(state);
                Err(self.withdraw(writer, group, failure))
            }
        }
    }

    /// Checks that this is the process that opened the log.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(super) fn check_process(&self) -> Result<()> {
        if self.process.is_current() { Ok(()) } else { Err(Error::Forked) }
    }

    /// Closes the log for writing if its directory was moved, removed or replaced (A1), or its lock file was
    /// (A2).
    fn check_place(&self) {
        if let Err(error) = self.lock.check()
            && displaced(&error).is_some()
        {
            self.fail(Error::io("check", self.disk.describe(), error).into());
        }
    }

    /// Takes what is pending as the group to write, and returns up to where the log is durable; `None` if
    /// nothing is pending.
    fn take_group(&self, group: &mut Pending) -> Result<Option<Lsn>> {
        let mut state = self.state.lock();
        // Under the lock that `fail` takes: no group is written after the failed sync of an earlier one.
        let refused = state.poisoned().or_else(|| state.closed.then_some(Error::Closed));
        if let Some(error) = refused {
            if self.options.durability.is_strict() {
                // The group never became visible.
                state.forget_pending();
            }
            return Err(error);
        }
        if state.pending.is_empty() {
            // All is durable, so nothing is left to lead a flush for.
            state.leading = false;
            return Ok(None);
        }
        std::mem::swap(&mut state.pending, group);
        // In the same critical section, so that these commits count as unsynced all the time: else an ack
        // could slip past the bound of the mode.
        state.in_flight = (group.commits, group.oldest);
        state.leading = true;
        state.urgent = false;
        Ok(Some(state.durable_lsn))
    }

    /// Publishes that the group is durable, and wakes those it satisfies.
    fn announce(&self, group: &Pending, end: Lsn, sealed: Option<SealedSegment>, took: Duration) {
        let mut state = self.state.lock();
        state.in_flight = (0, None);
        state.leading = false;
        state.retry_at = None;
        state.sealed.extend(sealed);
        state.durable_lsn = end;
        // What was appended during the sync is not covered by it: the group's own last version counts.
        let announced = mutants::announced(group.last_version, state.appended_version);
        state.durable_version = state.durable_version.max(announced);
        state.metrics.add_flush(group, took);
        let durable = state.durable_version;
        // Before the lock is released: a waiter that reads the version without it must not find less than one
        // that read it under the lock.
        self.set_durable_version(durable);
        let mut woken = state.waiters.satisfied(durable);
        woken.extend(state.waiters.next_leader());
        let checkpoint_due = end >= state.checkpointer_wakes_at || state.has_many_segments(&self.options);
        if checkpoint_due {
            state.checkpointer_wakes_at = Lsn::MAX;
        }
        drop(state);
        if checkpoint_due {
            self.checkpoint_work.notify_one();
        }
        rt::probe::at("group announced");
        woken.into_iter().for_each(Waiter::wake);
    }

    /// Handles a group that could not be made durable: Strict forgets it, other modes keep it for another
    /// write, and a failed sync ends all writing. Returns the error for the committers.
    fn withdraw(&self, writer: &mut SegmentWriter, group: &mut Pending, failure: IoFailure) -> Error {
        let strict = self.options.durability.is_strict();
        let mut failure = failure;
        let mut known = !failure.fatal;
        // Before the error is returned: only a cut that is durable makes "nothing happened" true.
        if known && let Err(repair) = writer.repair() {
            rt::reached!("repair of a failed write failed");
            known = false;
            if repair.fatal {
                failure = repair;
            }
        }
        let error = failure.error.clone();
        if failure.fatal {
            let poisoned = self.fail(failure);
            group.clear(self.options.buffer_bytes_max);
            return if strict { indeterminate(poisoned) } else { poisoned };
        }
        let mut state = self.state.lock();
        state.in_flight = (0, None);
        state.leading = false;
        state.metrics.failed_writes += 1;
        if strict {
            if rt::mutant!(AbortedGroupStaysInBuffer) {
                group.put_back(&mut state.pending);
            }
            state.appended_version = state.durable_version;
            let woken = state.waiters.all();
            drop(state);
            woken.into_iter().for_each(Waiter::wake);
            group.clear(self.options.buffer_bytes_max);
            return if known { error } else { indeterminate(error) };
        }
        group.put_back(&mut state.pending);
        state.retry_at = Some(rt::time::now().saturating_add(RETRY_AFTER));
        let leader = state.waiters.next_leader();
        drop(state);
        leader.into_iter().for_each(Waiter::wake);
        error
    }

    /// Closes the log for writing if the failure is fatal; returns the error to report.
    pub(super) fn fail(&self, failure: IoFailure) -> Error {
        if !failure.fatal {
            return failure.error;
        }
        if matches!(failure.error, Error::Displaced { .. }) {
            rt::reached!("directory displaced");
        } else {
            rt::reached!("sync failed");
        }
        event!(ERROR, error = %failure.error, "closed for writing, reads go on");
        let mut state = self.state.lock();
        let cause = Arc::clone(state.poison.get_or_insert_with(|| Arc::new(failure.error)));
        // The group in flight keeps counting as unsynced: it will never be durable, and no ack may pass the
        // bound.
        state.leading = false;
        let woken = state.waiters.all();
        drop(state);
        woken.into_iter().for_each(Waiter::wake);
        self.work.notify_all();
        self.checkpoint_work.notify_all();
        Error::Poisoned { cause }
    }
}

/// Wraps an error after which only the next recovery decides about the commit.
pub(super) fn indeterminate(error: Error) -> Error {
    match error {
        Error::Indeterminate { .. } => error,
        cause => Error::Indeterminate { cause: Arc::new(cause) },
    }
}
