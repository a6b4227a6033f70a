//! Many readers or one writer.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::identity;
use crate::life;
use crate::op::{Op, OpKind};

/// Many readers or one writer. Not reentrant, never poisoned.
pub struct RwLock<T: ?Sized> {
    label: &'static str,
    data: parking_lot::RwLock<T>,
}

impl<T> RwLock<T> {
    /// Creates an unlocked lock; `label` names it in simulations.
    pub const fn new(label: &'static str, value: T) -> Self {
        Self { label, data: parking_lot::RwLock::new(value) }
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let op = self.op(OpKind::Read);
        let data = if life::point(op) {
            loop {
                // As in production, where a stream of readers must not keep a writer out.
                let data = if life::writer_waits(op) { None } else { self.data.try_read() };
                match data {
                    Some(data) => break data,
                    None => life::block_on_lock(op),
                }
            }
        } else {
            self.data.read()
        };
        life::acquired(op);
        RwLockReadGuard { lock: self, data: Some(data) }
    }

    /// Locks for writing.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let op = self.op(OpKind::Write);
        let data = if life::point(op) {
            loop {
                match self.data.try_write() {
                    Some(data) => break data,
                    None => life::block_on_lock(op),
                }
            }
        } else {
            self.data.write()
        };
        life::acquired(op);
        RwLockWriteGuard { lock: self, data: Some(data) }
    }

    /// Returns the value, without locking: the exclusive borrow proves that the lock is free.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    fn op(&self, kind: OpKind) -> Op {
        Op::new(kind, self.label, identity(&self.label))
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new("unnamed", T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").field("label", &self.label).field("data", &&self.data).finish()
    }
}

const HELD: &str = "a guard that is in use holds its lock";

/// Holds a [`RwLock`] for reading until it is dropped.
#[must_use = "the lock is unlocked when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// `None` only while it is dropped.
    data: Option<parking_lot::RwLockReadGuard<'a, T>>,
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.data.as_ref().expect(HELD)
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.data = None;
        life::released(self.lock.op(OpKind::Unread));
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Holds a [`RwLock`] for writing until it is dropped.
#[must_use = "the lock is unlocked when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// `None` only while it is dropped.
    data: Option<parking_lot::RwLockWriteGuard<'a, T>>,
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.data.as_ref().expect(HELD)
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.data.as_mut().expect(HELD)
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.data = None;
        life::released(self.lock.op(OpKind::Unwrite));
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
