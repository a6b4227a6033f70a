//! A hash table that is read without locks, `scc::HashIndex`, for points beside a B-tree for order.

use foldhash::fast::FixedState;
use rt::sync::Arc;
use scc::HashIndex;

use super::beside::Ordered;
use super::{Slotted, Structure};
use crate::key::Key;
use crate::slot::Slot;

/// `scc::HashIndex` instead of the sharded table.
pub(crate) type HashIndexBeside<S> = Slotted<Epochal<S>, S>;

/// The two structures.
pub(crate) struct Epochal<S: 'static> {
    points: HashIndex<Key, Arc<S>, FixedState>,
    ordered: Ordered<Arc<S>>,
}

impl<S: Slot> Structure<S> for Epochal<S> {
    type Held = Arc<S>;

    fn new() -> Self {
        Self { points: HashIndex::with_hasher(FixedState::default()), ordered: Ordered::new() }
    }

    fn name() -> String {
        "HashIndex beside B-tree".to_owned()
    }

    fn find(&self, key: &Key) -> Option<Arc<S>> {
        self.points.peek_with(key, |_, slot| Arc::clone(slot))
    }

    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T> {
        self.points.peek_with(key, |_, slot| read(slot))
    }

    fn insert(&self, key: Key, slot: S) {
        let slot = Arc::new(slot);
        self.ordered.insert(key.clone(), Arc::clone(&slot));
        assert!(self.points.insert_sync(key, slot).is_ok(), "there is one writer");
    }

    fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&S)) {
        self.ordered.walk(start, limit, |slot| visit(slot));
    }
}
