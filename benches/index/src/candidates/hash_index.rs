//! A hash table that is read without locks, `scc::HashIndex`, for points beside a B-tree for order.

use std::collections::BTreeMap;
use std::ops::Bound;

use foldhash::fast::FixedState;
use rt::sync::{Arc, RwLock};
use scc::HashIndex;

use super::{Index, Versions};
use crate::key::{Bytes, Key};
use crate::slot::Slot;
use crate::snapshots::Snapshot;

/// `scc::HashIndex` instead of the sharded table.
pub(crate) struct HashIndexBeside<S> {
    points: HashIndex<Key, Arc<S>, FixedState>,
    ordered: RwLock<BTreeMap<Key, Arc<S>>>,
    versions: Versions,
}

impl<S: Slot> HashIndexBeside<S> {
    fn slot(&self, key: &Key) -> Option<Arc<S>> {
        self.points.peek_with(key, |_, slot| Arc::clone(slot))
    }
}

impl<S: Slot> Index for HashIndexBeside<S> {
    type Snapshot = Snapshot;

    fn new() -> Self {
        Self {
            points: HashIndex::with_hasher(FixedState::default()),
            ordered: RwLock::new("ordered", BTreeMap::new()),
            versions: Versions::new(),
        }
    }

    fn name() -> String {
        format!("HashIndex beside B-tree, {} slots", S::NAME)
    }

    fn snapshot(&self) -> Snapshot {
        self.versions.snapshot()
    }

    fn read<T>(&self, snapshot: &Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        self.points.peek_with(key, |_, slot| slot.read(snapshot.version, visit))?
    }

    fn put(&self, key: Key, value: Bytes) {
        let (version, oldest) = self.versions.next();
        if let Some(slot) = self.slot(&key) {
            slot.push(version, value, oldest);
        } else {
            let slot = Arc::new(S::new(version, value));
            self.ordered.write().insert(key.clone(), Arc::clone(&slot));
            assert!(self.points.insert_sync(key, slot).is_ok(), "there is one writer");
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
        let tree = self.ordered.read();
        let slots = tree.range::<Key, _>((Bound::Included(start), Bound::Unbounded));
        for (_, slot) in slots.take(limit) {
            slot.read(snapshot.version, &mut *visit);
        }
    }
}
