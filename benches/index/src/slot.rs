//! Three ways to keep the versions of one key.

use std::sync::atomic::Ordering;

use arc_swap::{ArcSwap, ArcSwapOption};

use rt::sync::{Arc, RwLock};
use sdd::{AtomicShared, Guard, Shared, Tag};
use smallvec::SmallVec;

use crate::key::{Bytes, Version};

/// The versions of one key. One committer writes, any number of threads read.
pub(crate) trait Slot: Send + Sync + 'static {
    /// Name in tables.
    const NAME: &'static str;

    /// Makes a slot with its first version.
    fn new(version: Version, value: Bytes) -> Self;

    /// Calls `visit` with the newest value at or below `at`.
    fn read<T>(&self, at: Version, visit: impl FnOnce(&Bytes) -> T) -> Option<T>;

    /// The newest version.
    fn newest(&self) -> Version;

    /// Installs a version and forgets what no snapshot at or above `oldest` sees.
    fn push(&self, version: Version, value: Bytes, oldest: Version);
}

/// A reader-writer lock around an inline vector, newest last.
pub(crate) struct Locked<const INLINE: usize>(RwLock<SmallVec<[(Version, Bytes); INLINE]>>);

impl<const INLINE: usize> Slot for Locked<INLINE> {
    const NAME: &'static str = if INLINE == 1 { "locked, 1 inline" } else { "locked" };

    fn new(version: Version, value: Bytes) -> Self {
        let mut versions = SmallVec::new();
        versions.push((version, value));
        Self(RwLock::new("slot", versions))
    }

    fn read<T>(&self, at: Version, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        let versions = self.0.read();
        versions.iter().rev().find(|(version, _)| *version <= at).map(|(_, value)| visit(value))
    }

    fn newest(&self) -> Version {
        self.0.read().last().map_or(0, |(version, _)| *version)
    }

    fn push(&self, version: Version, value: Bytes, oldest: Version) {
        let mut versions = self.0.write();
        let kept_from = versions.iter().rposition(|(version, _)| *version <= oldest).unwrap_or(0);
        versions.drain(..kept_from);
        versions.push((version, value));
    }
}

/// A list of nodes behind `ArcSwap`, newest first.
pub(crate) struct Swapped(ArcSwap<SwappedNode>);

struct SwappedNode {
    version: Version,
    value: Bytes,
    older: ArcSwapOption<SwappedNode>,
}

impl Slot for Swapped {
    const NAME: &'static str = "arc-swap";

    fn new(version: Version, value: Bytes) -> Self {
        Self(ArcSwap::from_pointee(SwappedNode { version, value, older: ArcSwapOption::empty() }))
    }

    fn read<T>(&self, at: Version, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        let head = self.0.load();
        if head.version <= at {
            return Some(visit(&head.value));
        }
        let mut next = head.older.load_full();
        while let Some(node) = next {
            if node.version <= at {
                return Some(visit(&node.value));
            }
            next = node.older.load_full();
        }
        None
    }

    fn newest(&self) -> Version {
        self.0.load().version
    }

    fn push(&self, version: Version, value: Bytes, oldest: Version) {
        let head = self.0.load_full();
        let mut last = Arc::clone(&head);
        while last.version > oldest {
            let Some(older) = last.older.load_full() else { break };
            last = older;
        }
        last.older.store(None);
        self.0.store(Arc::new(SwappedNode { version, value, older: ArcSwapOption::new(Some(head)) }));
    }
}

/// A list of nodes reclaimed by epochs, newest first.
pub(crate) struct Epochs(AtomicShared<EpochNode>);

struct EpochNode {
    version: Version,
    value: Bytes,
    older: AtomicShared<EpochNode>,
}

impl Slot for Epochs {
    const NAME: &'static str = "epochs";

    fn new(version: Version, value: Bytes) -> Self {
        Self(AtomicShared::new(EpochNode { version, value, older: AtomicShared::null() }))
    }

    fn read<T>(&self, at: Version, visit: impl FnOnce(&Bytes) -> T) -> Option<T> {
        let guard = Guard::new();
        let mut next = self.0.load(Ordering::Acquire, &guard);
        while let Some(node) = next.as_ref() {
            if node.version <= at {
                return Some(visit(&node.value));
            }
            next = node.older.load(Ordering::Acquire, &guard);
        }
        None
    }

    fn newest(&self) -> Version {
        self.0.load(Ordering::Acquire, &Guard::new()).as_ref().map_or(0, |node| node.version)
    }

    fn push(&self, version: Version, value: Bytes, oldest: Version) {
        let guard = Guard::new();
        let mut last = self.0.load(Ordering::Acquire, &guard);
        while let Some(node) = last.as_ref() {
            if node.version <= oldest {
                node.older.swap((None, Tag::None), Ordering::AcqRel);
                break;
            }
            last = node.older.load(Ordering::Acquire, &guard);
        }
        let older = self.0.clone(Ordering::Acquire, &guard);
        let node = Shared::new(EpochNode { version, value, older });
        self.0.swap((Some(node), Tag::None), Ordering::AcqRel);
    }
}
