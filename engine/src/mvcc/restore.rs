//! Fills an empty index in parts, which threads may own: recovery, before anybody reads.
//!
//! A part has some of the shards. Keys are put into its hash tables as they come, and into order at the end,
//! sorted once; the ordered parts are then merged. In the end the index is the same, whatever the number of
//! parts.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use rt::sync::Arc;

use super::index::{Hashed, Index, Same, Shard, Wanted};
use super::slot::{Slot, VersionEntry};
use crate::key::Key;
use crate::types::Version;

/// Some of the shards of an index.
#[derive(Debug)]
pub(crate) struct IndexPart {
    shards: Vec<Shard>,
    first_shard: usize,
    /// Of the whole index.
    shards_total: usize,
    /// In the order in which their keys came first.
    slots: Slots,
    /// Whether a delete, or a value that expires, was among what came.
    deletes: bool,
    expires: bool,
}

/// Tells to which part a key belongs.
#[derive(Clone, Debug)]
pub(crate) struct PartHash {
    hasher: FixedState,
    shards: usize,
    parts: usize,
}

/// Slots behind their keys: short keys are compared without a look at the slot.
type Slots = Vec<(Key, Arc<Slot>)>;

/// A part that is full: its shards and its slots in order.
#[derive(Debug)]
pub(crate) struct FullPart {
    first_shard: usize,
    shards: Vec<Shard>,
    slots: Slots,
    /// What the tables beside the index have to know: newest versions of the database's own keys, and of
    /// those that expire.
    pub(crate) noteworthy: Vec<(Key, VersionEntry)>,
}

impl Index {
    /// Takes the empty index apart; [`join`](Self::join) must follow. At most one part per shard.
    pub(crate) fn split(&mut self, parts: usize) -> (PartHash, Vec<IndexPart>) {
        let shards = self.points.len();
        let hash = PartHash { hasher: self.hasher.clone(), shards, parts: parts.clamp(1, shards) };
        let mut split: Vec<IndexPart> = Vec::with_capacity(hash.parts);
        for (number, shard) in std::mem::take(&mut self.points).into_iter().enumerate() {
            if split.len() <= hash.part_of_shard(number) {
                split.push(IndexPart {
                    shards: Vec::new(),
                    first_shard: number,
                    shards_total: shards,
                    slots: Vec::new(),
                    deletes: false,
                    expires: false,
                });
            }
            split.last_mut().expect("one was pushed for the first shard").shards.push(shard);
        }
        (hash, split)
    }

    /// Puts the parts together again.
    pub(crate) fn join(&mut self, mut parts: Vec<FullPart>) {
        parts.sort_by_key(|part| part.first_shard);
        let mut slots: Slots = Vec::new();
        let mut points = Vec::new();
        for mut part in parts {
            points.append(&mut part.shards);
            slots = if slots.is_empty() { part.slots } else { merge(slots, part.slots) };
        }
        self.points = points.into();
        // From a sorted sequence the standard library builds the tree in linear time.
        *self.order.get_mut() = slots.into_iter().collect();
    }
}

impl PartHash {
    /// The hash of a key, and the part that it belongs to.
    #[inline]
    pub(crate) fn of(&self, key: &[u8]) -> (u64, usize) {
        let hash = self.hasher.hash_one(key);
        (hash, self.part_of_shard(Index::shard_number(hash, self.shards)))
    }

    fn part_of_shard(&self, shard: usize) -> usize {
        shard * self.parts / self.shards
    }
}

impl IndexPart {
    /// Expects this number of keys more, all of them new.
    pub(crate) fn reserve(&mut self, keys: usize) {
        if self.slots.is_empty() {
            self.slots.reserve(keys);
            let each = keys / self.shards.len();
            // A few more, as the keys are not spread evenly.
            self.shards.fill_with(|| Index::shard_for(each + each / 8));
        }
    }

    /// Makes `entry` the only version of its key, unless the key has a newer one. `hash` is what
    /// [`PartHash::of`] says.
    #[inline]
    pub(crate) fn restore(&mut self, hash: u64, key: &[u8], entry: VersionEntry) {
        self.deletes |= entry.value.is_none();
        self.expires |= entry.expires.at().is_some();
        let shard = &self.shards[Index::shard_number(hash, self.shards_total) - self.first_shard];
        let mut entry = Some(entry);
        shard.with(&Wanted { hash, key }, |found| {
            entry.take().into_iter().for_each(|entry| found.0.replace(entry))
        });
        let Some(entry) = entry else { return };
        let key = Key::from_encoded(key);
        let slot = Arc::new(Slot::new(hash, key.clone(), entry));
        self.slots.push((key, Arc::clone(&slot)));
        shard.insert(Hashed(slot));
    }

    /// Puts the keys in order, and drops those that are deleted, which no snapshot will see.
    pub(crate) fn finish(mut self) -> FullPart {
        let mut slots = std::mem::take(&mut self.slots);
        if self.deletes {
            slots.retain(|(_, slot)| {
                let deleted = slot.entry(Version::MAX).is_none_or(|entry| entry.value.is_none());
                if deleted {
                    self.remove(slot);
                }
                !deleted
            });
        }
        // Runs that are in order already, as those from a checkpoint, are kept.
        slots.sort_by(|a, b| a.0.cmp(&b.0));
        let noteworthy = (slots.iter())
            .filter(|(key, _)| self.expires || key.is_system())
            .filter_map(|(key, slot)| Some((key.clone(), slot.entry(Version::MAX)?)))
            .filter(|(key, entry)| entry.expires.at().is_some() || key.is_system())
            .collect();
        FullPart { first_shard: self.first_shard, shards: self.shards, slots, noteworthy }
    }

    fn remove(&self, slot: &Arc<Slot>) {
        let shard = Index::shard_number(slot.hash(), self.shards_total) - self.first_shard;
        self.shards[shard].remove(&Same(slot));
    }
}

fn merge(left: Slots, right: Slots) -> Slots {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if a.0 <= b.0 { left.next() } else { right.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}
