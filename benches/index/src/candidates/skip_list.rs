//! A lock-free skip list of slots.

use crossbeam_skiplist::SkipMap;
use rt::sync::Arc;

use super::{Slotted, Structure};
use crate::key::Key;
use crate::slot::Slot;

/// One structure for points and order.
pub(crate) type SkipList<S> = Slotted<SkipMap<Key, Arc<S>>, S>;

impl<S: Slot> Structure<S> for SkipMap<Key, Arc<S>> {
    type Held = Arc<S>;

    fn new() -> Self {
        Self::new()
    }

    fn name() -> String {
        "crossbeam skip list".to_owned()
    }

    fn find(&self, key: &Key) -> Option<Arc<S>> {
        self.get(key).map(|entry| Arc::clone(entry.value()))
    }

    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T> {
        self.get(key).map(|entry| read(entry.value()))
    }

    fn insert(&self, key: Key, slot: S) {
        self.insert(key, Arc::new(slot));
    }

    fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&S)) {
        for entry in self.range::<Key, _>(start..).take(limit) {
            visit(entry.value());
        }
    }
}
