//! Forgets runs that have ended, beyond the number and the age up to which they are kept.
//!
//! An ordinary transaction of the database itself, which checks each record again: a run that may still write
//! is never forgotten.

use std::time::Duration;

use env::UnixMillis;
use rt::sync::Arc;

use super::runs::forget;
use crate::error::{Error, Result};
use crate::run::RunRef;
use crate::striped::Stripe;
use crate::txn::{Coordinator, TransactionOptions, run_with_retry};

/// Most runs that one transaction forgets.
const FORGET_MAX: usize = 256;

/// Which runs that have ended are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// This number of them, those that ended last.
    pub(super) runs_max: usize,
    /// As long as this after their end.
    pub(super) age_max: Option<Duration>,
}

impl Retention {
    /// All of them.
    pub(super) const ALL: Self = Self { runs_max: usize::MAX, age_max: None };
}

/// Forgets the runs that are not kept. Returns how many there were.
pub(super) fn forget_old_runs(coordinator: &Arc<Stripe<Coordinator>>, retention: Retention) -> Result<usize> {
    let store = &coordinator.store;
    let mut forgotten = 0;
    loop {
        let until = retention.age_max.map(|age| {
            let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            UnixMillis(store.clock_time().0.saturating_sub(age))
        });
        let runs = store.runs.superfluous(retention.runs_max, until, FORGET_MAX);
        if runs.is_empty() {
            return Ok(forgotten);
        }
        rt::reached!("old runs forgotten");
        let options = TransactionOptions::default();
        run_with_retry(coordinator, RunRef::SYSTEM, &options, |txn| {
            runs.iter().try_for_each(|run| match forget(txn, *run) {
                // Forgotten by the application meanwhile.
                Ok(_) | Err(Error::RunNotFound(_)) => Ok(()),
                Err(error) => Err(error),
            })
        })
        .map(drop)?;
        forgotten += runs.len();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stormproof_faults::{DiskOptions, SimDisk};

    use super::Retention;
    use crate::database::Database;
    use crate::error::Error;
    use crate::range::KeyRange;

    fn keys(db: &Database) -> usize {
        let mut keys = 0;
        db.store().index.entries(&KeyRange::everything(), db.version(), |entry| {
            keys += usize::from(entry.value().is_some());
            std::ops::ControlFlow::Continue(())
        });
        keys
    }

    fn work(db: &Database, runs: usize) {
        for _ in 0..runs {
            let run = db.begin_run().unwrap();
            db.put(run, "key", 1_i64).unwrap();
            db.end_run(run).unwrap();
        }
    }

    #[test]
    fn a_run_for_each_task_leaves_no_keys_behind() {
        let kept = |runs_max, age_max| {
            let db = Database::open_in_memory().unwrap();
            work(&db, 300);
            let retention = Retention { runs_max, age_max };
            super::forget_old_runs(db.handle.transactions.own(), retention).unwrap();
            (db.runs().len(), keys(&db))
        };
        assert_eq!(kept(usize::MAX, None), (300, 601));
        assert_eq!(kept(10, None), (10, 21));
        // Of the last one, the number stays.
        assert_eq!(kept(0, None), (0, 2));
        assert_eq!(kept(usize::MAX, Some(Duration::ZERO)), (0, 2));
        assert_eq!(kept(usize::MAX, Some(Duration::from_secs(60))), (300, 601));
    }

    #[test]
    fn numbers_of_forgotten_runs_are_not_given_again_and_what_they_wrote_stays() {
        rt::check(|| {
            let disk = SimDisk::new(DiskOptions::default());
            let open = || Database::builder().disk(disk.mount()).open().unwrap();
            let db = open();
            let run = db.begin_run().unwrap();
            db.put(run, "key", 1_i64).unwrap();
            assert!(matches!(db.forget_run(run), Err(Error::Invalid(_))), "it may still write");
            db.end_run(run).unwrap();
            db.forget_run(run).unwrap();
            assert!(matches!(db.forget_run(run), Err(Error::RunNotFound(_))));
            assert!(matches!(db.begin_transaction(run), Err(Error::RunNotFound(_))));
            drop(db);
            let db = open();
            assert!(db.run(run).is_err());
            let by = db.provenance("key").unwrap();
            assert_eq!((by.run, by.run_number.get()), (None, 1));
            let next = db.begin_run().unwrap();
            assert_eq!(db.run(next).unwrap().number.get(), 2);
            assert_eq!(keys(&db), 3, "two of the run, and the user's");
        });
    }

    #[test]
    fn a_transaction_of_a_run_that_was_forgotten_meanwhile_writes_nothing() {
        rt::check(|| {
            let db = Database::open_in_memory().unwrap();
            let run = db.begin_run().unwrap();
            let mut txn = db.begin_transaction(run).unwrap();
            txn.put("key", 1_i64).unwrap();
            db.end_run(run).unwrap();
            db.forget_run(run).unwrap();
            assert!(matches!(txn.commit(), Err(Error::RunEnded(_))));
            // Not in another one of the same id, either.
            let old = db.begin_run().unwrap();
            let mut txn = db.begin_transaction(old).unwrap();
            txn.put("key", 1_i64).unwrap();
            db.end_run(old).unwrap();
            db.forget_run(old).unwrap();
            db.begin_run_with(crate::RunOptions::new().id(old)).unwrap();
            assert!(matches!(txn.commit(), Err(Error::RunEnded(_))));
        });
    }
}
