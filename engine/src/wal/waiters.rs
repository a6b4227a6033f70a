//! The queue of threads and tasks that wait for a version to become durable. Threads sleep on a condition
//! variable of their own, so that a sync wakes only those it satisfied and one more, which leads the next
//! sync.

use std::collections::BTreeMap;
use std::task::Waker;

use rt::sync::{Arc, Condvar};

use super::mutants;
use crate::types::Version;

/// A thread or a task that waits.
#[derive(Debug)]
pub(crate) enum Waiter {
    Thread(Arc<Condvar>),
    Task(Waker),
}

impl Waiter {
    pub(crate) fn wake(self) {
        match self {
            Self::Thread(condvar) => condvar.notify_one(),
            Self::Task(waker) => waker.wake(),
        }
    }
}

/// The waiting threads and tasks, by version.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next_id: u64,
    by_version: BTreeMap<(Version, u64), Waiter>,
}

impl Waiters {
    /// Returns how many wait.
    pub(crate) fn len(&self) -> usize {
        self.by_version.len()
    }

    /// Adds a waiter; returns the key that removes it.
    pub(crate) fn add(&mut self, version: Version, waiter: Waiter) -> (Version, u64) {
        let key = (version, self.next_id);
        self.next_id += 1;
        self.by_version.insert(key, waiter);
        key
    }

    pub(crate) fn remove(&mut self, key: (Version, u64)) {
        self.by_version.remove(&key);
    }

    /// Replaces the waker of a waiting task; returns whether the task still waits.
    pub(crate) fn replace(&mut self, key: (Version, u64), waker: &Waker) -> bool {
        match self.by_version.get_mut(&key) {
            Some(Waiter::Task(known)) => {
                known.clone_from(waker);
                true
            }
            _ => false,
        }
    }

    /// Removes and returns the waiters that `durable` satisfies, in commit order.
    pub(crate) fn satisfied(&mut self, durable: Version) -> Vec<Waiter> {
        if self.by_version.first_key_value().is_none_or(|((version, _), _)| *version > durable) {
            return Vec::new();
        }
        let rest = self.by_version.split_off(&(durable.next(), 0));
        let woken = std::mem::replace(&mut self.by_version, rest);
        mutants::keep_woken_tasks(&woken, &mut self.by_version);
        woken.into_values().collect()
    }

    /// Removes and returns the first waiting thread: it leads the next sync.
    pub(crate) fn next_leader(&mut self) -> Option<Waiter> {
        let key = *self.by_version.iter().find(|(_, waiter)| matches!(waiter, Waiter::Thread(_)))?.0;
        self.by_version.remove(&key)
    }

    /// Removes and returns all waiters.
    pub(crate) fn all(&mut self) -> Vec<Waiter> {
        std::mem::take(&mut self.by_version).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use rt::sync::{Arc, Condvar};

    use super::{Waiter, Waiters};
    use crate::types::Version;

    #[test]
    fn only_the_satisfied_and_one_leader_are_woken() {
        let mut waiters = Waiters::default();
        for version in [5, 3, 9, 7, 3] {
            waiters.add(Version::new(version), Waiter::Thread(Arc::new(Condvar::new("test"))));
        }
        assert_eq!(waiters.satisfied(Version::new(2)).len(), 0);
        assert_eq!(waiters.satisfied(Version::new(5)).len(), 3);
        assert!(waiters.next_leader().is_some());
        assert_eq!(waiters.all().len(), 1);
        assert_eq!(waiters.all().len(), 0);
    }
}
