//! A sharded hash table for points beside a B-tree for order; both point at the same slots.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::{Bound, Deref};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use rt::sync::{Arc, RwLock};

use super::{Slotted, Structure};
use crate::key::Key;
use crate::slot::Slot;

const SHARDS: usize = 64;

/// A sharded table for points.
pub(crate) type HashBeside<S> = Slotted<Shards<S>, S>;

/// Only a new key takes the ordered index's write lock. The table's entries are pointers and the key lies in
/// the slot, so a lookup misses the cache once for both.
pub(crate) struct Shards<S> {
    hasher: FixedState,
    shards: Vec<RwLock<HashTable<Keyed<S>>>>,
    ordered: Ordered<Keyed<S>>,
}

/// A slot that knows its key.
pub(crate) struct Keyed<S>(Arc<(Key, S)>);

impl<S> Clone for Keyed<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Deref for Keyed<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0.1
    }
}

impl<S: Slot> Shards<S> {
    fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key.as_slice())
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Keyed<S>>> {
        // The table uses the lowest and the highest seven bits itself.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }

    fn look_up<T>(&self, key: &Key, read: impl FnOnce(&Keyed<S>) -> T) -> Option<T> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        shard.find(hash, |keyed| keyed.0.0 == *key).map(read)
    }
}

impl<S: Slot> Structure<S> for Shards<S> {
    type Held = Keyed<S>;

    fn new() -> Self {
        Self {
            hasher: FixedState::default(),
            shards: (0..SHARDS).map(|_| RwLock::new("shard", HashTable::new())).collect(),
            ordered: Ordered::new(),
        }
    }

    fn name() -> String {
        "hash beside B-tree".to_owned()
    }

    fn find(&self, key: &Key) -> Option<Keyed<S>> {
        self.look_up(key, Keyed::clone)
    }

    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T> {
        self.look_up(key, |keyed| read(keyed))
    }

    fn insert(&self, key: Key, slot: S) {
        let keyed = Keyed(Arc::new((key.clone(), slot)));
        let hash = self.hash(&key);
        self.ordered.insert(key, keyed.clone());
        self.shard(hash).write().insert_unique(hash, keyed, |keyed| self.hash(&keyed.0.0));
    }

    fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&S)) {
        self.ordered.walk(start, limit, |keyed| visit(keyed));
    }
}

/// The B-tree beside a table.
pub(super) struct Ordered<T>(RwLock<BTreeMap<Key, T>>);

impl<T> Ordered<T> {
    pub(super) fn new() -> Self {
        Self(RwLock::new("ordered", BTreeMap::new()))
    }

    pub(super) fn insert(&self, key: Key, item: T) {
        self.0.write().insert(key, item);
    }

    pub(super) fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&T)) {
        let tree = self.0.read();
        let items = tree.range::<Key, _>((Bound::Included(start), Bound::Unbounded));
        items.take(limit).for_each(|(_, item)| visit(item));
    }
}
