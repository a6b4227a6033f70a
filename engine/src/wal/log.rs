//! The log of an open database: takes the records of commits, and makes them durable in commit order.

use std::fmt;

use env::{Disk, DiskLock};
use rt::sync::{Arc, Mutex};
use rt::time::Instant;

use super::core::{LogCore, Resume};
use super::entry::{RecordWriter, encode_transaction};
use super::files::{IoFailure, sync_dir};
use super::flush::indeterminate;
use super::flusher::run_flusher;
use super::format::DatabaseId;
use super::metrics::LogMetrics;
use super::mutants;
use super::options::LogOptions;
use super::waiters::Waiter;
use super::writer::SealedSegment;
use crate::error::{Error, Result};
use crate::types::{Lsn, RunNumber, TxnId, Version};

/// The log of an open database.
pub(crate) struct Log {
    pub(super) core: Arc<LogCore>,
    database: DatabaseId,
    epoch: u64,
    first_version: Version,
    flusher: Mutex<Option<rt::thread::JoinHandle<()>>>,
    /// Taken by the first close: a second one must not unlock what another handle has locked meanwhile.
    lock: Mutex<Option<Arc<dyn DiskLock>>>,
}

/// A place in the log from which replay completes a checkpoint: everything up to `version` lies before `lsn`
/// and is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capture {
    pub(crate) lsn: Lsn,
    pub(crate) version: Version,
}

/// The part of the log that can be read back: it has every commit above `covered`, as far as it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replayable {
    /// The place of its first record.
    pub(crate) start: Lsn,
    pub(crate) covered: Version,
    /// What lies after this place may be half written.
    pub(crate) durable: Lsn,
}

impl Log {
    /// Starts the log where recovery ended, and its flusher.
    pub(crate) fn start(disk: Arc<dyn Disk>, options: LogOptions, resume: Resume) -> Result<Arc<Self>> {
        let header = *resume.writer.header();
        let lock = Arc::clone(&resume.lock);
        let core = Arc::new(LogCore::new(disk, options, resume));
        let log = Arc::new(Self {
            core: Arc::clone(&core),
            database: header.database,
            epoch: header.epoch,
            first_version: header.first_version,
            flusher: Mutex::new("wal.flusher", None),
            lock: Mutex::new("wal.lock", Some(lock)),
        });
        if !options.durability.is_strict() {
            let thread =
                rt::thread::spawn("wal.flusher", move || run_flusher(&core)).map_err(|error| Error::Io {
                    operation: "start the flusher",
                    file: log.core.disk.describe(),
                    source: Arc::new(error),
                })?;
            *log.flusher.lock() = Some(thread);
        }
        Ok(log)
    }

    /// Checks that this is the process that opened the log.
    ///
    /// # Errors
    /// [`Error::Forked`].
    #[inline]
    pub(crate) fn check_process(&self) -> Result<()> {
        self.core.check_process()
    }

    /// Admits a group of `commits` before it is validated. Waits, and flushes, when too much is waiting to be
    /// written.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`]; the error of a write that failed before and fails again.
    /// Nothing happened then.
    pub(crate) fn admit(&self, commits: u64) -> Result<()> {
        loop {
            {
                let state = self.core.state.lock();
                state.check_open()?;
                let unsynced = state.unsynced();
                let stalled = state.retry_at.is_some();
                let full = state.pending.bytes.len() >= self.core.options.buffer_bytes_max
                    || (unsynced > 0 && unsynced + commits > self.core.options.durability.commits_max());
                if !stalled && !full && !self.core.is_too_old(&state) {
                    return Ok(());
                }
            }
            rt::reached!("commit waits for a sync");
            self.core.flush_once()?;
        }
    }

    /// Appends the record of one transaction; `fill` adds its writes. One thread at a time appends, with
    /// rising versions. If `fill` fails, the version was not used.
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
        let mut state = self.core.state.lock();
        assert!(version > state.appended_version, "versions rise in commit order");
        let pending = &mut state.pending;
        pending.records += 1;
        encode_transaction(&mut pending.bytes, self.first_version, version, transaction, run, fill)?;
        pending.commits += 1;
        pending.last_version = version;
        if pending.oldest.is_none() && self.core.options.durability.interval().is_some() {
            pending.oldest = Some(rt::time::now());
        }
        state.appended_version = version;
        Ok(())
    }

    /// Ends a group. Strict: writes and syncs it. Other modes: wakes the flusher if it is time.
    ///
    /// # Errors
    /// Strict only; the whole group has failed, and no part of it may become visible. [`Error::DiskFull`],
    /// [`Error::Io`]: nothing happened. [`Error::Indeterminate`]: the next recovery decides.
    pub(crate) fn end_group(&self) -> Result<()> {
        if self.core.options.durability.is_strict() {
            return self.core.flush_once();
        }
        let mut state = self.core.state.lock();
        if state.flusher_waits && self.core.is_due_earlier(&state) {
            state.flusher_waits = false;
            drop(state);
            self.core.work.notify_one();
        }
        Ok(())
    }

    /// Waits while an ack would break the promise of the mode. Called when the commits of a group are
    /// visible, and before they are acked.
    ///
    /// # Errors
    /// [`Error::Indeterminate`]: the commits are visible, and can't be made durable now.
    pub(crate) fn before_ack(&self) -> Result<()> {
        if self.core.options.durability.interval().is_none() || rt::mutant!(AckWithoutBackpressure) {
            return Ok(());
        }
        loop {
            {
                let state = self.core.state.lock();
                let full = state.unsynced() >= self.core.options.durability.commits_max();
                if state.unsynced() == 0 || (!full && !self.core.is_too_old(&state)) {
                    return Ok(());
                }
            }
            rt::reached!("ack waits for a sync");
            self.core.flush_once().map_err(indeterminate)?;
        }
    }

    /// Makes everything durable that was appended before.
    ///
    /// # Errors
    /// [`Error::Poisoned`]; the error of a failed write, after which the data still wait to be written.
    pub(crate) fn flush(&self) -> Result<()> {
        self.check_process()?;
        let target = {
            let state = self.core.state.lock();
            if state.durable_version < state.appended_version {
                state.check_open()?;
            } else if let Some(error) = state.poisoned() {
                return Err(error);
            }
            if self.core.options.durability.is_strict() {
                return Ok(());
            }
            if rt::mutant!(FlushSkipsInFlight) && state.pending.is_empty() {
                return Ok(());
            }
            state.appended_version
        };
        while self.durable_version() < target {
            self.core.flush_once()?;
        }
        Ok(())
    }

    /// Returns the newest version that is durable.
    #[inline]
    pub(crate) fn durable_version(&self) -> Version {
        self.core.durable_version()
    }

    /// Closes the log: no more commits, everything durable, the last segment sealed, the directory unlocked.
    /// Closing twice does nothing.
    ///
    /// # Errors
    /// When what was appended can't be made durable. The log is closed even so.
    pub(crate) fn close(&self) -> Result<()> {
        self.core.check_process()?;
        {
            let mut state = self.core.state.lock();
            if state.closing {
                return Ok(());
            }
            state.closing = true;
        }
        self.core.work.notify_all();
        self.core.checkpoint_work.notify_all();
        let flusher = self.flusher.lock().take();
        if let Some(thread) = flusher {
            // A panic of it has been reported; what it left is flushed below.
            let _ = thread.join();
        }
        let mut io = self.core.io.lock();
        let flushed = self.core.flush_locked(&mut io);
        let sealed = flushed.and_then(|()| {
            io.writer.seal().map_err(|failure| failure.error)?;
            io.writer.trim();
            Ok(())
        });
        let woken = {
            let mut state = self.core.state.lock();
            state.closed = true;
            state.waiters.all()
        };
        woken.into_iter().for_each(Waiter::wake);
        // Last: the next process that opens the directory must find the log sealed.
        if let Some(lock) = self.lock.lock().take() {
            lock.unlock();
        }
        sealed
    }

    /// Makes everything durable, and begins a new segment unless the last one has no records. No group may be
    /// under way.
    ///
    /// # Errors
    /// When what is pending, the seal or the new segment can't be written. [`Error::Poisoned`].
    pub(crate) fn roll(&self) -> Result<()> {
        self.core.check_process()?;
        let mut io = self.core.io.lock();
        self.core.state.lock().check_open()?;
        self.core.flush_locked(&mut io)?;
        let sealed = io.writer.roll().map_err(|failure| self.core.fail(failure))?;
        let mut state = self.core.state.lock();
        state.sealed.extend(sealed);
        // A checkpoint that starts here does not need the segment that was sealed.
        state.durable_lsn = io.writer.end_lsn();
        Ok(())
    }

    /// Returns a place from which a checkpoint may start.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`]: what can't be relied on is not saved.
    pub(crate) fn capture(&self) -> Result<Capture> {
        self.core.check_process()?;
        let state = self.core.state.lock();
        state.check_open()?;
        Ok(Capture { lsn: state.durable_lsn, version: state.durable_version })
    }

    /// Returns the part of the log that can be read back.
    ///
    /// # Errors
    /// [`Error::Closed`]: the files may belong to another process by now. [`Error::Forked`].
    pub(crate) fn replayable(&self) -> Result<Replayable> {
        self.core.check_process()?;
        let state = self.core.state.lock();
        if state.closing {
            return Err(Error::Closed);
        }
        Ok(Replayable { start: state.checkpoint_lsn, covered: state.covered, durable: state.durable_lsn })
    }

    /// Removes the segments that a durable checkpoint of `version` made superfluous.
    pub(crate) fn drop_segments_before(&self, lsn: Lsn, version: Version) -> Result<usize> {
        let superfluous: Vec<SealedSegment> = {
            let mut state = self.core.state.lock();
            state.checkpoint_lsn = state.checkpoint_lsn.max(lsn);
            state.covered = state.covered.max(version);
            let (drop, keep) = std::mem::take(&mut state.sealed).into_iter().partition(|s| s.end <= lsn);
            state.sealed = keep;
            drop
        };
        for segment in &superfluous {
            self.core
                .disk
                .remove(&segment.name)
                .map_err(|error| self.fail(Error::io("remove", segment.name.as_str(), error).into()))?;
        }
        if !superfluous.is_empty() {
            sync_dir(&*self.core.disk).map_err(|failure| self.core.fail(failure))?;
        }
        Ok(superfluous.len())
    }

    /// Returns whether the number of complete segments makes a checkpoint due.
    pub(crate) fn has_many_segments(&self) -> bool {
        self.core.state.lock().has_many_segments(&self.core.options)
    }

    /// Waits until it is time for a checkpoint, but at least until `not_before`; returns false when the log
    /// takes no more writes.
    pub(crate) fn wait_for_checkpoint(&self, not_before: Instant) -> bool {
        self.core.wait_for_checkpoint(not_before)
    }

    /// Waits until `version` is durable, or until `deadline`; returns whether it is.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`], [`Error::Invalid`] for a version that no commit has; the error
    /// of a write that failed.
    pub(crate) fn wait_durable(&self, version: Version, deadline: Option<Instant>) -> Result<bool> {
        self.core.wait_durable(version, deadline)
    }

    /// Closes the log for writing if the failure is fatal; returns the error to report.
    pub(crate) fn fail(&self, failure: IoFailure) -> Error {
        self.core.fail(failure)
    }

    pub(crate) fn metrics(&self) -> LogMetrics {
        let state = self.core.state.lock();
        LogMetrics {
            durable_version: state.durable_version,
            durable_lsn: state.durable_lsn,
            unsynced_commits: state.unsynced(),
            unsynced_bytes: mutants::unsynced_bytes(&state.pending) as u64,
            waiting: state.waiters.len() as u64,
            sealed_segments: state.sealed.len() as u64,
            ..state.metrics
        }
    }

    pub(crate) const fn database(&self) -> &DatabaseId {
        &self.database
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.core.disk
    }

    pub(crate) fn shared_disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.core.disk)
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
