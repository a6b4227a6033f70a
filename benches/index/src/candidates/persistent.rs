//! A persistent tree behind an atomic pointer: a snapshot is the root.

use arc_swap::ArcSwap;
use imbl::OrdMap;
use rt::sync::Arc;

use super::Index;
use crate::key::{Bytes, Key, Version};

/// Root and version are published together; old versions live as long as somebody holds their root.
pub(crate) struct Persistent(ArcSwap<Root>);

/// One state of the whole database.
pub(crate) struct Root {
    version: Version,
    map: OrdMap<Key, (Version, Bytes)>,
}

impl Persistent {
    fn install(&self, root: &Root, key: Key, value: Bytes) {
        let version = root.version + 1;
        let mut map = root.map.clone();
        map.insert(key, (version, value));
        self.0.store(Arc::new(Root { version, map }));
    }
}

impl Index for Persistent {
    type Snapshot = Arc<Root>;

    fn new() -> Self {
        Self(ArcSwap::from_pointee(Root { version: 0, map: OrdMap::new() }))
    }

    fn name() -> String {
        "imbl behind arc-swap".to_owned()
    }

    fn snapshot(&self) -> Arc<Root> {
        self.0.load_full()
    }

    fn read<T>(&self, snapshot: &Arc<Root>, key: &Key, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        snapshot.map.get(key).map(|(_, value)| visit(value))
    }

    fn put(&self, key: Key, value: Bytes) {
        self.install(&self.0.load(), key, value);
    }

    fn read_modify_write(&self, key: &Key, change: impl FnOnce(&Bytes) -> Bytes) -> bool {
        let snapshot = self.0.load();
        let Some((read, value)) = snapshot.map.get(key).map(|(version, value)| (*version, change(value)))
        else {
            return false;
        };
        let newest = self.0.load();
        let valid = newest.map.get(key).is_some_and(|(version, _)| *version == read);
        self.install(&newest, key.clone(), value);
        valid
    }

    fn scan(&self, snapshot: &Arc<Root>, start: &Key, limit: usize, visit: &mut dyn FnMut(&Bytes)) {
        for (_, (_, value)) in snapshot.map.range(start.clone()..).take(limit) {
            visit(value);
        }
    }
}
