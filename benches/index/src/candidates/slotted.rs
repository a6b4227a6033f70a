//! What all candidates share that keep the versions of a key in a slot: they differ in how the slot is found.

use std::marker::PhantomData;
use std::ops::Deref;

use super::Index;
use crate::key::{Bytes, Key, Version};
use crate::slot::Slot;
use crate::snapshots::{Snapshot, Stretches};
use rt::sync::Arc;

/// Finds slots by key, and walks them in key order. One thread at a time inserts.
pub(crate) trait Structure<S>: Send + Sync + 'static {
    /// Keeps a slot alive.
    type Held: Deref<Target = S>;

    /// An empty one.
    fn new() -> Self;

    /// Name in tables, without that of the slots.
    fn name() -> String;

    /// The slot of a key.
    fn find(&self, key: &Key) -> Option<Self::Held>;

    /// Calls `read` with the slot of a key.
    fn with<T>(&self, key: &Key, read: impl FnOnce(&S) -> T) -> Option<T>;

    /// Adds a key that is not there yet.
    fn insert(&self, key: Key, slot: S);

    /// Visits at most `limit` slots from `start` on, in order.
    fn walk(&self, start: &Key, limit: usize, visit: impl FnMut(&S));
}

/// An index of slots: a structure that finds them, and one counter of versions for all.
pub(crate) struct Slotted<X, S> {
    structure: X,
    versions: Arc<Stretches>,
    slots: PhantomData<fn() -> S>,
}

impl<X, S> Slotted<X, S> {
    /// The version of the next commit and the oldest version that anybody sees.
    fn next(&self) -> (Version, Version) {
        (self.versions.published() + 1, self.versions.oldest())
    }
}

impl<X: Structure<S>, S: Slot> Index for Slotted<X, S> {
    type Snapshot = Snapshot;

    fn new() -> Self {
        Self { structure: X::new(), versions: Stretches::new(), slots: PhantomData }
    }

    fn name() -> String {
        format!("{}, {} slots", X::name(), S::NAME)
    }

    fn snapshot(&self) -> Snapshot {
        self.versions.snapshot()
    }

    fn read<T>(&self, snapshot: &Snapshot, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        self.structure.with(key, |slot| slot.read(snapshot.version, visit))?
    }

    fn put(&self, key: Key, value: Bytes) {
        let (version, oldest) = self.next();
        match self.structure.find(&key) {
            Some(slot) => slot.push(version, value, oldest),
            None => self.structure.insert(key, S::new(version, value)),
        }
        self.versions.publish(version);
    }

    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool {
        let snapshot = self.versions.snapshot();
        let Some(slot) = self.structure.find(key) else { return false };
        let Some(value) = slot.read(snapshot.version, change) else { return false };
        drop(snapshot);
        let (version, oldest) = self.next();
        let valid = slot.newest() < version;
        slot.push(version, value, oldest);
        self.versions.publish(version);
        valid
    }

    fn scan(&self, snapshot: &Snapshot, start: &Key, limit: usize, visit: &mut dyn FnMut(&Bytes)) {
        self.structure.walk(start, limit, |slot| {
            slot.read(snapshot.version, &mut *visit);
        });
    }
}
