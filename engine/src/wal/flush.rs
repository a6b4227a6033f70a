//! A flush: one write and one sync of what is pending, and what follows when they fail.

use std::time::Duration;

use rt::sync::Arc;
use rt::sync::atomic::Ordering;

use super::files::IoFailure;
use super::log::{Io, Log};
use super::pending::Pending;
use super::writer::{SealedSegment, SegmentWriter};
use crate::durability::Waiter;
use crate::error::{Error, Result};
use crate::telemetry::{event, span};
use crate::types::Lsn;

/// How long the flusher waits after a failed write.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl Log {
    /// Writes and syncs what is pending, after the flush that is under way, if any.
    pub(crate) fn flush_once(&self) -> Result<()> {
        let mut io = self.io.lock();
        self.flush_locked(&mut io)
    }

    /// The protocol of a flush: take, make room, write, sync, announce.
    pub(super) fn flush_locked(&self, io: &mut Io) -> Result<()> {
        let Io { writer, group } = io;
        let durable_lsn = {
            let mut state = self.state.lock();
            let refused = state.poisoned().or_else(|| state.closed.then_some(Error::Closed));
            if let Some(error) = refused {
                if self.options.durability.is_strict() {
                    // The group never became visible.
                    state.forget_pending();
                }
                return Err(error);
            }
            if state.pending.is_empty() {
                // Then all is durable, and nobody is left who waits for a leader.
                state.leading = false;
                return Ok(());
            }
            std::mem::swap(&mut state.pending, group);
            state.in_flight = (group.commits, group.oldest);
            state.leading = true;
            state.urgent = false;
            state.durable_lsn
        };
        if group.commits > 1 {
            rt::reached!("group of two or more");
        }
        let _span = span!(DEBUG, "flush", commits = group.commits, bytes = group.bytes.len());
        rt::probe::at("group taken");
        let started = rt::time::now();
        let mut sealed = None;
        let written = writer.make_room(group.bytes.len()).and_then(|segment| {
            sealed = segment;
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

    /// Tells everybody that the group is durable.
    fn announce(&self, group: &Pending, end: Lsn, sealed: Option<SealedSegment>, took: Duration) {
        let mut state = self.state.lock();
        state.in_flight = (0, None);
        state.leading = false;
        state.retry_at = None;
        state.sealed.extend(sealed);
        state.durable_lsn = end;
        let announced =
            if rt::mutant!(AckedByEarlierSync) { state.appended_version } else { group.last_version };
        state.durable_version = state.durable_version.max(announced);
        state.metrics.add_flush(group, took);
        self.durable_version.store(state.durable_version.get(), Ordering::Release);
        let durable = state.durable_version;
        let mut woken = state.waiters.satisfied(durable);
        woken.extend(state.waiters.next_leader());
        let checkpoint_due = end >= state.checkpointer_wakes_at;
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

    /// After a group could not be made durable: Strict forgets it, other modes keep it for another write, and a failed
    /// sync ends all writing. Returns the error for the committers.
    fn withdraw(&self, writer: &mut SegmentWriter, group: &mut Pending, failure: IoFailure) -> Error {
        let strict = self.options.durability.is_strict();
        let mut failure = failure;
        let mut known = !failure.sync;
        if known && let Err(repair) = writer.repair() {
            rt::reached!("repair of a failed write failed");
            known = false;
            if repair.sync {
                failure = repair;
            }
        }
        let error = failure.error.clone();
        if failure.sync {
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

    /// Closes for writing if a sync failed; returns the error to report.
    pub(crate) fn fail(&self, failure: IoFailure) -> Error {
        if !failure.sync {
            return failure.error;
        }
        rt::reached!("sync failed");
        event!(ERROR, error = %failure.error, "a sync failed: closed for writing, reads go on");
        let mut state = self.state.lock();
        let cause = Arc::clone(state.poison.get_or_insert_with(|| Arc::new(failure.error)));
        // What is in flight will never be durable: it counts as unsynced for good, so that no ack goes past the bound.
        state.leading = false;
        let woken = state.waiters.all();
        drop(state);
        woken.into_iter().for_each(Waiter::wake);
        self.work.notify_all();
        self.checkpoint_work.notify_all();
        Error::Poisoned { cause }
    }
}

/// Nobody knows before the next recovery.
pub(super) fn indeterminate(error: Error) -> Error {
    match error {
        Error::Indeterminate { .. } => error,
        cause => Error::Indeterminate { cause: Arc::new(cause) },
    }
}
