//! Keys that expire, and the wall time by which they do.
//!
//! Whether a transaction sees a key that expires is decided by its own start time (V7): an expired value
//! reads as absent, at the version that it has. Sweeping (`database`) makes it a tombstone later.
//!
//! Wall clocks jump. While the database is open its own wall time never goes back, so what was absent does
//! not come back; what was swept stays deleted.

use std::collections::BTreeSet;

use env::UnixMillis;
use rt::sync::Mutex;
use rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::key::Key;

/// Which keys expire when, and the latest wall time that was seen.
#[derive(Debug)]
pub(crate) struct ExpiryTable {
    in_use: AtomicBool,
    latest: AtomicU64,
    swept: AtomicU64,
    due: Mutex<BTreeSet<(UnixMillis, Key)>>,
}

impl ExpiryTable {
    pub(crate) const fn new() -> Self {
        Self {
            in_use: AtomicBool::new("expiry.in_use", false),
            latest: AtomicU64::new("expiry.latest", 0),
            swept: AtomicU64::new("metrics.expired", 0),
            due: Mutex::new("expiry.due", BTreeSet::new()),
        }
    }

    /// Whether any key has ever been written with an expiry.
    #[inline]
    pub(crate) fn in_use(&self) -> bool {
        self.in_use.load(Ordering::SeqCst)
    }

    /// The later of `now` and all that were given before.
    pub(crate) fn latest(&self, now: UnixMillis) -> UnixMillis {
        UnixMillis(self.latest.fetch_max(now.0, Ordering::SeqCst).max(now.0))
    }

    /// A version of the key that is about to become visible, or was recovered, expires then.
    pub(crate) fn add(&self, at: UnixMillis, key: &Key) {
        self.due.lock().insert((at, key.clone()));
        self.in_use.store(true, Ordering::SeqCst);
    }

    /// Keys that have expired by `now`, with the time when they did: the first `limit`.
    pub(crate) fn due(&self, now: UnixMillis, limit: usize) -> Vec<(UnixMillis, Key)> {
        self.due.lock().iter().take_while(|(at, _)| *at <= now).take(limit).cloned().collect()
    }

    /// Forgets keys that were swept: `deleted` of them had to be.
    pub(crate) fn forget(&self, swept: &[(UnixMillis, Key)], deleted: u64) {
        let mut due = self.due.lock();
        for entry in swept {
            due.remove(entry);
        }
        drop(due);
        self.swept.fetch_add(deleted, Ordering::Relaxed);
    }

    /// How many keys expired and were swept.
    pub(crate) fn swept(&self) -> u64 {
        self.swept.load(Ordering::Relaxed)
    }
}
