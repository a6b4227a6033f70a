//! The deliberate bugs of the log that would bend its code if they stood in it. Outside of simulations
//! `rt::mutant!` is the constant `false`, so every function here does nothing, or what its name says.

use super::files::IoFailure;
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
