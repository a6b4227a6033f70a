//! What is read without locks in production: a hash table, and cells that point to what may be exchanged
//! while others look at it. Here each operation is one atomic step, and a scheduling point; nothing is held
//! while a reader looks.
#![expect(clippy::disallowed_types, reason = "no task switches while it is locked")]

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;
use std::sync::Arc;

pub use hashbrown::Equivalent;
use hashbrown::HashSet;

use crate::life;
use crate::op::{Op, OpKind};
use crate::sync::identity;

/// Does `work`; in production, with epochs held.
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
    /// An empty one, with room for `capacity`; `label` names it in simulations.
    pub fn new(label: &'static str, hasher: S, capacity: usize) -> Self {
        Self { label, items: parking_lot::Mutex::new(HashSet::with_capacity_and_hasher(capacity, hasher)) }
    }

    /// Calls `read` with what is there under `key`.
    pub fn with<Q, R>(&self, key: &Q, read: impl FnOnce(&T) -> R) -> Option<R>
    where
        Q: Equivalent<T> + Hash + ?Sized,
    {
        self.point(OpKind::Load);
        let found = self.items.lock().get(key).cloned();
        found.as_ref().map(read)
    }

    /// Adds what is not there yet; returns whether it was not.
    pub fn insert(&self, item: T) -> bool {
        self.point(OpKind::Update);
        self.items.lock().insert(item)
    }

    /// Takes out what is there under `key`; returns whether there was something.
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

/// A share in what a [`Cell`] points to, or pointed to. Never changes.
#[derive(Debug)]
pub struct Shown<T>(Arc<T>);

impl<T: 'static> Shown<T> {
    /// What a cell is to show.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Clone for Shown<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shown<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Shows one thing, or nothing, to any number of threads; one at a time exchanges it.
pub struct Cell<T> {
    label: &'static str,
    shown: parking_lot::Mutex<Option<Shown<T>>>,
}

impl<T: 'static> Cell<T> {
    /// One that shows this; `label` names it in simulations.
    pub fn new(label: &'static str, value: T) -> Self {
        Self { label, shown: parking_lot::Mutex::new(Some(Shown::new(value))) }
    }

    /// Calls `read` with what it shows.
    pub fn with<R>(&self, read: impl FnOnce(Option<&T>) -> R) -> R {
        self.point(OpKind::Load);
        let shown = self.shown.lock().clone();
        read(shown.as_deref())
    }

    /// Shows something else from now on, and returns what it showed.
    pub fn swap(&self, value: Option<Shown<T>>) -> Option<Shown<T>> {
        self.point(OpKind::Update);
        std::mem::replace(&mut *self.shown.lock(), value)
    }

    fn point(&self, kind: OpKind) {
        life::point(Op::new(kind, self.label, identity(&self.label)));
    }
}

impl<T> fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("label", &self.label).finish_non_exhaustive()
    }
}
