//! The deliberate bugs of recovery that would bend its code if they stood in it. Outside of simulations
//! `rt::mutant!` is the constant `false`, so every function here does what a reader expects of its name and
//! no more.

use env::{DiskLock, File};
use rt::sync::Arc;

use crate::error::Result;
use crate::types::Version;

/// Returns the last number of the epochs before this one, from which the next one counts: that of the epoch,
/// unless versions are to be used twice.
#[inline(always)]
pub(super) fn base_of_epoch(base: u64) -> u64 {
    if rt::mutant!(VersionsReusedAfterRestart) { 0 } else { base }
}

/// Cuts the torn tail off, by `cut`; returns where records go on. The bug appends after the tail.
#[inline(always)]
pub(super) fn cut_tail(
    file: &dyn File,
    end: u64,
    torn_bytes: u64,
    cut: impl FnOnce(&dyn File, u64) -> Result<()>,
) -> Result<u64> {
    if rt::mutant!(TornTailNotCut) {
        return Ok(end + torn_bytes);
    }
    cut(file, end)?;
    Ok(end)
}

/// Returns the newest version that the checkpoint is taken to hold: its own, or by the bug one more.
#[inline(always)]
pub(super) fn covered(checkpoint: Version) -> Version {
    if rt::mutant!(WatermarkOffByOne) { checkpoint.next() } else { checkpoint }
}

/// Returns the lock of the directory, or by the bug one that is none.
#[inline(always)]
pub(super) fn lock(taken: std::io::Result<Arc<dyn DiskLock>>) -> std::io::Result<Arc<dyn DiskLock>> {
    if rt::mutant!(OpensWithoutLock) && taken.is_err() { Ok(Arc::new(NoLock)) } else { taken }
}

/// Locks nothing.
#[derive(Debug)]
struct NoLock;

impl DiskLock for NoLock {
    fn check(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn unlock(&self) {}
}
