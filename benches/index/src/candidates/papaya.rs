//! A lock-free hash table for points beside a B-tree for order.

use foldhash::fast::FixedState;
use papaya::HashMap;
use rt::sync::Arc;

use super::beside::Ordered;
use super::{Slotted, Structure};
use crate::key::Key;
use crate::slot::Slot;

/// `papaya` instead of the sharded table.
pub(crate) type PapayaBeside<S> = Slotted<Papaya<S>, S>;

/// The two structures.
pub(crate) struct Papaya<S> {
    points: HashMap<Key, Arc<S>, FixedState>,
    ordered: Ordered<Arc<S>>,
}

impl<S: Slot> Structure<S> for Papaya<S> {
    type Held = Arc<S>;

    fn new() -> Self {
        Self { points: HashMap::with_hasher(FixedState::default()), ordered: Ordered::new() }
    }

    fn name() -> String {
        "papaya beside B-tree".to_owned()
    }

    fn find(&self, key: &Key) -> Option<Arc<S>> {
        self.points.pin().get(key).map(Arc::clone)
    }

    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T> {
        self.points.pin().get(key).map(|slot| read(slot))
    }

    fn insert(&self, key: Key, slot: S) {
        let slot = Arc::new(slot);
        self.ordered.insert(key.clone(), Arc::clone(&slot));
        self.points.pin().insert(key, slot);
    }

    fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&S)) {
        self.ordered.walk(start, limit, |slot| visit(slot));
    }
}
