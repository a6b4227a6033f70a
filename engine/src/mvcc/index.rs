//! Reads versions by key, without locks.

use rt::lockfree::{Pin, pin};
use rt::sync::RwLock;
use rt::sync::atomic::{AtomicU64, Ordering};
use smallvec::SmallVec;

use super::directory::{Directory, FoundLeaf, Sought};
use super::journal::JOURNAL_MAX;
use super::packing::PackingQueue;
use super::page::{ENTRIES_MAX, EntryRef};
use super::scanned::Scanned;
use super::writer::Writer;
use crate::key::Key;
use crate::types::Version;

/// All versions of all keys. Read by any number of threads; changed by one at a time, who has the [`Writer`].
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) directory: Directory,
    /// Held while a tombstone is read, and while one is dropped that a snapshot of now would see.
    pub(super) tombstones: RwLock<()>,
    pub(super) keys: AtomicU64,
    pub(super) scanned: Scanned,
    pub(crate) packing: PackingQueue,
    pub(super) sizes: Sizes,
}

/// How large leaves become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Most entries of a page.
    pub(crate) page: usize,
    /// Most records of a journal.
    pub(crate) journal: usize,
}

impl Sizes {
    pub(crate) const DEFAULT: Self = Self { page: ENTRIES_MAX, journal: JOURNAL_MAX };
}

/// Where a key was found: where to look first the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    leaf: u32,
    shape: u32,
}

impl Hint {
    /// Nowhere.
    pub(crate) const NONE: Self = Self::new(u32::MAX, 0);

    /// In a leaf that was found after the directory had had this [shape](Directory::shape).
    pub(super) const fn new(leaf: u32, shape: u32) -> Self {
        Self { leaf, shape }
    }
}

/// Keys whose leaves are looked at together.
const PREFETCH_MAX: usize = 64;

impl Index {
    /// Creates an empty one, and the right to change it.
    pub(crate) fn new(sizes: Sizes) -> (Self, Writer) {
        let (directory, numbers) = Directory::new();
        let index = Self {
            directory,
            tombstones: RwLock::new("index.tombstones", ()),
            keys: AtomicU64::new("index.keys", 0),
            scanned: Scanned::new(),
            packing: PackingQueue::new(),
            sizes,
        };
        (index, Writer::new(numbers))
    }

    /// Calls `read` with what a registered snapshot sees of a key: a tombstone too, unless it is forgotten.
    #[inline]
    pub(crate) fn read_with<R>(
        &self,
        key: &[u8],
        at: Version,
        read: impl FnOnce(Option<EntryRef<'_>>, Hint) -> R,
    ) -> R {
        {
            let pin = pin();
            let shape = self.directory.shape();
            let found = self.directory.find(Sought::Key(key), &pin);
            let entry = found.leaf.version_at(key, at).entry;
            if entry.is_none_or(|entry| entry.value().is_some()) {
                return read(entry, Hint::new(found.number, shape));
            }
        }
        self.read_tombstone_with(key, at, read)
    }

    /// Brings what reads of these keys will look at into the cache, so that the waits for memory overlap: a
    /// processor overlaps what is independent, and near enough in the program.
    pub(crate) fn prefetch(&self, keys: &[Key]) {
        // There, it would be steps that change nothing.
        if keys.len() < 2 || rt::probe::is_simulated() {
            return;
        }
        for keys in keys.chunks(PREFETCH_MAX) {
            let pin = pin();
            let find = |key: &Key| self.directory.find(Sought::Key(key.as_bytes()), &pin).leaf;
            let leaves: SmallVec<[_; PREFETCH_MAX]> = keys.iter().map(find).collect();
            let touched = leaves.iter().fold(0, |touched, leaf| touched ^ leaf.touch());
            let entries = keys.iter().zip(&leaves).map(|(key, leaf)| leaf.touch_entry(key.as_bytes()));
            std::hint::black_box(entries.fold(touched, |touched, entry| touched ^ entry));
        }
    }

    /// Reads while no tombstone is dropped: a tombstone that a reader has seen once, it sees again.
    #[cold]
    fn read_tombstone_with<R>(
        &self,
        key: &[u8],
        at: Version,
        read: impl FnOnce(Option<EntryRef<'_>>, Hint) -> R,
    ) -> R {
        let _none_is_dropped = (!rt::mutant!(TombstoneReadFreely)).then(|| self.tombstones.read());
        let pin = pin();
        let shape = self.directory.shape();
        let found = self.directory.find(Sought::Key(key), &pin);
        read(found.leaf.version_at(key, at).entry, Hint::new(found.number, shape))
    }

    /// Calls `read` with what a snapshot would see of a key, and whether that is certain though none is
    /// registered: otherwise, something may have been collected. A reader without a snapshot can't tell a
    /// tombstone from nothing.
    #[inline]
    pub(crate) fn read_unregistered_with<R>(
        &self,
        key: &[u8],
        at: Version,
        read: impl FnOnce(Option<EntryRef<'_>>, bool) -> R,
    ) -> R {
        let pin = pin();
        let found = self.directory.find(Sought::Key(key), &pin);
        let version = found.leaf.version_at(key, at);
        read(version.entry, version.entry.is_some() && !version.has_newer)
    }

    /// Returns the newest version of a key if it is above `start`, published or not. For the writer.
    #[inline]
    pub(crate) fn newer_than(&self, key: &[u8], hint: Hint, start: Version) -> Option<Version> {
        let pin = pin();
        let found = self.find_hinted(hint, key, &pin);
        if found.leaf.newest() <= start {
            return None;
        }
        Some(found.leaf.newest_of(key)).filter(|newest| *newest > start)
    }

    /// Returns whether a key has a version above `start`, published or not.
    pub(crate) fn has_newer(&self, key: &Key, start: Version) -> bool {
        self.newer_than(key.as_bytes(), Hint::NONE, start).is_some()
    }

    /// Returns the leaf of a key. For the writer: no other thread changes the directory meanwhile.
    #[inline]
    pub(super) fn find_hinted<'pin>(&self, hint: Hint, key: &[u8], pin: &'pin Pin) -> FoundLeaf<'pin> {
        if hint != Hint::NONE
            && let Some(leaf) = self.directory.leaf(hint.leaf, pin)
        {
            let is_certain = hint.shape == self.directory.shape() || rt::mutant!(HintTrusted);
            debug_assert!(
                hint.shape != self.directory.shape() || leaf.fence.contains(key),
                "no leaf got or lost keys since this one was found"
            );
            if is_certain || leaf.fence.contains(key) {
                return FoundLeaf { number: hint.leaf, leaf };
            }
        }
        self.directory.find(Sought::Key(key), pin)
    }

    /// Returns how many keys there are, deleted ones included that some snapshot may still see.
    pub(crate) fn len(&self) -> usize {
        self.keys.load(Ordering::Relaxed) as usize
    }
}
