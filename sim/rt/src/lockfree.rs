//! Structures that are read without locks in production: a hash table, references to values that may be
//! replaced while others read them, and values that are written once. Here each operation is one atomic
//! step, and a scheduling point (except those of [`WriteOnce`]); nothing is held while a reader reads.
#![expect(clippy::disallowed_types, reason = "no task switches while it is locked")]

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwapOption, Guard};
pub use hashbrown::Equivalent;
use hashbrown::HashSet;

use crate::life;
use crate::op::{Op, OpKind};
use crate::sync::identity;

/// Calls `work`; in production, with the epoch pinned.
pub fn pinned<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// A hash table. Any number of threads read; one at a time writes what has the same key.
pub struct Table<T, S: BuildHasher> {
    label: &'static str,
    items: parking_lot::Mutex<HashSet<T, S>>,
}

impl<T, S> Table<T, S>
where
    T: Clone + Eq + Hash + 'static,
    S: BuildHasher,
{
    /// Creates an empty table with room for `capacity` items; `label` names it in simulations.
    pub fn new(label: &'static str, hasher: S, capacity: usize) -> Self {
        Self { label, items: parking_lot::Mutex::new(HashSet::with_capacity_and_hasher(capacity, hasher)) }
    }

    /// Calls `read` with the item under `key`, if there is one.
    pub fn with<Q, R>(&self, key: &Q, read: impl FnOnce(&T) -> R) -> Option<R>
    where
        Q: Equivalent<T> + Hash + ?Sized,
    {
        self.point(OpKind::Load);
        let found = self.items.lock().get(key).cloned();
        found.as_ref().map(read)
    }

    /// Adds an item unless an equal one is present; returns whether it was added.
    pub fn insert(&self, item: T) -> bool {
        self.point(OpKind::Update);
        self.items.lock().insert(item)
    }

    /// Removes the item under `key`; returns whether there was one.
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        Q: Equivalent<T> + Hash + ?Sized,
    {
        self.point(OpKind::Update);
        let removed = self.items.lock().take(key);
        removed.is_some()
    }

    fn point(&self, kind: OpKind) {
        life::point(Op::new(kind, self.label, identity(&self.label)));
    }
}

impl<T, S: BuildHasher> fmt::Debug for Table<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("label", &self.label).finish_non_exhaustive()
    }
}

/// A reference to a value that an [`AtomicRef`] refers to, or referred to: counted, and free to keep. The
/// value never changes.
#[derive(Debug)]
pub struct Published<T>(Arc<T>);

impl<T: 'static> Published<T> {
    /// Creates a value to be published through an [`AtomicRef`].
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Published<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// In production, protects what was loaded from being freed.
#[derive(Debug)]
pub struct Pin(());

/// In production, protects what is loaded from now on.
pub fn pin() -> Pin {
    Pin(())
}

/// In production, begins new epochs. Here a value lives as long as any task has it.
pub fn begin_epochs() -> bool {
    true
}

/// A value loaded from an [`AtomicRef`], for as long as the [`Pin`] exists.
#[derive(Debug)]
pub struct Loaded<'pin, T>(Guard<Option<Arc<T>>>, PhantomData<&'pin T>);

impl<T> Loaded<'_, T> {
    /// Returns whether both are one and the same value, and not only equal ones.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.value(), other.value())
    }

    /// Returns a reference that is free to keep; in production `None` if the value has been replaced since it
    /// was loaded.
    pub fn keep(&self) -> Option<Published<T>> {
        Some(Published(Arc::clone(self.value())))
    }

    #[inline]
    fn value(&self) -> &Arc<T> {
        self.0.as_ref().expect("what was loaded is a value")
    }
}

impl<T> Deref for Loaded<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value()
    }
}

/// Refers to a value, or to none. Any number of threads load it; one at a time replaces it.
pub struct AtomicRef<T> {
    label: &'static str,
    value: ArcSwapOption<T>,
}

impl<T: 'static> AtomicRef<T> {
    /// Creates one that refers to `value`; `label` names it in simulations.
    pub fn new(label: &'static str, value: T) -> Self {
        Self { label, value: ArcSwapOption::from_pointee(value) }
    }

    /// Creates one that refers to nothing; `label` names it in simulations.
    pub fn empty(label: &'static str) -> Self {
        Self { label, value: ArcSwapOption::empty() }
    }

    /// Calls `read` with the value.
    pub fn with<R>(&self, read: impl FnOnce(Option<&T>) -> R) -> R {
        self.point(OpKind::Load);
        read(self.value.load().as_deref())
    }

    /// Loads the value.
    pub fn load<'pin>(&self, _pin: &'pin Pin) -> Option<Loaded<'pin, T>> {
        self.point(OpKind::Load);
        let value = self.value.load();
        value.is_some().then(|| Loaded(value, PhantomData))
    }

    /// Replaces the value, and returns the one before.
    pub fn swap(&self, value: Option<Published<T>>) -> Option<Published<T>> {
        self.point(OpKind::Update);
        self.value.swap(value.map(|value| value.0)).map(Published)
    }

    fn point(&self, kind: OpKind) {
        life::point(Op::new(kind, self.label, identity(&self.label)));
    }
}

impl<T> fmt::Debug for AtomicRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicRef").field("label", &self.label).finish_non_exhaustive()
    }
}

/// A value that is written at most once. Any number of threads read; the first to write wins. Its operations
/// are no scheduling points: the one that publishes it is.
#[derive(Debug)]
pub struct WriteOnce<T>(OnceLock<T>);

impl<T> WriteOnce<T> {
    /// Creates one without a value.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns the value, once it is there.
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// Writes the value.
    ///
    /// # Errors
    /// The value itself, when there is one already.
    pub fn set(&self, value: T) -> Result<(), T> {
        self.0.set(value)
    }
}

impl<T> Default for WriteOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs several accesses of `object` that together read one state of it, as one step: a scheduling point,
/// and none inside.
pub fn read_step<O: ?Sized, R>(label: &'static str, object: &O, accesses: impl FnOnce() -> R) -> R {
    life::point(Op::new(OpKind::Load, label, identity(object)));
    life::without_points(accesses)
}

/// Runs several accesses of `object` that together change its state at one moment, as one step: a
/// scheduling point, and none inside.
pub fn write_step<O: ?Sized, R>(label: &'static str, object: &O, accesses: impl FnOnce() -> R) -> R {
    life::point(Op::new(OpKind::Update, label, identity(object)));
    life::without_points(accesses)
}

/// Runs accesses of what does not change any more, without a scheduling point.
pub fn settled<R>(accesses: impl FnOnce() -> R) -> R {
    life::without_points(accesses)
}
