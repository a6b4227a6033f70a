//! The state of an open log that committers, waiters and background threads share.
//!
//! Two locks, `wal.io` before `wal.state`: the first is held for a whole write and sync, the second for
//! moments, so that the next group is encoded while the last one is synced.

use env::{Disk, DiskLock, ProcessId};
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Condvar, Mutex};

use super::options::LogOptions;
use super::pending::Pending;
use super::state::LogState;
use super::writer::{SealedSegment, SegmentWriter};
use crate::types::{Lsn, Version};

/// The point at which recovery ended, from which the log continues.
#[derive(Debug)]
pub(crate) struct Resume {
    pub(crate) writer: SegmentWriter,
    pub(crate) last_version: Version,
    pub(crate) sealed: Vec<SealedSegment>,
    /// Everything below is in the checkpoint.
    pub(crate) checkpoint_lsn: Lsn,
    /// The log from there on has every commit above this version.
    pub(crate) covered: Version,
    pub(crate) lock: Arc<dyn DiskLock>,
}

/// The shared part of a log: its end on disk, what is pending, and the waiters.
#[derive(Debug)]
pub(crate) struct LogCore {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: LogOptions,
    pub(super) lock: Arc<dyn DiskLock>,
    /// The process that opened the log: one that is forked from it must not write.
    pub(super) process: ProcessId,
    pub(super) io: Mutex<LogIo>,
    pub(super) state: Mutex<LogState>,
    /// The flusher waits here for something to do.
    pub(super) work: Condvar,
    /// The checkpointer waits here for its time.
    pub(super) checkpoint_work: Condvar,
    durable_version: AtomicU64,
}

/// The state that a flush works with.
#[derive(Debug)]
pub(super) struct LogIo {
    pub(super) writer: SegmentWriter,
    /// The group that is being written; empty between flushes.
    pub(super) group: Pending,
}

impl LogCore {
    pub(super) fn new(disk: Arc<dyn Disk>, options: LogOptions, resume: Resume) -> Self {
        let Resume { writer, last_version, sealed, checkpoint_lsn, covered, lock } = resume;
        let checkpoint = (checkpoint_lsn, covered);
        let durable_lsn = writer.end_lsn();
        Self {
            disk,
            options,
            lock,
            process: ProcessId::current(),
            io: Mutex::new("wal.io", LogIo { writer, group: Pending::default() }),
            state: Mutex::new("wal.state", LogState::new(last_version, durable_lsn, sealed, checkpoint)),
            work: Condvar::new("wal.work"),
            checkpoint_work: Condvar::new("wal.checkpoint_work"),
            durable_version: AtomicU64::new("wal.durable_version", last_version.get()),
        }
    }

    /// Returns the newest version that is durable.
    #[inline]
    pub(super) fn durable_version(&self) -> Version {
        Version::new(self.durable_version.load(Ordering::Acquire))
    }

    /// Publishes a new durable version to readers without the lock. Called with the state locked.
    pub(super) fn set_durable_version(&self, version: Version) {
        self.durable_version.store(version.get(), Ordering::Release);
    }

    /// Returns the number of pending bytes at which it is time to write them.
    pub(super) const fn flush_bytes(&self) -> usize {
        self.options.buffer_bytes_max / 4
    }

    /// Returns whether the oldest commit that is not durable has reached the age that the mode allows.
    pub(super) fn is_too_old(&self, state: &LogState) -> bool {
        match (self.options.durability.interval(), state.oldest()) {
            (Some(interval), Some(oldest)) => rt::time::now().saturating_since(oldest) >= interval,
            _ => false,
        }
    }
}
