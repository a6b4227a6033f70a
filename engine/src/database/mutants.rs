//! The zoo's deliberate bugs around the database that take more than a condition. In production each function
//! here is empty: `rt::mutant!` is the constant `false`.

use rt::sync::Arc;

use crate::error::Result;
use crate::run::RunRecord;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::striped::Stripe;
use crate::wal::Capture;

/// Takes the snapshot before the place in the log, and claims of the place what the writer checks; `None`
/// without the bug.
#[inline(always)]
pub(super) fn snapshot_first(
    store: &Arc<Store>,
    capture: impl FnOnce() -> Result<Capture>,
) -> Option<Result<(Capture, Snapshot)>> {
    if !rt::mutant!(CheckpointSnapshotFirst) {
        return None;
    }
    let snapshot = Snapshot::new(Stripe::new(store));
    rt::probe::at("checkpoint.snapshot→capture");
    let claimed = |capture: Capture| Capture { version: capture.version.min(snapshot.version()), ..capture };
    Some(capture().map(claimed).map(|capture| (capture, snapshot)))
}

/// Ends the snapshot of a backup before its content is read; keeps it without the bug.
#[inline(always)]
pub(super) fn released_early(snapshot: Snapshot) -> Option<Snapshot> {
    (!rt::mutant!(BackupSnapshotReleased)).then_some(snapshot)
}

/// Drops where a run comes from, when it ends; does nothing outside of the bug.
#[inline(always)]
pub(super) fn forget_origin(record: &mut RunRecord) {
    if rt::mutant!(RunEndForgetsParent) {
        record.parent = None;
        record.tags.clear();
    }
}
