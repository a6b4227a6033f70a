//! Finds slots by key and walks them in key order.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::ops::{Bound, ControlFlow};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use rt::sync::{Arc, RwLock};

use super::slot::{Slot, VersionEntry};
use crate::key::Key;
use crate::range::KeyRange;
use crate::types::Version;

/// Keys walked under one hold of the order's lock, so that a long scan does not keep new keys out for long.
const CHUNK: usize = 256;

/// All slots.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) points: Box<[Shard]>,
    pub(super) order: RwLock<BTreeMap<Key, Arc<Slot>>>,
    /// Seeded per database, so that nobody can choose keys that collide.
    pub(super) hasher: FixedState,
}

#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Shard(pub(super) RwLock<HashTable<Arc<Slot>>>);

impl Index {
    /// An empty one. `shards` must be a power of two.
    pub(crate) fn new(shards: usize, seed: u64) -> Self {
        assert!(shards.is_power_of_two(), "the shard is chosen by a bit mask");
        Self {
            points: (0..shards).map(|_| Shard(RwLock::new("index.points", HashTable::new()))).collect(),
            order: RwLock::new("index.order", BTreeMap::new()),
            hasher: FixedState::with_seed(seed),
        }
    }

    /// The slot of a key, if the key has ever been written and is not collected.
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Slot>> {
        self.with(key, Arc::clone)
    }

    /// Calls `read` with the slot of a key, if there is one.
    #[inline]
    pub(crate) fn with<R>(&self, key: &Key, read: impl FnOnce(&Arc<Slot>) -> R) -> Option<R> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        shard.find(hash, |slot| slot.key() == key).map(read)
    }

    /// Adds a version to a key, which may be new. `known` is the key's slot, if the caller has it. Only the commit
    /// leader calls this. Returns the slot and how many versions it has now.
    pub(crate) fn install(
        &self,
        key: &Key,
        known: Option<Arc<Slot>>,
        mut entry: VersionEntry,
    ) -> (Arc<Slot>, usize) {
        for slot in [known, self.get(key)].into_iter().flatten() {
            match slot.install(entry) {
                Ok(versions) => return (slot, versions),
                Err(returned) => entry = returned,
            }
        }
        let slot = Arc::new(Slot::new(key.clone(), entry));
        let hash = self.hash(key);
        self.shard(hash).write().insert_unique(hash, Arc::clone(&slot), |slot| self.hash(slot.key()));
        self.order.write().insert(key.clone(), Arc::clone(&slot));
        (slot, 1)
    }

    /// Takes a dead slot out. Only the commit leader calls this.
    pub(crate) fn remove(&self, slot: &Arc<Slot>) {
        let hash = self.hash(slot.key());
        let mut order = self.order.write();
        if order.get(slot.key()).is_some_and(|found| Arc::ptr_eq(found, slot)) {
            order.remove(slot.key());
        }
        drop(order);
        if let Ok(found) = self.shard(hash).write().find_entry(hash, |found| Arc::ptr_eq(found, slot)) {
            found.remove();
        }
    }

    /// Calls `visit` with the slots of a range in key order, or backwards, until it breaks.
    pub(crate) fn walk(
        &self,
        range: &KeyRange,
        reverse: bool,
        mut visit: impl FnMut(&Arc<Slot>) -> ControlFlow<()>,
    ) {
        let mut start = Bound::Included(range.start().clone());
        let mut end = range.end().map_or(Bound::Unbounded, |end| Bound::Excluded(end.clone()));
        loop {
            if is_empty(&start, &end) {
                return;
            }
            let order = self.order.read();
            let mut slots = order.range((start.clone(), end.clone()));
            let mut last = None;
            for _ in 0..CHUNK {
                let Some((key, slot)) = (if reverse { slots.next_back() } else { slots.next() }) else {
                    return;
                };
                if visit(slot).is_break() {
                    return;
                }
                last = Some(key);
            }
            let Some(last) = last else { return };
            *(if reverse { &mut end } else { &mut start }) = Bound::Excluded(last.clone());
        }
    }

    /// The newest version of a key, published or not; zero if it has none.
    pub(crate) fn newest(&self, key: &Key) -> Version {
        self.with(key, |slot| slot.newest()).flatten().unwrap_or(Version::ZERO)
    }

    /// How many keys have a slot, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.order.read().len()
    }

    /// The first slots of a range in key order, at most `limit`.
    pub(crate) fn slots(&self, range: &KeyRange, limit: usize) -> Vec<Arc<Slot>> {
        self.order.read().range(bounds(range)).take(limit).map(|(_, slot)| Arc::clone(slot)).collect()
    }

    #[inline]
    fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key.as_bytes())
    }

    #[inline]
    fn shard(&self, hash: u64) -> &RwLock<HashTable<Arc<Slot>>> {
        &self.points[Self::shard_number(hash, self.points.len())].0
    }

    /// By bits that the table inside a shard does not use for its buckets or tags.
    #[inline]
    pub(super) fn shard_number(hash: u64, shards: usize) -> usize {
        (hash >> 40) as usize & (shards - 1)
    }
}

fn bounds(range: &KeyRange) -> (Bound<Key>, Bound<Key>) {
    let end = match range.end() {
        Some(end) if end <= range.start() => {
            return (Bound::Excluded(range.start().clone()), Bound::Included(range.start().clone()));
        }
        Some(end) => Bound::Excluded(end.clone()),
        None => Bound::Unbounded,
    };
    (Bound::Included(range.start().clone()), end)
}

fn is_empty(start: &Bound<Key>, end: &Bound<Key>) -> bool {
    match (start, end) {
        (Bound::Included(start), Bound::Excluded(end)) => start >= end,
        (Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}
