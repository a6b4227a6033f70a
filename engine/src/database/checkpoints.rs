//! Checkpoints of an open database: the newest state of the store, written beside running commits.

use rt::sync::{Arc, Mutex};

use super::mutants;
use crate::checkpoint::{CheckpointInfo, CheckpointWriter};
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::striped::Stripe;
use crate::telemetry::{event, span};
use crate::txn::Coordinator;
use crate::types::Version;
use crate::wal::{Capture, Log};

/// Writes checkpoints of one database.
#[derive(Debug)]
pub(super) struct Checkpoints {
    coordinator: Arc<Coordinator>,
    /// The right to write one.
    turn: Mutex<()>,
}

impl Checkpoints {
    pub(super) const fn new(coordinator: Arc<Coordinator>) -> Self {
        Self { coordinator, turn: Mutex::new("checkpoint", ()) }
    }

    /// Writes the newest state, while writers go on. One at a time.
    pub(super) fn write(&self, log: &Arc<Log>) -> Result<CheckpointInfo> {
        let _one_at_a_time = self.turn.lock();
        let (capture, snapshot) = self.place_and_snapshot(log)?;
        let _span = span!(INFO, "checkpoint", version = snapshot.version().get());
        let mut writer = CheckpointWriter::begin(log, capture, snapshot.version())?;
        self.fill(&mut writer, snapshot.version())?;
        let info = writer.finish()?;
        event!(INFO, entries = info.entries, bytes = info.bytes, "written");
        Ok(info)
    }

    /// Writes everything that a snapshot of `version`, which must be registered, sees.
    pub(super) fn fill(&self, writer: &mut CheckpointWriter, version: Version) -> Result<()> {
        rt::probe::at("checkpoint begun");
        let mut from: Option<Box<[u8]>> = Some(Box::default());
        while let Some(start) = from {
            // Copied out leaf by leaf, so that nothing of the index is held while the disk works.
            let index = &self.coordinator.store.index;
            from = index.snapshot_pages(&start, version, |page| writer.push(page))?;
            writer.write_full_block()?;
        }
        Ok(())
    }

    /// Takes the place in the log from which replay completes the checkpoint, then the snapshot. In the
    /// other order, commits between the two would be in neither: replay starts after them, and the
    /// snapshot ends before them.
    fn place_and_snapshot(&self, log: &Log) -> Result<(Capture, Snapshot)> {
        let Coordinator { store, committer, .. } = &*self.coordinator;
        let capture = || {
            // Between two groups all that is durable is published too, so a snapshot taken later holds it.
            let _between_groups = committer.between_groups();
            log.capture()
        };
        if let Some(swapped) = mutants::snapshot_first(store, capture) {
            return swapped;
        }
        let capture = capture()?;
        Ok((capture, Snapshot::new(Stripe::new(store))))
    }
}
