//! B-trees under reader-writer locks: one, and sixteen that share the keys by hash.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::iter::Peekable;
use std::ops::Bound;

use foldhash::fast::FixedState;
use rt::sync::{Arc, RwLock};

use super::{Slotted, Structure};
use crate::key::Key;
use crate::slot::Slot;

const SHARDS: usize = 16;

/// One tree for points and order.
pub(crate) type OneTree<S> = Slotted<Trees<S, 1>, S>;

/// Sixteen trees; a scan merges them.
pub(crate) type ShardedTree<S> = Slotted<Trees<S, SHARDS>, S>;

/// `N` trees of slots.
pub(crate) struct Trees<S, const N: usize> {
    hasher: FixedState,
    trees: Vec<RwLock<BTreeMap<Key, Arc<S>>>>,
}

impl<S: Slot, const N: usize> Trees<S, N> {
    fn tree(&self, key: &Key) -> &RwLock<BTreeMap<Key, Arc<S>>> {
        match N {
            1 => &self.trees[0],
            _ => &self.trees[self.hasher.hash_one(key.as_slice()) as usize % N],
        }
    }
}

impl<S: Slot, const N: usize> Structure<S> for Trees<S, N> {
    type Held = Arc<S>;

    fn new() -> Self {
        Self {
            hasher: FixedState::default(),
            trees: (0..N).map(|_| RwLock::new("tree", BTreeMap::new())).collect(),
        }
    }

    fn name() -> String {
        format!("{N} B-tree{}", if N == 1 { "" } else { "s by hash" })
    }

    fn find(&self, key: &Key) -> Option<Arc<S>> {
        self.tree(key).read().get(key).map(Arc::clone)
    }

    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T> {
        self.tree(key).read().get(key).map(|slot| read(slot))
    }

    fn insert(&self, key: Key, slot: S) {
        self.tree(&key).write().insert(key, Arc::new(slot));
    }

    fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&S)) {
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
            visit(slot);
        }
    }
}
