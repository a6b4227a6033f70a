//! Re-entrant calls: what this thread is in the middle of when a closure of the application, which reads a
//! value in place or runs as a transaction, calls the database again.
//!
//! A write from within the first would wait for itself: the closure holds what the write needs. A write from
//! within the second is fine, but for what the transaction itself has read or writes: then each attempt loses
//! to its own closure. Simulated threads share one real one, so there nothing is noted.

use std::cell::{Cell, RefCell};

use smallvec::SmallVec;

use crate::conflict::ConflictInfo;
use crate::error::{Error, Result};
use crate::types::Version;

/// Most closures commit nothing but themselves.
type Commits = SmallVec<[Version; 1]>;

thread_local! {
    /// Closures that read a value in place.
    static READING_IN_PLACE: Cell<u32> = const { Cell::new(0) };
    /// For each closure that runs as a transaction, the versions that this thread has committed meanwhile.
    static COMMITTED: RefCell<Vec<Commits>> = const { RefCell::new(Vec::new()) };
}

/// Runs `read`, a closure of the application, on a value in place.
#[inline]
pub(crate) fn reading_in_place<R>(read: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            READING_IN_PLACE.with(|reading_in_place| reading_in_place.set(reading_in_place.get() - 1));
        }
    }
    if rt::probe::is_simulated() {
        return read();
    }
    READING_IN_PLACE.with(|reading_in_place| reading_in_place.set(reading_in_place.get() + 1));
    // On a panic, too.
    let _leave = Leave;
    read()
}

/// Checks that this thread may commit.
///
/// # Errors
/// [`Error::Invalid`] from within [`reading_in_place`].
#[inline]
pub(crate) fn check_may_commit() -> Result<()> {
    if !rt::probe::is_simulated() && READING_IN_PLACE.with(Cell::get) > 0 {
        return Err(Error::Invalid(
            "a write from within `get_with` would wait for itself: return from the closure, then write"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Notes a commit of this thread.
#[inline]
pub(crate) fn committed(version: Version) {
    if !rt::probe::is_simulated() {
        COMMITTED.with_borrow_mut(|closures| closures.iter_mut().for_each(|commits| commits.push(version)));
    }
}

/// A closure that runs as a transaction, again after each conflict.
#[derive(Debug)]
pub(crate) struct RunningClosure {
    /// Attempts that lost to the closure itself, one after another.
    lost_to_itself: u32,
}

impl RunningClosure {
    pub(crate) fn begin() -> Self {
        COMMITTED.with_borrow_mut(|closures| closures.push(Commits::new()));
        Self { lost_to_itself: 0 }
    }

    /// Checks after a conflict that running the closure again can help.
    ///
    /// # Errors
    /// [`Error::Invalid`] when several attempts in a row lost to a commit that the closure itself made.
    pub(crate) fn check_conflict(&mut self, conflicts: &[ConflictInfo]) -> Result<()> {
        /// One may be chance, as when the closure does it the first time only.
        const ATTEMPTS: u32 = 3;
        let commits = COMMITTED.with_borrow_mut(|closures| closures.last_mut().map(std::mem::take));
        let commits = commits.unwrap_or_default();
        let own = conflicts.iter().find(|conflict| commits.contains(&conflict.current()));
        self.lost_to_itself = if own.is_some() { self.lost_to_itself + 1 } else { 0 };
        match own {
            Some(conflict) if self.lost_to_itself >= ATTEMPTS => Err(Error::Invalid(format!(
                "the closure commits {} by another transaction, and so always conflicts with itself: write it with \
                 the transaction that the closure is given",
                conflict.key()
            ))),
            _ => Ok(()),
        }
    }
}

impl Drop for RunningClosure {
    fn drop(&mut self) {
        COMMITTED.with_borrow_mut(|closures| drop(closures.pop()));
    }
}
