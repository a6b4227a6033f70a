//! The deliberate bugs of the log that would bend its code if they stood in it. Outside of simulations
//! `rt::mutant!` is the constant `false`, so every function here does nothing, or what its name says.

use std::collections::BTreeMap;

use super::files::IoFailure;
use super::pending::Pending;
use super::waiters::Waiter;
use super::writer::SegmentWriter;
use crate::error::Result;
use crate::types::Version;

/// Returns the version to announce after a sync: the last one of the group, or, as the bug has it, one that
/// was appended while the sync ran.
#[inline(always)]
pub(super) fn announced(group: Version, appended: Version) -> Version {
    if rt::mutant!(AckedByEarlierSync) { appended } else { group }
}

/// Appends after what a failed write left, as a log does that does not repair it.
#[inline(always)]
pub(super) fn ignore_failed_write(writer: &mut SegmentWriter, end: u64) {
    if rt::mutant!(FailedWriteLeftInLog) {
        writer.take_as_written(end);
    }
}

/// Returns the result of a sync: taken for a success, or tried again, by the bugs about failed syncs.
#[inline(always)]
pub(super) fn synced(
    synced: Result<(), IoFailure>,
    again: impl FnOnce() -> Result<(), IoFailure>,
) -> Result<(), IoFailure> {
    if rt::mutant!(SyncFailureIgnored) {
        return Ok(());
    }
    if rt::mutant!(SyncRetriedAfterFailure) && synced.is_err() { again() } else { synced }
}

/// Leaves tasks in the queue that are being woken; does nothing outside of the bug.
#[inline(always)]
pub(super) fn keep_woken_tasks(
    woken: &BTreeMap<(Version, u64), Waiter>,
    waiting: &mut BTreeMap<(Version, u64), Waiter>,
) {
    if rt::mutant!(WokenTaskStays) {
        let tasks = woken.iter().filter_map(|(key, waiter)| match waiter {
            Waiter::Task(waker) => Some((*key, Waiter::Task(waker.clone()))),
            Waiter::Thread(_) => None,
        });
        waiting.extend(tasks);
    }
}

/// Returns how many bytes wait to be written: those in the buffer, or, as the bug has it, all that it has
/// room for.
#[inline(always)]
pub(super) fn unsynced_bytes(pending: &Pending) -> usize {
    if rt::mutant!(UnsyncedBytesKept) { pending.bytes.capacity() } else { pending.bytes.len() }
}
