//! Keys that expire, and the wall time by which they do.
//!
//! Whether a transaction sees a key that expires is decided by its own start time (V7): an expired value
//! reads as absent, at the version that it has. Sweeping (`database`) makes it a tombstone later. A
//! transaction that read it before, and commits after its time, is in conflict as if it had been deleted.
//!
//! Wall clocks jump: [`WallTime`] says by which time keys expire. What was swept stays deleted.

mod wall_time;

use std::collections::{BTreeMap, BTreeSet};

use env::UnixMillis;
use rt::sync::Mutex;
use rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::key::Key;
use crate::range::KeyRange;
pub(crate) use wall_time::WallTime;

/// The expiry times of keys.
#[derive(Debug)]
pub(crate) struct ExpiryTable {
    in_use: AtomicBool,
    swept: AtomicU64,
    schedule: Mutex<Schedule>,
}

/// When keys expire: of each the time of its newest version, however often that was refreshed.
#[derive(Debug, Default)]
struct Schedule {
    by_time: BTreeSet<(UnixMillis, Key)>,
    by_key: BTreeMap<Key, UnixMillis>,
}

impl Schedule {
    fn set(&mut self, key: &Key, at: UnixMillis) {
        match self.by_key.get_mut(key) {
            Some(known) if *known == at => return,
            Some(known) => {
                let before = std::mem::replace(known, at);
                self.by_time.remove(&(before, key.clone()));
            }
            None => {
                self.by_key.insert(key.clone(), at);
            }
        }
        self.by_time.insert((at, key.clone()));
    }

    fn remove(&mut self, key: &Key) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }
}

impl ExpiryTable {
    pub(crate) fn new() -> Self {
        Self {
            in_use: AtomicBool::new("expiry.in_use", false),
            swept: AtomicU64::new("metrics.expired", 0),
            schedule: Mutex::new("expiry.due", Schedule::default()),
        }
    }

    /// Returns whether any key has ever been written with an expiry.
    #[inline]
    pub(crate) fn in_use(&self) -> bool {
        self.in_use.load(Ordering::SeqCst)
    }

    /// Notes when the newest version of a key expires, if it does: one that is about to become visible, was
    /// recovered, or is the newest again after a roll-back.
    #[inline]
    pub(crate) fn set(&self, key: &Key, expires: Option<UnixMillis>) {
        match expires {
            Some(at) => {
                self.schedule.lock().set(key, at);
                self.in_use.store(true, Ordering::SeqCst);
            }
            // Deleted, or written for good: the time of an earlier version has nothing to sweep any more.
            None if self.in_use() => self.schedule.lock().remove(key),
            None => {}
        }
    }

    /// Returns the keys that have expired by `now`, with the time when they did: the first `limit`.
    pub(crate) fn due(&self, now: UnixMillis, limit: usize) -> Vec<(UnixMillis, Key)> {
        let schedule = self.schedule.lock();
        schedule.by_time.iter().take_while(|(at, _)| *at <= now).take(limit).cloned().collect()
    }

    /// Returns which of these keys, and of the keys in these ranges, expired after `since` and by `now`, each
    /// with its time. Those that were swept are not among them.
    pub(crate) fn expired<'k>(
        &self,
        [since, now]: [UnixMillis; 2],
        keys: impl Iterator<Item = &'k Key>,
        ranges: &[KeyRange],
    ) -> BTreeSet<(UnixMillis, Key)> {
        let schedule = self.schedule.lock();
        let first = (UnixMillis(since.0.saturating_add(1)), Key::from_encoded(&[]));
        let due = || schedule.by_time.range(first.clone()..).take_while(|(at, _)| *at <= now);
        // Most often there is none, however many keys were read.
        if due().next().is_none() {
            return BTreeSet::new();
        }
        let of_key = |key: &Key| schedule.by_key.get(key).map(|at| (*at, key.clone()));
        let in_time = |(at, _): &(UnixMillis, Key)| since < *at && *at <= now;
        let mut found: BTreeSet<_> = keys.filter_map(of_key).filter(in_time).collect();
        if !ranges.is_empty() {
            let in_range = |(_, key): &&(UnixMillis, Key)| ranges.iter().any(|range| range.contains(key));
            found.extend(due().filter(in_range).cloned());
        }
        found
    }

    /// Forgets keys that were swept, `deleted` of which had to be; but none that was given another time
    /// meanwhile.
    pub(crate) fn forget(&self, swept: &[(UnixMillis, Key)], deleted: u64) {
        let mut schedule = self.schedule.lock();
        for (at, key) in swept {
            if schedule.by_key.get(key) == Some(at) {
                schedule.remove(key);
            }
        }
        drop(schedule);
        self.swept.fetch_add(deleted, Ordering::Relaxed);
    }

    /// Returns how many keys expired and were swept.
    pub(crate) fn swept(&self) -> u64 {
        self.swept.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::database::Database;

    #[test]
    fn a_ttl_that_is_refreshed_often_takes_one_entry_and_none_once_its_key_is_deleted() {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        let entries = || {
            let schedule = db.store().expiry.schedule.lock();
            (schedule.by_time.len(), schedule.by_key.len())
        };
        let day = Duration::from_secs(24 * 3600);
        for number in 0..300_u32 {
            let ttl = day + Duration::from_secs(number.into());
            db.put_with_ttl(run, format!("key {}", number % 3), 1_i64, ttl).unwrap();
        }
        assert_eq!(entries(), (3, 3));
        db.delete(run, "key 0").unwrap();
        db.put(run, "key 1", 2_i64).unwrap();
        assert_eq!(entries(), (1, 1));
    }
}
