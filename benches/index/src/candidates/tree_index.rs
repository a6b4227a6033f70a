//! `scc`'s B+ tree with optimistic readers.

use rt::sync::Arc;
use scc::{Guard, TreeIndex};

use super::{Slotted, Structure};
use crate::key::Key;
use crate::slot::Slot;

/// One structure for points and order; readers take no lock.
pub(crate) type EpochTree<S> = Slotted<TreeIndex<Key, Arc<S>>, S>;

impl<S: Slot> Structure<S> for TreeIndex<Key, Arc<S>> {
    type Held = Arc<S>;

    fn new() -> Self {
        Self::new()
    }

    fn name() -> String {
        "scc tree index".to_owned()
    }

    fn find(&self, key: &Key) -> Option<Arc<S>> {
        self.peek_with(key, |_, slot| Arc::clone(slot))
    }

    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T> {
        self.peek_with(key, |_, slot| read(slot))
    }

    fn insert(&self, key: Key, slot: S) {
        assert!(self.insert_sync(key, Arc::new(slot)).is_ok(), "there is one writer");
    }

    fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&S)) {
        let guard = Guard::new();
        for (_, slot) in self.range::<Key, _>(start.., &guard).take(limit) {
            visit(slot);
        }
    }
}
