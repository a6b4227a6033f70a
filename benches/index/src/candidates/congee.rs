//! An adaptive radix tree over the last eight key bytes: the crate takes no longer keys, so this is a limit and
//! not a choice.

use congee::U64Congee;
use rt::sync::{Arc, RwLock};

use super::{Index, Versions};
use crate::key::{Bytes, Key, suffix};
use crate::slot::Slot;
use crate::snapshots::Snapshot;

const BATCH: usize = 128;

/// The tree holds positions in a growing list of slots.
pub(crate) struct CongeeSlab<S> {
    positions: U64Congee<usize>,
    slots: RwLock<Vec<Arc<S>>>,
    versions: Versions,
}

impl<S: Slot> CongeeSlab<S> {
    fn slot(&self, key: &Key) -> Option<Arc<S>> {
        let position = self.positions.get(suffix(key), &congee::epoch::pin())?;
        Some(Arc::clone(&self.slots.read()[position]))
    }
}

impl<S: Slot> Index for CongeeSlab<S> {
    type Snapshot = Snapshot;

    fn new() -> Self {
        Self {
            positions: U64Congee::new(),
            slots: RwLock::new("slots", Vec::new()),
            versions: Versions::new(),
        }
    }

    fn name() -> String {
        format!("congee (8-byte keys), {} slots", S::NAME)
    }

    fn snapshot(&self) -> Snapshot {
        self.versions.snapshot()
    }

    fn read<T>(&self, snapshot: &Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        let position = self.positions.get(suffix(key), &congee::epoch::pin())?;
        self.slots.read()[position].read(snapshot.version, visit)
    }

    fn put(&self, key: Key, value: Bytes) {
        let (version, oldest) = self.versions.next();
        if let Some(slot) = self.slot(&key) {
            slot.push(version, value, oldest);
        } else {
            let mut slots = self.slots.write();
            slots.push(Arc::new(S::new(version, value)));
            let inserted = self.positions.insert(suffix(&key), slots.len() - 1, &congee::epoch::pin());
            assert!(inserted.is_ok(), "memory for the radix tree");
        }
        self.versions.publish(version);
    }

    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool {
        let snapshot = self.versions.snapshot();
        let Some(slot) = self.slot(key) else { return false };
        let Some(value) = slot.read(snapshot.version, change) else { return false };
        drop(snapshot);
        let (version, oldest) = self.versions.next();
        let valid = slot.newest() < version;
        slot.push(version, value, oldest);
        self.versions.publish(version);
        valid
    }

    fn scan(&self, snapshot: &Snapshot, start: &Key, limit: usize, visit: &mut dyn FnMut(&Bytes)) {
        let guard = congee::epoch::pin();
        let slots = self.slots.read();
        let mut batch = [([0; 8], 0); BATCH];
        let mut start = suffix(start);
        let mut left = limit;
        while left > 0 {
            let wanted = left.min(BATCH);
            let found = self.positions.range(start, u64::MAX, &mut batch[..wanted], &guard);
            for (_, position) in &batch[..found] {
                slots[*position].read(snapshot.version, &mut *visit);
            }
            if found < wanted {
                break;
            }
            left -= found;
            start = u64::from_be_bytes(batch[found - 1].0) + 1;
        }
    }
}
