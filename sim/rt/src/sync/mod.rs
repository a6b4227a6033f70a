//! Locks, condition variables and atomics. Each operation is a scheduling point.
//!
//! The data lie in the production runtime's locks, which inside of a life are only ever *tried*: a task that
//! does not get one blocks in the life. Outside of a life they are used as they are.
#![expect(clippy::disallowed_types, reason = "this is the door through which locks and atomics come in")]

pub use std::sync::Arc;

pub mod atomic;
mod condvar;
mod mutex;
mod rwlock;

pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Returns what identifies an object for as long as it is borrowed.
pub(crate) fn identity<T: ?Sized>(object: &T) -> usize {
    std::ptr::from_ref(object).cast::<()>() as usize
}
