//! Checkpoints of an open database: the newest state of the store, written beside running commits.

use std::ops::ControlFlow;

use rt::sync::{Arc, Mutex};

use super::mutants;
use crate::checkpoint::{CheckpointInfo, CheckpointWriter};
use crate::error::Result;
use crate::key::Key;
use crate::mvcc::Record;
use crate::range::KeyRange;
use crate::snapshot::Snapshot;
use crate::striped::Stripe;
use crate::telemetry::{event, span};
use crate::txn::Coordinator;
use crate::types::Version;
use crate::wal::{Capture, Log};

/// Entries that are copied out of the index at a time.
const CHUNK: usize = 256;

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
        let mut rest = KeyRange::everything();
        loop {
            let records = self.records(&rest, snapshot.version());
            let Some(last) = records.last() else { break };
            rest = rest.behind(&Key::from_encoded(last.key()));
            for record in records {
                // After recovery no snapshot asks for what is below this one, so tombstones are not needed.
                if let Some(value) = record.value() {
                    let (key, version) = (record.key(), record.version());
                    writer.push(
                        key,
                        version,
                        record.txn(),
                        record.run(),
                        Some(value),
                        record.expires().at(),
                    )?;
                }
            }
        }
        let info = writer.finish()?;
        event!(INFO, entries = info.entries, bytes = info.bytes, "written");
        Ok(info)
    }

    /// The first of a range: so that nothing of the index is held while the disk works.
    fn records(&self, range: &KeyRange, at: Version) -> Vec<Record> {
        let mut records = Vec::with_capacity(CHUNK);
        self.coordinator.store.index.entries(range, at, |entry| {
            records.push(entry.to_record());
            if records.len() < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        records
    }

    /// Takes the place in the log from which replay completes the checkpoint, then the snapshot. In the
    /// other order, commits between the two would be in neither: replay starts behind them, and the
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
