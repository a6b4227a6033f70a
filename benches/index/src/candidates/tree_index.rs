//! `scc`'s B+ tree with optimistic readers.

use rt::sync::Arc;
use scc::{Guard, TreeIndex};

use super::{Index, Versions};
use crate::key::{Bytes, Key};
use crate::slot::Slot;
use crate::snapshots::Snapshot;

/// One structure for points and order; readers take no lock.
pub(crate) struct EpochTree<S: 'static> {
    slots: TreeIndex<Key, Arc<S>>,
    versions: Versions,
}

impl<S: Slot> Index for EpochTree<S> {
    type Snapshot = Snapshot;

    fn new() -> Self {
        Self { slots: TreeIndex::new(), versions: Versions::new() }
    }

    fn name() -> String {
        format!("scc tree index, {} slots", S::NAME)
    }

    fn snapshot(&self) -> Snapshot {
        self.versions.snapshot()
    }

    fn read<T>(&self, snapshot: &Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        self.slots.peek_with(key, |_, slot| slot.read(snapshot.version, visit))?
    }

    fn put(&self, key: Key, value: Bytes) {
        let (version, oldest) = self.versions.next();
        match self.slots.peek_with(&key, |_, slot| Arc::clone(slot)) {
            Some(slot) => slot.push(version, value, oldest),
            None => {
                assert!(self.slots.insert_sync(key, Arc::new(S::new(version, value))).is_ok(), "one writer")
            }
        }
        self.versions.publish(version);
    }

    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool {
        let snapshot = self.versions.snapshot();
        let Some(slot) = self.slots.peek_with(key, |_, slot| Arc::clone(slot)) else { return false };
        let Some(value) = slot.read(snapshot.version, change) else { return false };
        drop(snapshot);
        let (version, oldest) = self.versions.next();
        let valid = slot.newest() < version;
        slot.push(version, value, oldest);
        self.versions.publish(version);
        valid
    }

    fn scan(&self, snapshot: &Snapshot, start: &Key, limit: usize, visit: &mut dyn FnMut(&Bytes)) {
        let guard = Guard::new();
        for (_, slot) in self.slots.range::<Key, _>(start.., &guard).take(limit) {
            slot.read(snapshot.version, &mut *visit);
        }
    }
}
