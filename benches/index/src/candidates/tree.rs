//! B-trees under reader-writer locks: one, and sixteen that share the keys by hash.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::iter::Peekable;
use std::ops::Bound;

use foldhash::fast::FixedState;
use rt::sync::{Arc, RwLock};

use super::{Index, Versions};
use crate::key::{Bytes, Key};
use crate::slot::Slot;
use crate::snapshots::Snapshot;

const SHARDS: usize = 16;

/// One tree for points and order.
pub(crate) type OneTree<S> = Trees<S, 1>;

/// Sixteen trees; a scan merges them.
pub(crate) type ShardedTree<S> = Trees<S, SHARDS>;

/// `N` trees of slots.
pub(crate) struct Trees<S, const N: usize> {
    hasher: FixedState,
    trees: Vec<RwLock<BTreeMap<Key, Arc<S>>>>,
    versions: Versions,
}

impl<S: Slot, const N: usize> Trees<S, N> {
    fn tree(&self, key: &Key) -> &RwLock<BTreeMap<Key, Arc<S>>> {
        match N {
            1 => &self.trees[0],
            _ => &self.trees[self.hasher.hash_one(key.as_slice()) as usize % N],
        }
    }
}

impl<S: Slot, const N: usize> Index for Trees<S, N> {
    type Snapshot = Snapshot;

    fn new() -> Self {
        Self {
            hasher: FixedState::default(),
            trees: (0..N).map(|_| RwLock::new("tree", BTreeMap::new())).collect(),
            versions: Versions::new(),
        }
    }

    fn name() -> String {
        format!("{N} B-tree{}, {} slots", if N == 1 { "" } else { "s by hash" }, S::NAME)
    }

    fn snapshot(&self) -> Snapshot {
        self.versions.snapshot()
    }

    fn read<T>(&self, snapshot: &Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        self.tree(key).read().get(key)?.read(snapshot.version, visit)
    }

    fn put(&self, key: Key, value: Bytes) {
        let (version, oldest) = self.versions.next();
        let tree = self.tree(&key);
        let slot = tree.read().get(&key).map(Arc::clone);
        match slot {
            Some(slot) => slot.push(version, value, oldest),
            None => {
                tree.write().insert(key, Arc::new(S::new(version, value)));
            }
        }
        self.versions.publish(version);
    }

    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool {
        let snapshot = self.versions.snapshot();
        let Some(slot) = self.tree(key).read().get(key).map(Arc::clone) else { return false };
        let Some(value) = slot.read(snapshot.version, change) else { return false };
        drop(snapshot);
        let (version, oldest) = self.versions.next();
        let valid = slot.newest() < version;
        slot.push(version, value, oldest);
        self.versions.publish(version);
        valid
    }

    fn scan(&self, snapshot: &Snapshot, start: &Key, limit: usize, visit: &mut dyn FnMut(&Bytes)) {
        let trees: Vec<_> = self.trees.iter().map(RwLock::read).collect();
        let from = (Bound::Included(start), Bound::Unbounded);
        let mut ranges: Vec<Peekable<_>> =
            trees.iter().map(|tree| tree.range::<Key, _>(from).peekable()).collect();
        for _ in 0..limit {
            let nearest = match &mut ranges[..] {
                [only] => only.next(),
                many => {
                    let heads = many.iter_mut().enumerate();
                    let first = heads.filter_map(|(i, range)| range.peek().map(|(key, _)| (*key, i))).min();
                    first.and_then(|(_, i)| many[i].next())
                }
            };
            let Some((_, slot)) = nearest else { break };
            slot.read(snapshot.version, &mut *visit);
        }
    }
}
