//! An adaptive radix tree over the last eight key bytes: the crate takes no longer keys, so this is a limit
//! and not a choice.

use congee::U64Congee;
use rt::sync::{Arc, RwLock};

use super::{Slotted, Structure};
use crate::key::{Key, suffix};
use crate::slot::Slot;

const BATCH: usize = 128;

/// The tree holds positions in a growing list of slots.
pub(crate) type CongeeSlab<S> = Slotted<Slab<S>, S>;

/// Tree and list.
pub(crate) struct Slab<S> {
    positions: U64Congee<usize>,
    slots: RwLock<Vec<Arc<S>>>,
}

impl<S: Slot> Structure<S> for Slab<S> {
    type Held = Arc<S>;

    fn new() -> Self {
        Self { positions: U64Congee::new(), slots: RwLock::new("slots", Vec::new()) }
    }

    fn name() -> String {
        "congee (8-byte keys)".to_owned()
    }

    fn find(&self, key: &Key) -> Option<Arc<S>> {
        let position = self.positions.get(suffix(key), &congee::epoch::pin())?;
        Some(Arc::clone(&self.slots.read()[position]))
    }

    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T> {
        let position = self.positions.get(suffix(key), &congee::epoch::pin())?;
        Some(read(&self.slots.read()[position]))
    }

    fn insert(&self, key: Key, slot: S) {
        let mut slots = self.slots.write();
        slots.push(Arc::new(slot));
        let inserted = self.positions.insert(suffix(&key), slots.len() - 1, &congee::epoch::pin());
        assert!(inserted.is_ok(), "memory for the radix tree");
    }

    fn walk(&self, start: &Key, limit: usize, mut visit: impl FnMut(&S)) {
        let guard = congee::epoch::pin();
        let slots = self.slots.read();
        let mut batch = [([0; 8], 0); BATCH];
        let mut start = suffix(start);
        let mut left = limit;
        while left > 0 {
            let wanted = left.min(BATCH);
            let found = self.positions.range(start, u64::MAX, &mut batch[..wanted], &guard);
            for (_, position) in &batch[..found] {
                visit(&slots[*position]);
            }
            if found < wanted {
                break;
            }
            left -= found;
            start = u64::from_be_bytes(batch[found - 1].0) + 1;
        }
    }
}
