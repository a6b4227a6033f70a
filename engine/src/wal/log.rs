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

use env::{Disk, DiskLock};
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Condvar, Mutex};
use rt::time::Instant;

use super::entry::{RecordWriter, encode_transaction};
use super::files::sync_dir;
use super::flush::indeterminate;
use super::format::DatabaseId;
use super::metrics::LogMetrics;
use super::options::LogOptions;
use super::pending::Pending;
use super::state::State;
use super::writer::{SealedSegment, SegmentWriter};
use crate::durability::{Durability, Waiter, run_flusher};
use crate::error::{Error, Result};
use crate::types::{Lsn, RunNumber, TxnId, Version};

/// The log of an open database.
pub(crate) struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: LogOptions,
    database: DatabaseId,
    epoch: u64,
    first_version: Version,
    pub(super) io: Mutex<Io>,
    pub(crate) state: Mutex<State>,
    /// The flusher waits here for something to do.
    pub(crate) work: Condvar,
    /// The checkpointer waits here for its time.
    pub(super) checkpoint_work: Condvar,
    pub(super) durable_version: AtomicU64,
    flusher: Mutex<Option<rt::thread::JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

/// What a flush works with.
#[derive(Debug)]
pub(super) struct Io {
    pub(super) writer: SegmentWriter,
    /// What is being written; empty between flushes.
    pub(super) group: Pending,
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
                State::new(resume.last_version, durable_lsn, resume.sealed, resume.checkpoint_lsn),
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
