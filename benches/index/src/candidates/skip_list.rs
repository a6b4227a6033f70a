//! A lock-free skip list of slots.

use crossbeam_skiplist::SkipMap;
use rt::sync::Arc;

use super::{Index, Versions};
use crate::key::{Bytes, Key};
use crate::slot::Slot;
use crate::snapshots::Snapshot;

/// One structure for points and order.
pub(crate) struct SkipList<S> {
    slots: SkipMap<Key, Arc<S>>,
    versions: Versions,
}

impl<S: Slot> Index for SkipList<S> {
    type Snapshot = Snapshot;

    fn new() -> Self {
        Self { slots: SkipMap::new(), versions: Versions::new() }
    }

    fn name() -> String {
        format!("crossbeam skip list, {} slots", S::NAME)
    }

    fn snapshot(&self) -> Snapshot {
        self.versions.snapshot()
    }

    fn read<T>(&self, snapshot: &Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        self.slots.get(key)?.value().read(snapshot.version, visit)
    }

    fn put(&self, key: Key, value: Bytes) {
        let (version, oldest) = self.versions.next();
        if let Some(entry) = self.slots.get(&key) {
            entry.value().push(version, value, oldest);
        } else {
            self.slots.insert(key, Arc::new(S::new(version, value)));
        }
        self.versions.publish(version);
    }

    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool {
        let snapshot = self.versions.snapshot();
        let Some(entry) = self.slots.get(key) else { return false };
        let slot = entry.value();
        let Some(value) = slot.read(snapshot.version, change) else { return false };
        drop(snapshot);
        let (version, oldest) = self.versions.next();
        let valid = slot.newest() < version;
        slot.push(version, value, oldest);
        self.versions.publish(version);
        valid
    }

    fn scan(&self, snapshot: &Snapshot, start: &Key, limit: usize, visit: &mut dyn FnMut(&Bytes)) {
        for entry in self.slots.range::<Key, _>(start..).take(limit) {
            entry.value().read(snapshot.version, &mut *visit);
        }
    }
}
