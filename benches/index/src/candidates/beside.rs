//! A sharded hash table for points beside a B-tree for order; both point at the same slots.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Bound;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use rt::sync::{Arc, RwLock};

use super::{Index, Versions};
use crate::key::{Bytes, Key};
use crate::slot::Slot;
use crate::snapshots::Snapshot;

const SHARDS: usize = 64;

/// Only a new key takes the ordered index's write lock. The table's entries are pointers and the key lies in the
/// slot, so a lookup misses the cache once for both.
pub(crate) struct HashBeside<S> {
    hasher: FixedState,
    shards: Vec<RwLock<HashTable<Arc<Keyed<S>>>>>,
    ordered: RwLock<BTreeMap<Key, Arc<Keyed<S>>>>,
    versions: Versions,
}

struct Keyed<S> {
    key: Key,
    slot: S,
}

impl<S: Slot> HashBeside<S> {
    fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key.as_slice())
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Arc<Keyed<S>>>> {
        // The table uses the lowest and the highest seven bits itself.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }

    fn with_slot<T>(&self, key: &Key, read: impl FnOnce(&Arc<Keyed<S>>) -> T) -> Option<T> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        shard.find(hash, |keyed| keyed.key == *key).map(read)
    }
}

impl<S: Slot> Index for HashBeside<S> {
    type Snapshot = Snapshot;

    fn new() -> Self {
        Self {
            hasher: FixedState::default(),
            shards: (0..SHARDS).map(|_| RwLock::new("shard", HashTable::new())).collect(),
            ordered: RwLock::new("ordered", BTreeMap::new()),
            versions: Versions::new(),
        }
    }

    fn name() -> String {
        format!("hash beside B-tree, {} slots", S::NAME)
    }

    fn snapshot(&self) -> Snapshot {
        self.versions.snapshot()
    }

    fn read<T>(&self, snapshot: &Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        self.with_slot(key, |keyed| keyed.slot.read(snapshot.version, visit))?
    }

    fn put(&self, key: Key, value: Bytes) {
        let (version, oldest) = self.versions.next();
        if let Some(keyed) = self.with_slot(&key, Arc::clone) {
            keyed.slot.push(version, value, oldest);
        } else {
            let keyed = Arc::new(Keyed { key: key.clone(), slot: S::new(version, value) });
            let hash = self.hash(&key);
            self.ordered.write().insert(key, Arc::clone(&keyed));
            let hasher = &self.hasher;
            self.shard(hash)
                .write()
                .insert_unique(hash, keyed, |keyed| hasher.hash_one(keyed.key.as_slice()));
        }
        self.versions.publish(version);
    }

    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool {
        let snapshot = self.versions.snapshot();
        let Some(keyed) = self.with_slot(key, Arc::clone) else { return false };
        let slot = &keyed.slot;
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
        for (_, keyed) in slots.take(limit) {
            keyed.slot.read(snapshot.version, &mut *visit);
        }
    }
}
