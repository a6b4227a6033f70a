//! Sweeping: deletes keys that have expired.
//!
//! An ordinary transaction of the database itself, which deletes on the condition that the version is still
//! the one that expired: so a sweep is logged, versioned, validated and collected like every delete, and a
//! key that was written again is left alone.

use env::UnixMillis;
use rt::sync::Arc;

use crate::error::Result;
use crate::run::RunRef;
use crate::striped::Stripe;
use crate::txn::{Coordinator, TransactionOptions, run_with_retry};

/// Most keys that one sweeping transaction deletes.
const SWEEP_MAX: usize = 256;

/// Deletes what has expired by now. Returns how many keys there were.
pub(super) fn sweep(coordinator: &Arc<Stripe<Coordinator>>) -> Result<usize> {
    let store = &coordinator.store;
    let mut swept = 0;
    while store.expiry.in_use() {
        let now = store.clock_time();
        let now = if rt::mutant!(SweepBeforeExpiry) { UnixMillis(now.0.saturating_add(20)) } else { now };
        let due = store.expiry.due(now, SWEEP_MAX);
        if due.is_empty() {
            break;
        }
        let options = TransactionOptions::default();
        let (deleted, _) = run_with_retry(coordinator, RunRef::SYSTEM, &options, |txn| {
            let mut deleted = 0;
            for (_, key) in &due {
                let entry = store.index.entry(key, txn.start_version());
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
        // After the commit: if it fails, the keys must be found again.
        store.expiry.forget(&due, deleted as u64);
        swept += deleted;
        if deleted > 0 {
            rt::reached!("expired keys swept");
        }
    }
    Ok(swept)
}
