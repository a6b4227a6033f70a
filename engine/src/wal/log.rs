//! The log of an open database: takes the records of commits, and makes them durable in commit order.
//!
//! Two locks, `wal.io` before `wal.state`: the first is held for a whole write and sync, the second for moments, so
//! that the next group is encoded while the last one is synced.
//!
//! * INV-WAL-4: `durable_version` never passes a version whose record is not synced.
//! * INV-WAL-5: after a failed sync nothing is written any more, and nothing is retried.
//! * INV-WAL-6: Strict: a group whose write failed is not in the log; or its committers are told that its outcome
//!   is not known. Other modes: it stays in memory, in front of what follows, until a write succeeds.

use std::fmt;
use std::time::Duration;

use env::{Disk, DiskLock};
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Condvar, Mutex};
use rt::time::Instant;

use super::entry::{RecordWriter, encode_transaction};
use super::files::{IoFailure, sync_dir};
use super::format::DatabaseId;
use super::metrics::LogMetrics;
use super::options::LogOptions;
use super::pending::Pending;
use super::writer::{SealedSegment, SegmentWriter};
use crate::durability::{Durability, Waiter, Waiters, run_flusher};
use crate::error::{Error, Result};
use crate::types::{Lsn, RunNumber, TxnId, Version};

/// The log of an open database.
pub(crate) struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: LogOptions,
    database: DatabaseId,
    epoch: u64,
    first_version: Version,
    io: Mutex<Io>,
    pub(crate) state: Mutex<State>,
    /// The flusher waits here for something to do.
    pub(crate) work: Condvar,
    /// The checkpointer waits here for its time.
    checkpoint_work: Condvar,
    durable_version: AtomicU64,
    flusher: Mutex<Option<rt::thread::JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

#[derive(Debug)]
struct Io {
    writer: SegmentWriter,
    /// What is being written; empty between flushes.
    group: Pending,
}

/// What is known about the log, and changes with every commit.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pending: Pending,
    /// Commits in the group that is being written, and when the first of them was added.
    in_flight: (u64, Option<Instant>),
    /// The last version that was appended.
    appended_version: Version,
    durable_version: Version,
    durable_lsn: Lsn,
    /// A sync failed: why.
    poison: Option<Arc<Error>>,
    /// The last write failed: when to try again.
    pub(crate) retry_at: Option<Instant>,
    pub(crate) closing: bool,
    closed: bool,
    /// Somebody flushes, or is about to.
    pub(crate) leading: bool,
    /// Somebody waits who can't flush: the flusher does not wait for the interval.
    pub(crate) urgent: bool,
    /// The flusher sleeps, and until when.
    pub(crate) flusher_waits: bool,
    pub(crate) flusher_deadline: Option<Instant>,
    pub(crate) waiters: Waiters,
    sealed: Vec<SealedSegment>,
    checkpoint_lsn: Lsn,
    /// The checkpointer sleeps, and is woken when the log is durable up to here.
    checkpointer_wakes_at: Lsn,
    metrics: LogMetrics,
}

/// What recovery found, for the log to go on from.
#[derive(Debug)]
pub(crate) struct Resume {
    pub(crate) writer: SegmentWriter,
    pub(crate) last_version: Version,
    pub(crate) sealed: Vec<SealedSegment>,
    /// Everything below is in the checkpoint.
    pub(crate) checkpoint_lsn: Lsn,
    pub(crate) lock: Box<dyn DiskLock>,
}

/// A place in the log from which replay completes a checkpoint: everything up to `version` lies before `lsn` and is
/// durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capture {
    pub(crate) lsn: Lsn,
    pub(crate) version: Version,
}

impl Log {
    /// Starts the log behind what recovery found, and its flusher.
    pub(crate) fn start(disk: Arc<dyn Disk>, options: LogOptions, resume: Resume) -> Result<Arc<Self>> {
        let header = *resume.writer.header();
        let durable_lsn = resume.writer.end_lsn();
        let log = Arc::new(Self {
            disk,
            options,
            database: header.database,
            epoch: header.epoch,
            first_version: header.first_version,
            io: Mutex::new("wal.io", Io { writer: resume.writer, group: Pending::default() }),
            state: Mutex::new(
                "wal.state",
                State {
                    pending: Pending::default(),
                    in_flight: (0, None),
                    appended_version: resume.last_version,
                    durable_version: resume.last_version,
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
                    sealed: resume.sealed,
                    checkpoint_lsn: resume.checkpoint_lsn,
                    checkpointer_wakes_at: Lsn::MAX,
                    metrics: LogMetrics::default(),
                },
            ),
            work: Condvar::new("wal.work"),
            checkpoint_work: Condvar::new("wal.checkpoint_work"),
            durable_version: AtomicU64::new("wal.durable_version", resume.last_version.get()),
            flusher: Mutex::new("wal.flusher", None),
            lock: Mutex::new("wal.lock", Some(resume.lock)),
        });
        if !options.durability.is_strict() {
            let body = Arc::clone(&log);
            let thread =
                rt::thread::spawn("wal.flusher", move || run_flusher(&body)).map_err(|error| Error::Io {
                    operation: "start the flusher",
                    file: log.disk.describe(),
                    source: Arc::new(error),
                })?;
            *log.flusher.lock() = Some(thread);
        }
        Ok(log)
    }

    /// Before a group of `commits` is validated: whether it may be appended at all. Waits, and flushes, when too
    /// much is waiting to be written.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`]; the error of a write that failed before and fails again. Nothing
    /// happened then.
    pub(crate) fn admit(&self, commits: u64) -> Result<()> {
        loop {
            {
                let state = self.state.lock();
                state.check_open()?;
                let unsynced = state.unsynced();
                let stalled = state.retry_at.is_some();
                let full = state.pending.bytes.len() >= self.options.buffer_bytes_max
                    || (unsynced > 0 && unsynced + commits > self.options.durability.commits_max());
                if !stalled && !full && !self.too_old(&state) {
                    return Ok(());
                }
            }
            rt::reached!("commit waits for a sync");
            self.flush_once()?;
        }
    }

    /// Appends the record of one transaction; `fill` adds its writes. One thread at a time appends, with rising
    /// versions. If `fill` fails, the version was not used.
    ///
    /// # Errors
    /// Those of `fill`.
    #[inline]
    pub(crate) fn append(
        &self,
        version: Version,
        transaction: TxnId,
        run: RunNumber,
        fill: impl FnOnce(&mut RecordWriter<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut state = self.state.lock();
        assert!(version > state.appended_version, "versions rise in commit order");
        let pending = &mut state.pending;
        pending.records += 1;
        encode_transaction(&mut pending.bytes, self.first_version, version, transaction, run, fill)?;
        pending.commits += 1;
        pending.last_version = version;
        if pending.oldest.is_none() && self.options.durability.interval().is_some() {
            pending.oldest = Some(rt::time::now());
        }
        state.appended_version = version;
        Ok(())
    }

    /// Ends a group. Strict: writes and syncs it. Other modes: wakes the flusher if it is time.
    ///
    /// # Errors
    /// Strict only; the whole group has failed, and no part of it may become visible. [`Error::DiskFull`], [`Error::Io`]:
    /// nothing happened. [`Error::Indeterminate`]: nobody knows before the next recovery.
    pub(crate) fn end_group(&self) -> Result<()> {
        if self.options.durability.is_strict() {
            return self.flush_once();
        }
        let mut state = self.state.lock();
        if state.flusher_waits && self.due_earlier(&state) {
            state.flusher_waits = false;
            drop(state);
            self.work.notify_one();
        }
        Ok(())
    }

    /// Before the commits of a group are acked, and after they are visible: waits while an ack would break the
    /// mode's promise.
    ///
    /// # Errors
    /// [`Error::Indeterminate`]: the commits are visible, and can't be made durable now.
    pub(crate) fn before_ack(&self) -> Result<()> {
        if self.options.durability.interval().is_none() || rt::mutant!(AckWithoutBackpressure) {
            return Ok(());
        }
        loop {
            {
                let state = self.state.lock();
                let full = state.unsynced() >= self.options.durability.commits_max();
                if state.unsynced() == 0 || (!full && !self.too_old(&state)) {
                    return Ok(());
                }
            }
            rt::reached!("ack waits for a sync");
            self.flush_once().map_err(indeterminate)?;
        }
    }

    /// Makes everything durable that was appended before.
    ///
    /// # Errors
    /// [`Error::Poisoned`]; the error of a failed write, after which the data still wait to be written.
    pub(crate) fn flush(&self) -> Result<()> {
        let target = {
            let state = self.state.lock();
            if state.durable_version < state.appended_version {
                state.check_open()?;
            } else if let Some(error) = state.poisoned() {
                return Err(error);
            }
            if self.options.durability.is_strict() {
                return Ok(());
            }
            if rt::mutant!(FlushSkipsInFlight) && state.pending.is_empty() {
                return Ok(());
            }
            state.appended_version
        };
        while self.durable_version() < target {
            self.flush_once()?;
        }
        Ok(())
    }

    /// The newest version that is durable.
    #[inline]
    pub(crate) fn durable_version(&self) -> Version {
        Version::new(self.durable_version.load(Ordering::Acquire))
    }

    /// Closes: no more commits, everything durable, the last segment sealed, the directory unlocked. Closing twice
    /// does nothing.
    ///
    /// # Errors
    /// When what was appended can't be made durable. The log is closed even so.
    pub(crate) fn close(&self) -> Result<()> {
        {
            let mut state = self.state.lock();
            if state.closing {
                return Ok(());
            }
            state.closing = true;
        }
        self.work.notify_all();
        self.checkpoint_work.notify_all();
        let flusher = self.flusher.lock().take();
        if let Some(thread) = flusher {
            // Its panic, if any, has been reported; what is pending is flushed here.
            let _ = thread.join();
        }
        let mut io = self.io.lock();
        let flushed = self.flush_locked(&mut io);
        let sealed = flushed.and_then(|()| {
            io.writer.seal().map_err(|failure| failure.error)?;
            io.writer.trim();
            Ok(())
        });
        let woken = {
            let mut state = self.state.lock();
            state.closed = true;
            state.waiters.all()
        };
        woken.into_iter().for_each(Waiter::wake);
        *self.lock.lock() = None;
        sealed
    }

    /// A place from which a checkpoint may start.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`]: what can't be relied on is not saved.
    pub(crate) fn capture(&self) -> Result<Capture> {
        let state = self.state.lock();
        state.check_open()?;
        Ok(Capture { lsn: state.durable_lsn, version: state.durable_version })
    }

    /// Drops the segments that a durable checkpoint made superfluous.
    pub(crate) fn drop_segments_before(&self, lsn: Lsn) -> Result<usize> {
        let superfluous: Vec<SealedSegment> = {
            let mut state = self.state.lock();
            state.checkpoint_lsn = state.checkpoint_lsn.max(lsn);
            let (drop, keep) = std::mem::take(&mut state.sealed).into_iter().partition(|s| s.end <= lsn);
            state.sealed = keep;
            drop
        };
        for segment in &superfluous {
            self.disk
                .remove(&segment.name)
                .map_err(|error| Error::io("remove", segment.name.as_str(), error))?;
        }
        if !superfluous.is_empty() {
            sync_dir(&*self.disk).map_err(|failure| self.fail(failure))?;
        }
        Ok(superfluous.len())
    }

    /// Waits until it is time for a checkpoint, but at least until `not_before`; false when the log takes no more
    /// writes.
    pub(crate) fn wait_for_checkpoint(&self, not_before: Instant) -> bool {
        let deadline =
            self.options.checkpoint_interval.map(|interval| rt::time::now().saturating_add(interval));
        let mut state = self.state.lock();
        loop {
            if state.closing || state.poison.is_some() {
                return false;
            }
            let covered = state.checkpoint_lsn.get();
            let uncovered = state.durable_lsn.get().saturating_sub(covered);
            let due = if uncovered >= self.options.checkpoint_log_bytes {
                Some(not_before)
            } else if uncovered > 0 {
                deadline.map(|deadline| deadline.max(not_before))
            } else {
                None
            };
            if due.is_some_and(|due| due <= rt::time::now()) {
                return true;
            }
            let step =
                if due.is_none() && deadline.is_some() { 1 } else { self.options.checkpoint_log_bytes };
            state.checkpointer_wakes_at = Lsn::new(covered.saturating_add(step));
            match due {
                Some(due) => {
                    self.checkpoint_work.wait_until(&mut state, due);
                }
                None => self.checkpoint_work.wait(&mut state),
            }
        }
    }

    pub(crate) fn metrics(&self) -> LogMetrics {
        let state = self.state.lock();
        LogMetrics {
            durable_version: state.durable_version,
            durable_lsn: state.durable_lsn,
            unsynced_commits: state.unsynced(),
            unsynced_bytes: state.pending.bytes.len() as u64,
            sealed_segments: state.sealed.len() as u64,
            ..state.metrics
        }
    }

    pub(crate) const fn durability(&self) -> Durability {
        self.options.durability
    }

    /// With as many bytes waiting, it is time to write them.
    pub(crate) const fn flush_bytes(&self) -> usize {
        self.options.buffer_bytes_max / 4
    }

    pub(crate) const fn database(&self) -> &DatabaseId {
        &self.database
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Writes and syncs what is pending, after the flush that is under way, if any.
    pub(crate) fn flush_once(&self) -> Result<()> {
        let mut io = self.io.lock();
        self.flush_locked(&mut io)
    }

    /// The protocol of a flush: take, make room, write, sync, announce.
    fn flush_locked(&self, io: &mut Io) -> Result<()> {
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
        let mut state = self.state.lock();
        let cause = Arc::clone(state.poison.get_or_insert_with(|| Arc::new(failure.error)));
        state.in_flight = (0, None);
        state.leading = false;
        let woken = state.waiters.all();
        drop(state);
        woken.into_iter().for_each(Waiter::wake);
        self.work.notify_all();
        self.checkpoint_work.notify_all();
        Error::Poisoned { cause }
    }

    /// Whether the oldest commit that is not durable is as old as one may get.
    fn too_old(&self, state: &State) -> bool {
        match (self.options.durability.interval(), state.oldest()) {
            (Some(interval), Some(oldest)) => rt::time::now().saturating_since(oldest) >= interval,
            _ => false,
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("epoch", &self.epoch)
            .field("durable_version", &self.durable_version())
            .finish_non_exhaustive()
    }
}

/// How long the flusher waits after a failed write.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl State {
    /// Commits that are not durable.
    pub(crate) const fn unsynced(&self) -> u64 {
        self.pending.commits + self.in_flight.0
    }

    /// When the oldest commit that is not durable was added.
    fn oldest(&self) -> Option<Instant> {
        self.in_flight.1.or(self.pending.oldest)
    }

    pub(crate) fn poisoned(&self) -> Option<Error> {
        self.poison.as_ref().map(|cause| Error::Poisoned { cause: Arc::clone(cause) })
    }

    fn check_open(&self) -> Result<()> {
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
    fn forget_pending(&mut self) {
        self.pending.clear(0);
        self.appended_version = self.durable_version;
    }
}

fn indeterminate(error: Error) -> Error {
    match error {
        Error::Indeterminate { .. } => error,
        cause => Error::Indeterminate { cause: Arc::new(cause) },
    }
}
