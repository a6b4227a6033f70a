//! Finds slots by key and walks them in key order.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher};
use std::ops::{Bound, ControlFlow};

use env::UnixMillis;
use foldhash::fast::FixedState;
use rt::lockfree::{Equivalent, Table, pinned};
use rt::sync::{Arc, RwLock};

use super::slot::{Slot, SlotRead, VersionEntry};
use crate::key::Key;
use crate::range::KeyRange;
use crate::types::Version;
use crate::value::Value;

/// Keys walked under one hold of the order's lock, so that a long scan does not keep new keys out for long.
const CHUNK: usize = 256;

/// All slots.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) points: Box<[Shard]>,
    pub(super) order: RwLock<BTreeMap<Key, Arc<Slot>>>,
    /// Seeded per database, so that an attacker cannot choose keys that collide.
    pub(super) hasher: FixedState,
}

/// Finds the slots of some of the keys.
pub(super) type Shard = Table<Hashed, BuildHasherDefault<Known>>;

/// A slot, hashed by what it knows itself.
#[derive(Clone, Debug)]
pub(super) struct Hashed(pub(super) Arc<Slot>);

/// A key that is looked for, and its hash.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) hash: u64,
    pub(super) key: &'a [u8],
}

/// This very slot.
#[derive(Debug)]
pub(super) struct Same<'a>(pub(super) &'a Arc<Slot>);

/// The hash of what knows its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known(u64);

impl Hasher for Known {
    fn write(&mut self, bytes: &[u8]) {
        unreachable!("only whole hashes come, not {bytes:?}")
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl Hash for Hashed {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash());
    }
}

impl Hash for Wanted<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Same<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash());
    }
}

impl PartialEq for Hashed {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for Hashed {}

impl Equivalent<Hashed> for Wanted<'_> {
    #[inline]
    fn equivalent(&self, found: &Hashed) -> bool {
        found.0.key().is(self.key)
    }
}

impl Equivalent<Hashed> for Same<'_> {
    #[inline]
    fn equivalent(&self, found: &Hashed) -> bool {
        Arc::ptr_eq(self.0, &found.0)
    }
}

impl Index {
    /// An empty one. `shards` must be a power of two.
    pub(crate) fn new(shards: usize, seed: u64) -> Self {
        assert!(shards.is_power_of_two(), "the shard is chosen by a bit mask");
        Self {
            points: (0..shards).map(|_| Self::shard_for(0)).collect(),
            order: RwLock::new("index.order", BTreeMap::new()),
            hasher: FixedState::with_seed(seed),
        }
    }

    pub(super) fn shard_for(keys: usize) -> Shard {
        Table::new("index.points", BuildHasherDefault::default(), keys)
    }

    /// The slot of a key, if the key has ever been written and is not collected.
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Slot>> {
        self.with(key, Arc::clone)
    }

    /// Calls `read` with the slot of a key, if there is one.
    #[inline]
    pub(crate) fn with<R>(&self, key: &Key, read: impl FnOnce(&Arc<Slot>) -> R) -> Option<R> {
        let wanted = Wanted { hash: self.hash(key), key: key.as_bytes() };
        self.shard(wanted.hash).with(&wanted, |found| read(&found.0))
    }

    /// What a snapshot at `at`, begun at wall time `now`, sees of a key.
    #[inline]
    pub(crate) fn read(&self, key: &Key, at: Version, now: UnixMillis) -> SlotRead {
        self.with(key, |slot| slot.read(at, now)).unwrap_or_default()
    }

    /// Calls `see` with the version and the value that a snapshot at `at`, begun at wall time `now`, sees of
    /// a key.
    #[inline]
    pub(crate) fn see<R>(
        &self,
        key: &Key,
        at: Version,
        now: UnixMillis,
        see: impl FnOnce(Version, Option<&Value>) -> R,
    ) -> R {
        let mut see = Some(see);
        let seen = self.with(key, |slot| see.take().map(|see| slot.see(at, now, see)));
        match (seen.flatten(), see) {
            (Some(seen), _) => seen,
            (None, Some(see)) => see(Version::ZERO, None),
            (None, None) => unreachable!("what was called has returned something"),
        }
    }

    /// Adds a version to a key, which may be new. `known` is the key's slot, if the caller has it. Only the
    /// commit leader calls this. Returns the slot and how many versions it has now.
    pub(crate) fn install(
        &self,
        key: Key,
        known: Option<Arc<Slot>>,
        mut entry: VersionEntry,
    ) -> (Arc<Slot>, usize) {
        if let Some(slot) = known {
            match slot.install(entry) {
                Ok(versions) => return (slot, versions),
                Err(returned) => entry = returned,
            }
        }
        if let Some(slot) = self.get(&key) {
            match slot.install(entry) {
                Ok(versions) => return (slot, versions),
                Err(returned) => entry = returned,
            }
        }
        let hash = self.hash(&key);
        let slot = Arc::new(Slot::new(hash, key.clone(), entry));
        let is_new = self.shard(hash).insert(Hashed(Arc::clone(&slot)));
        assert!(is_new, "a dead slot leaves the index before its key gets another one");
        self.order.write().insert(key, Arc::clone(&slot));
        (slot, 1)
    }

    /// Takes a dead slot out. Only the commit leader calls this.
    pub(crate) fn remove(&self, slot: &Arc<Slot>) {
        let mut order = self.order.write();
        if order.get(slot.key()).is_some_and(|found| Arc::ptr_eq(found, slot)) {
            order.remove(slot.key());
        }
        drop(order);
        self.shard(slot.hash()).remove(&Same(slot));
    }

    /// Calls `visit` with the slots of a range in key order, or backwards, until it breaks.
    pub(crate) fn walk(
        &self,
        range: &KeyRange,
        reverse: bool,
        mut visit: impl FnMut(&Arc<Slot>) -> ControlFlow<()>,
    ) {
        let (mut first, mut last) = (None, None);
        loop {
            let start = first.as_ref().map_or(Bound::Included(range.start()), Bound::Excluded);
            let end = last.as_ref().or(range.end()).map_or(Bound::Unbounded, Bound::Excluded);
            if is_empty(start, end) {
                return;
            }
            let order = self.order.read();
            let mut slots = order.range::<Key, _>((start, end));
            let mut walked = None;
            let flow = pinned(|| {
                for _ in 0..CHUNK {
                    let Some((key, slot)) = (if reverse { slots.next_back() } else { slots.next() }) else {
                        return ControlFlow::Break(());
                    };
                    visit(slot)?;
                    walked = Some(key);
                }
                ControlFlow::Continue(())
            });
            if flow.is_break() {
                return;
            }
            let walked = walked.cloned();
            *(if reverse { &mut last } else { &mut first }) = walked;
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

    /// What the key's slot is found by; differs from database to database.
    #[inline]
    pub(crate) fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key.as_bytes())
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard {
        &self.points[Self::shard_number(hash, self.points.len())]
    }

    /// By bits that the table inside a shard, which takes the highest and the lowest, does not need.
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

fn is_empty(start: Bound<&Key>, end: Bound<&Key>) -> bool {
    match (start, end) {
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}
