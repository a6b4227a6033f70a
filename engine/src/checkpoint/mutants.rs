//! The deliberate bugs of checkpoints that would bend their code if they stood in it. Outside of simulations
//! `rt::mutant!` is the constant `false`, so every function here does what a reader expects of its name and
//! no more.

use crate::error::Result;
use crate::types::{Lsn, Version};
use crate::wal::Log;

/// Returns the place from which the log is needed after a checkpoint: where replay starts, or by the bug
/// where the log was durable when the file was finished.
#[inline(always)]
pub(super) fn needed_from(replay: Lsn, durable: Lsn) -> Lsn {
    if rt::mutant!(LogBehindCheckpointDropped) { durable } else { replay }
}

/// Drops segments before the checkpoint that replaces them is durable; does nothing outside of the bug.
#[inline(always)]
pub(super) fn drop_segments_first(log: &Log, lsn: Lsn, version: Version) -> Result<()> {
    if rt::mutant!(OldSegmentsDroppedFirst) {
        log.drop_segments_before(lsn, version)?;
    }
    Ok(())
}
