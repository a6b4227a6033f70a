//! Structures that are read without locks, by threads that write nothing that others read: a hash table
//! (`scc`'s), references to values that may be replaced while others read them (`sdd`'s), and values that
//! are written once. The first two reclaim by epochs (Fraser, "Practical lock-freedom", 2004, §5.2.3). In
//! simulations each operation is one atomic step, and a scheduling point, except those of [`WriteOnce`].
#![expect(clippy::disallowed_types, reason = "a write-once value never blocks: it is only tried")]

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

pub use scc::Equivalent;
use scc::HashIndex;
use sdd::{AtomicShared, Guard, Ptr, Shared, Tag};

/// Calls `work` with the epoch pinned, so that its reads through references and tables need not pin it one by
/// one. `work` must be short: until it ends, nothing that any thread removes is freed.
#[inline]
pub fn pinned<R>(work: impl FnOnce() -> R) -> R {
    let _guard = Guard::new();
    work()
}

/// A hash table. Any number of threads read; one at a time writes what has the same key.
pub struct Table<T, S: BuildHasher>(HashIndex<T, (), S>);

impl<T, S> Table<T, S>
where
    T: Clone + Eq + Hash + 'static,
    S: BuildHasher,
{
    /// Creates an empty table with room for `capacity` items; `label` names it in simulations.
    pub fn new(_label: &'static str, hasher: S, capacity: usize) -> Self {
        Self(HashIndex::with_capacity_and_hasher(capacity, hasher))
    }

    /// Calls `read` with the item under `key`, if there is one. `read` must be short: until it ends, nothing
    /// that any thread removes is freed.
    #[inline]
    pub fn with<Q, R>(&self, key: &Q, read: impl FnOnce(&T) -> R) -> Option<R>
    where
        Q: Equivalent<T> + Hash + ?Sized,
    {
        self.0.peek_with(key, |found, ()| read(found))
    }

    /// Adds an item unless an equal one is present; returns whether it was added.
    pub fn insert(&self, item: T) -> bool {
        self.0.insert_sync(item, ()).is_ok()
    }

    /// Removes the item under `key`; returns whether there was one.
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        Q: Equivalent<T> + Hash + ?Sized,
    {
        self.0.remove_sync(key)
    }
}

impl<T, S: BuildHasher> fmt::Debug for Table<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// A reference to a value that an [`AtomicRef`] refers to, or referred to: counted, and free to keep. The
/// value never changes.
#[derive(Debug)]
pub struct Published<T>(Shared<T>);

impl<T: 'static> Published<T> {
    /// Creates a value to be published through an [`AtomicRef`].
    #[inline]
    pub fn new(value: T) -> Self {
        Self(Shared::new(value))
    }
}

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Published<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Protects what was loaded from being freed. Short-lived: as long as it exists, nothing that any thread
/// replaces is freed.
#[derive(Debug)]
pub struct Pin(Guard);

/// Pins the epoch: protects what is loaded from now on.
#[inline]
pub fn pin() -> Pin {
    Pin(Guard::new())
}

/// Begins new epochs, as far as readers let it: some threads may still have what was replaced before the last
/// of them began. Returns whether no thread has anything any more that was replaced before this call. What
/// this thread dropped before is freed then.
///
/// The caller must have no [`Pin`].
pub fn begin_epochs() -> bool {
    // What was dropped in one epoch is freed three later (`sdd`), at the pin after.
    for _ in 0..4 {
        let before = {
            let guard = Guard::new();
            guard.accelerate();
            guard.epoch()
        };
        if Guard::new().epoch() == before {
            return false;
        }
    }
    true
}

/// A value loaded from an [`AtomicRef`], for as long as the [`Pin`] exists.
#[derive(Debug)]
pub struct Loaded<'pin, T> {
    value: &'pin T,
    pointer: Ptr<'pin, T>,
}

impl<T> Loaded<'_, T> {
    /// Returns whether both are one and the same value, and not only equal ones.
    #[inline]
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.value, other.value)
    }

    /// Returns a reference that is free to keep; `None` if the value has been replaced since it was loaded.
    #[inline]
    pub fn keep(&self) -> Option<Published<T>> {
        self.pointer.get_shared().map(Published)
    }
}

impl<T> Deref for Loaded<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value
    }
}

/// Refers to a value, or to none. Any number of threads load it; one at a time replaces it.
pub struct AtomicRef<T>(AtomicShared<T>);

impl<T: 'static> AtomicRef<T> {
    /// Creates one that refers to `value`; `label` names it in simulations.
    #[inline]
    pub fn new(_label: &'static str, value: T) -> Self {
        Self(AtomicShared::new(value))
    }

    /// Creates one that refers to nothing; `label` names it in simulations.
    #[inline]
    pub fn empty(_label: &'static str) -> Self {
        Self(AtomicShared::null())
    }

    /// Calls `read` with the value. `read` must be short: until it ends, nothing that any thread replaces is
    /// freed.
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(Option<&T>) -> R) -> R {
        let guard = Guard::new();
        read(self.0.load(Ordering::Acquire, &guard).as_ref())
    }

    /// Loads the value.
    #[inline]
    pub fn load<'pin>(&self, pin: &'pin Pin) -> Option<Loaded<'pin, T>> {
        let pointer = self.0.load(Ordering::Acquire, &pin.0);
        pointer.as_ref().map(|value| Loaded { value, pointer })
    }

    /// Replaces the value, and returns the one before.
    #[inline]
    pub fn swap(&self, value: Option<Published<T>>) -> Option<Published<T>> {
        self.0.swap((value.map(|value| value.0), Tag::None), Ordering::AcqRel).0.map(Published)
    }
}

impl<T> fmt::Debug for AtomicRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicRef").finish_non_exhaustive()
    }
}

/// A value that is written at most once. Any number of threads read; the first to write wins.
#[derive(Debug)]
pub struct WriteOnce<T>(OnceLock<T>);

impl<T> WriteOnce<T> {
    /// Creates one without a value.
    #[inline]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns the value, once it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// Writes the value.
    ///
    /// # Errors
    /// The value itself, when there is one already.
    #[inline]
    pub fn set(&self, value: T) -> Result<(), T> {
        self.0.set(value)
    }
}

impl<T> Default for WriteOnce<T> {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

/// Runs several accesses of `object` that together read one state of it: in simulations they are one step.
///
/// Only for accesses that are proven to behave as one step under any interleaving: simulations do not look
/// inside.
#[inline]
pub fn read_step<O: ?Sized, R>(_label: &'static str, _object: &O, accesses: impl FnOnce() -> R) -> R {
    accesses()
}

/// Runs several accesses of `object` that together change its state at one moment: in simulations they are
/// one step. As [`read_step`].
#[inline]
pub fn write_step<O: ?Sized, R>(_label: &'static str, _object: &O, accesses: impl FnOnce() -> R) -> R {
    accesses()
}

/// Runs accesses of what does not change any more: in simulations they are no scheduling points.
#[inline]
pub fn settled<R>(accesses: impl FnOnce() -> R) -> R {
    accesses()
}
