//! What is read without locks, by threads that never write what others read: a hash table, `scc`'s, and cells
//! that point to what may be exchanged while others look at it, `sdd`'s. Both reclaim by epochs (Fraser,
//! "Practical lock-freedom", 2004, §5.2.3). In simulations each operation is one atomic step, and a
//! scheduling point.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;
use std::sync::atomic::Ordering;

pub use scc::Equivalent;
use scc::HashIndex;
use sdd::{AtomicShared, Guard, Shared, Tag};

/// Does `work` with epochs held: what it reads through cells and tables costs less than one by one. `work`
/// must be short: nothing that is taken out meanwhile, wherever, is freed.
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
    /// An empty one, with room for `capacity`; `label` names it in simulations.
    pub fn new(_label: &'static str, hasher: S, capacity: usize) -> Self {
        Self(HashIndex::with_capacity_and_hasher(capacity, hasher))
    }

    /// Calls `read` with what is there under `key`. `read` must be short: nothing that is taken
    /// out meanwhile, wherever, is freed.
    #[inline]
    pub fn with<Q, R>(&self, key: &Q, read: impl FnOnce(&T) -> R) -> Option<R>
    where
        Q: Equivalent<T> + Hash + ?Sized,
    {
        self.0.peek_with(key, |found, ()| read(found))
    }

    /// Adds what is not there yet; returns whether it was not.
    pub fn insert(&self, item: T) -> bool {
        self.0.insert_sync(item, ()).is_ok()
    }

    /// Takes out what is there under `key`; returns whether there was something.
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

/// A share in what a [`Cell`] points to, or pointed to. Never changes.
#[derive(Debug)]
pub struct Shown<T>(Shared<T>);

impl<T: 'static> Shown<T> {
    /// What a cell is to show.
    #[inline]
    pub fn new(value: T) -> Self {
        Self(Shared::new(value))
    }
}

impl<T> Clone for Shown<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Shown<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Shows one thing, or nothing, to any number of threads; one at a time exchanges it.
pub struct Cell<T>(AtomicShared<T>);

impl<T: 'static> Cell<T> {
    /// One that shows this; `label` names it in simulations.
    #[inline]
    pub fn new(_label: &'static str, value: T) -> Self {
        Self(AtomicShared::new(value))
    }

    /// Calls `read` with what it shows. `read` must be short: nothing that is taken out meanwhile, wherever,
    /// is freed.
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(Option<&T>) -> R) -> R {
        let guard = Guard::new();
        read(self.0.load(Ordering::Acquire, &guard).as_ref())
    }

    /// Shows something else from now on, and returns what it showed.
    #[inline]
    pub fn swap(&self, value: Option<Shown<T>>) -> Option<Shown<T>> {
        self.0.swap((value.map(|value| value.0), Tag::None), Ordering::AcqRel).0.map(Shown)
    }
}

impl<T> fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").finish_non_exhaustive()
    }
}
