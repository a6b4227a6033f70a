//! Writing the newest state of the store to a checkpoint.

use rt::sync::Arc;

use super::{CheckpointInfo, CheckpointWriter};
use crate::database::{Inner, Lease};
use crate::error::Result;
use crate::range::KeyRange;
use crate::snapshot::{LazySnapshotView, SnapshotView as _};
use crate::telemetry::{event, span};
use crate::wal::Log;

/// Slots that are looked up under one hold of the index's lock: none is held while the disk works.
const CHUNK: usize = 256;

/// Writes the state at a snapshot of now, while writers go on. One at a time.
pub(crate) fn take_checkpoint(inner: &Arc<Inner>, log: &Arc<Log>) -> Result<CheckpointInfo> {
    let _one_at_a_time = inner.checkpoint.lock();
    // The log is captured first, and between two groups, when all that is durable is published too: so the snapshot
    // has all that lies before the captured place.
    let early = rt::mutant!(CheckpointSnapshotFirst).then(|| {
        let snapshot = LazySnapshotView::new(Lease::new(inner));
        rt::probe::at("checkpoint.snapshot→capture");
        snapshot
    });
    let capture = {
        let _between_groups = inner.committer.protocol();
        log.capture()?
    };
    let snapshot = early.unwrap_or_else(|| LazySnapshotView::new(Lease::new(inner)));
    let _span = span!(INFO, "checkpoint", version = snapshot.version().get());
    let mut writer = CheckpointWriter::begin(log, capture, snapshot.version())?;
    let mut rest = KeyRange::everything();
    loop {
        let slots = inner.index.slots(&rest, CHUNK);
        let Some(last) = slots.last() else { break };
        rest = rest.behind(last.key());
        for slot in slots {
            // No snapshot after recovery asks for what is below this one, so tombstones can stay behind.
            if let Some(entry) = slot.entry(snapshot.version())
                && entry.value.is_some()
            {
                let (key, value) = (slot.key().as_bytes(), entry.value.as_ref());
                writer.push(key, entry.version, entry.txn, entry.run, value, entry.expires.at())?;
            }
        }
    }
    let info = writer.finish()?;
    event!(INFO, entries = info.entries, bytes = info.bytes, "written");
    Ok(info)
}
