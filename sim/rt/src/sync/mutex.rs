//! Mutual exclusion.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::identity;
use crate::life;
use crate::op::{Op, OpKind};

/// Mutual exclusion. Not fair, not reentrant, never poisoned.
pub struct Mutex<T: ?Sized> {
    label: &'static str,
    data: parking_lot::Mutex<T>,
}

impl<T> Mutex<T> {
    /// Creates an unlocked mutex; `label` names it in simulations.
    pub const fn new(label: &'static str, value: T) -> Self {
        Self { label, data: parking_lot::Mutex::new(value) }
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, waiting for as long as it takes.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let op = self.op(OpKind::Lock);
        let data = if life::point(op) { self.acquire(op) } else { self.data.lock() };
        MutexGuard { mutex: self, data: Some(data) }
    }

    /// Locks a mutex that others hold for a microsecond or so: in production, spins before it sleeps.
    pub fn lock_soon(&self) -> MutexGuard<'_, T> {
        self.lock()
    }

    /// Locks if the lock is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let op = self.op(OpKind::TryLock);
        life::point(op);
        let data = self.data.try_lock()?;
        life::acquired(op);
        Some(MutexGuard { mutex: self, data: Some(data) })
    }

    /// Returns the value, without locking: the exclusive borrow proves that the lock is free.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    fn op(&self, kind: OpKind) -> Op {
        Op::new(kind, self.label, identity(&self.label))
    }

    /// Locks inside of a life, without a scheduling point unless it has to wait.
    fn acquire(&self, op: Op) -> parking_lot::MutexGuard<'_, T> {
        loop {
            if let Some(data) = self.data.try_lock() {
                life::acquired(op);
                return data;
            }
            life::block_on_lock(op);
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new("unnamed", T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").field("label", &self.label).field("data", &&self.data).finish()
    }
}

/// Holds a [`Mutex`] until it is dropped.
#[must_use = "the mutex is unlocked when its guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// `None` only while a condition variable waits, and while it is dropped.
    data: Option<parking_lot::MutexGuard<'a, T>>,
}

const HELD: &str = "a guard that is in use holds its lock";

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Unlocks without a scheduling point.
    pub(super) fn release(&mut self) {
        self.data = None;
        life::released(self.mutex.op(OpKind::Unlock));
    }

    /// Locks again after [`Self::release`].
    pub(super) fn reacquire(&mut self) {
        self.data = Some(self.mutex.acquire(self.mutex.op(OpKind::Lock)));
    }

    /// Returns the production lock's guard, for use outside of a life.
    pub(super) fn production(&mut self) -> &mut parking_lot::MutexGuard<'a, T> {
        self.data.as_mut().expect(HELD)
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.data.as_ref().expect(HELD)
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.data.as_mut().expect(HELD)
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.data.is_some() {
            self.data = None;
            life::released(self.mutex.op(OpKind::Unlock));
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
