//! Keys that cease to be at a wall time.
//!
//! Whether a transaction sees a key that expires is decided by its own start time (V7): an expired value reads as
//! absent, at the version that it has. Sweeping makes it a tombstone: an ordinary commit on the condition that the
//! value is still the one that expired, so it is logged, versioned, validated and collected like every delete, and a
//! key that was written again is left alone.
//!
//! Wall clocks jump. While the database is open its own wall time never goes back, so what was absent does not come
//! back; what was swept stays away for ever.

use std::collections::BTreeSet;

use env::UnixMillis;
use rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use rt::sync::{Arc, Mutex};

use crate::database::Lease;
use crate::error::Result;
use crate::key::Key;
use crate::run::RunRef;
use crate::txn::{TransactionOptions, run_with_retry};

/// Most keys that one sweeping transaction deletes.
const SWEEP_MAX: usize = 256;

/// Which keys expire when, and the latest wall time that anybody has seen.
#[derive(Debug)]
pub(crate) struct Expiry {
    in_use: AtomicBool,
    latest: AtomicU64,
    due: Mutex<BTreeSet<(UnixMillis, Key)>>,
}

impl Expiry {
    pub(crate) const fn new() -> Self {
        Self {
            in_use: AtomicBool::new("expiry.in_use", false),
            latest: AtomicU64::new("expiry.latest", 0),
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

    fn due(&self, now: UnixMillis) -> Vec<(UnixMillis, Key)> {
        self.due.lock().iter().take_while(|(at, _)| *at <= now).take(SWEEP_MAX).cloned().collect()
    }

    fn forget(&self, swept: &[(UnixMillis, Key)]) {
        let mut due = self.due.lock();
        for entry in swept {
            due.remove(entry);
        }
    }
}

/// Deletes what has expired by now. Returns how many keys there were.
pub(crate) fn sweep(inner: &Arc<Lease>) -> Result<usize> {
    let mut swept = 0;
    while inner.expiry.in_use() {
        let now = inner.clock_time();
        let now = if rt::mutant!(SweepBeforeExpiry) { UnixMillis(now.0.saturating_add(20)) } else { now };
        let due = inner.expiry.due(now);
        if due.is_empty() {
            break;
        }
        let (deleted, _) = run_with_retry(inner, RunRef::SYSTEM, &TransactionOptions::default(), |txn| {
            let mut deleted = 0;
            for (_, key) in &due {
                let entry = inner.index.with(key, |slot| slot.entry(txn.start_version())).flatten();
                if rt::mutant!(SweepWithoutCondition) {
                    txn.delete(key)?;
                    continue;
                }
                if let Some(entry) = entry
                    && entry.value.is_some()
                    && entry.expires.at().is_some_and(|at| at <= now)
                {
                    txn.delete_if(key, entry.version)?;
                    deleted += 1;
                }
            }
            Ok(deleted)
        })?;
        inner.expiry.forget(&due);
        inner.metrics.expired(deleted as u64);
        swept += deleted;
        if deleted > 0 {
            rt::reached!("expired keys swept");
        }
    }
    Ok(swept)
}
