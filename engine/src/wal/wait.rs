//! Waiting: for a version to become durable, and for the time of a checkpoint.

use rt::sync::{Arc, Condvar};
use rt::time::Instant;

use super::core::LogCore;
use super::waiters::Waiter;
use crate::error::Result;
use crate::types::{Lsn, Version};

impl LogCore {
    /// Waits until `version` is durable, or until `deadline`; returns whether it is. A waiter that finds no
    /// flush under way flushes, which saves the hand-off to another thread.
    ///
    /// # Errors
    /// [`crate::Error::Poisoned`], [`crate::Error::Closed`], [`crate::Error::Invalid`] for a version that no
    /// commit has; the error of a write that failed.
    pub(super) fn wait_durable(&self, version: Version, deadline: Option<Instant>) -> Result<bool> {
        if self.durable_version() >= version {
            return Ok(true);
        }
        let mut condvar = None;
        loop {
            let mut state = self.state.lock();
            if state.durability_of(version)? {
                return Ok(true);
            }
            if deadline.is_some_and(|deadline| deadline <= rt::time::now()) {
                return Ok(false);
            }
            if !self.options.durability.is_strict() && !state.leading {
                // Claimed under the lock: two waiters that both found no leader would queue for the disk one
                // after the other, and the second would find nothing to do.
                state.leading = true;
                drop(state);
                self.flush_once()?;
                continue;
            }
            let condvar = condvar.get_or_insert_with(|| Arc::new(Condvar::new("wal.ticket")));
            // Added before the lock is released, or a flush that ends in between wakes everyone but this
            // thread.
            let key = state.waiters.add(version, Waiter::Thread(Arc::clone(condvar)));
            match deadline {
                Some(deadline) => {
                    condvar.wait_until(&mut state, deadline);
                }
                None => condvar.wait(&mut state),
            }
            state.waiters.remove(key);
        }
    }

    /// Waits until it is time for a checkpoint, but at least until `not_before`; returns false when the log
    /// takes no more writes.
    pub(super) fn wait_for_checkpoint(&self, not_before: Instant) -> bool {
        let deadline =
            self.options.checkpoint_interval.map(|interval| rt::time::now().saturating_add(interval));
        let mut state = self.state.lock();
        loop {
            if state.closing || state.poison.is_some() {
                return false;
            }
            let covered = state.checkpoint_lsn.get();
            let uncovered = state.durable_lsn.get().saturating_sub(covered);
            let many = state.has_many_segments(&self.options);
            let due = if uncovered >= self.options.checkpoint_log_bytes || many {
                Some(not_before)
            } else if uncovered > 0 {
                deadline.map(|deadline| deadline.max(not_before))
            } else {
                None
            };
            if due.is_some_and(|due| due <= rt::time::now()) {
                return true;
            }
            let step =
                if due.is_none() && deadline.is_some() { 1 } else { self.options.checkpoint_log_bytes };
            state.checkpointer_wakes_at = Lsn::new(covered.saturating_add(step));
            match due {
                Some(due) => {
                    self.checkpoint_work.wait_until(&mut state, due);
                }
                None => self.checkpoint_work.wait(&mut state),
            }
        }
    }
}
