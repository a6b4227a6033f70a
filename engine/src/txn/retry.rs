//! Running a closure as a transaction until it commits.

use std::time::Duration;

use rt::sync::Arc;

use super::contention::ReservedKeys;
use super::coordinator::Coordinator;
use super::mutants::{self, LeftoverWrites};
use super::options::{Limits, RetryPolicy, TransactionOptions};
use super::transaction::{Commit, Transaction};
use crate::conflict::ConflictInfo;
use crate::error::{Error, Result};
use crate::reentry::RunningClosure;
use crate::run::RunRef;
use crate::striped::Stripe;
use crate::telemetry::{event, span};

/// The wait limit of a commit for a reservation, and of a closure for its turn, in longest pauses.
const WAIT_LIMIT_PAUSES: u32 = 4;

/// Runs the closure, commits, and does both again after a conflict; returns what the closure did, and the
/// commit.
pub(crate) fn run<T>(
    coordinator: &Arc<Stripe<Coordinator>>,
    run: RunRef,
    options: &TransactionOptions,
    body: impl FnMut(&mut Transaction) -> Result<T>,
) -> Result<(T, Commit)> {
    retry(coordinator, run, options, body, |error, _| match error {
        Error::Conflict(conflicts) => conflicts.clone(),
        _ => Vec::new(),
    })
}

/// Like [`run`], for a closure with errors of its own. Such an error does not show which conflict is behind
/// it: it is taken to be that of the conditional write that failed, if one did.
pub(crate) fn run_with_own_errors<T, E: From<Error>>(
    coordinator: &Arc<Stripe<Coordinator>>,
    run: RunRef,
    options: &TransactionOptions,
    body: impl FnMut(&mut Transaction) -> Result<T, E>,
) -> Result<(T, Commit), E> {
    retry(coordinator, run, options, body, |_, txn| txn.context.failed_condition.take().into_iter().collect())
}

/// Runs the closure until it commits; `conflicts` says which conflicts an error of the closure stands for.
fn retry<T, E: From<Error>>(
    coordinator: &Arc<Stripe<Coordinator>>,
    run: RunRef,
    options: &TransactionOptions,
    mut body: impl FnMut(&mut Transaction) -> Result<T, E>,
    conflicts: impl Fn(&E, &mut Transaction) -> Vec<ConflictInfo>,
) -> Result<(T, Commit), E> {
    let _span = span!(DEBUG, "transaction");
    let of_system = run.is_system().then(RetryPolicy::default);
    let policy = of_system.as_ref().or(options.retry.as_ref()).unwrap_or(&coordinator.defaults.retry);
    let timeout = Limits::of(run, options, &coordinator.defaults.limits).timeout;
    let deadline = timeout.map(|limit| (limit, rt::time::now().saturating_add(limit)));
    let mut lost = ReservedKeys::default();
    let mut place = None;
    let mut holds_reservation = false;
    let mut leftover = LeftoverWrites::default();
    let mut attempts = 0;
    let mut closure = RunningClosure::begin();
    loop {
        if attempts > 0 {
            coordinator.counters.count_retry();
        }
        let attempt =
            attempt(coordinator, run, options, holds_reservation, &mut leftover, &mut body, &conflicts);
        let conflicts = match attempt {
            Attempt::Conflict(conflicts) => conflicts,
            Attempt::Done(done) => {
                mutants::leave_place_taken(&mut place, done.is_err());
                return done;
            }
        };
        attempts += 1;
        event!(DEBUG, attempts, conflicts = conflicts.len(), "in conflict");
        if attempts >= mutants::attempts_max(policy.attempts_max.max(1)) {
            mutants::count_retry_not_made(&coordinator.counters);
            mutants::leave_place_taken(&mut place, true);
            return Err(Error::MaxRetriesExceeded { attempts, conflicts }.into());
        }
        closure.check_conflict(&conflicts)?;
        lost.add(&conflicts);
        let is_late = |pause| {
            let late = deadline.filter(|(_, deadline)| {
                rt::time::now().saturating_add(pause) >= *deadline && !rt::mutant!(RetriesPastDeadline)
            });
            late.map_or(Ok(()), |(limit, _)| Err(E::from(Error::Timeout { limit })))
        };
        if attempts >= policy.alone_after {
            let wait_limit = policy.pause_max.saturating_mul(WAIT_LIMIT_PAUSES);
            // Kept until the closure is done: the place in the queue, and with it the reservation, ends with
            // it.
            let place = place.get_or_insert_with(|| coordinator.contention.queue(wait_limit));
            let deadline = deadline.map(|(_, deadline)| deadline);
            holds_reservation = place.enter(&lost, deadline);
            is_late(Duration::ZERO)?;
        } else {
            let pause = pause(coordinator, policy, attempts);
            is_late(pause)?;
            if pause.is_zero() {
                rt::thread::yield_now();
            } else {
                rt::time::sleep(pause);
            }
        }
    }
}

enum Attempt<T, E> {
    Done(Result<(T, Commit), E>),
    Conflict(Vec<ConflictInfo>),
}

fn attempt<T, E: From<Error>>(
    coordinator: &Arc<Stripe<Coordinator>>,
    run: RunRef,
    options: &TransactionOptions,
    holds_reservation: bool,
    leftover: &mut LeftoverWrites,
    body: &mut impl FnMut(&mut Transaction) -> Result<T, E>,
    conflicts: &impl Fn(&E, &mut Transaction) -> Vec<ConflictInfo>,
) -> Attempt<T, E> {
    if let Err(error) = coordinator.check_open() {
        return Attempt::Done(Err(error.into()));
    }
    // A transaction anew for each attempt: it reads a newer snapshot, and nothing of the last attempt is
    // left.
    let mut txn = Transaction::begin(coordinator, run, options);
    txn.holds_reservation = holds_reservation;
    let start = txn.start_version();
    leftover.restore(&mut txn);
    // A condition that does not hold on the newest state either will not hold the next time.
    let changed = |conflicts: &[ConflictInfo]| {
        conflicts.iter().any(|conflict| coordinator.store.index.has_newer(conflict.key(), start))
    };
    let done = match body(&mut txn) {
        Ok(done) => done,
        Err(error) => {
            let conflicts = conflicts(&error, &mut txn);
            let again = changed(&conflicts);
            return if again { Attempt::Conflict(conflicts) } else { Attempt::Done(Err(error)) };
        }
    };
    leftover.keep(&txn);
    mutants::skip_validation_of_reserved(&mut txn);
    match txn.commit() {
        Ok(commit) => Attempt::Done(Ok((done, commit))),
        // Validation saw a newer version. Not asked again: what it saw may have been a tombstone that is
        // collected by now, and then the caller would be told of a conflict that another attempt does not
        // meet.
        Err(Error::Conflict(conflicts)) => {
            if mutants::asks_index_again(&conflicts, changed) {
                return Attempt::Done(Err(Error::Conflict(conflicts).into()));
            }
            Attempt::Conflict(conflicts)
        }
        Err(error) => Attempt::Done(Err(error.into())),
    }
}

fn pause(coordinator: &Coordinator, policy: &RetryPolicy, attempts: u32) -> Duration {
    let Some(doublings) = attempts.checked_sub(policy.immediate + 1) else { return Duration::ZERO };
    let bound = policy.pause_min.saturating_mul(1 << doublings.min(20)).min(policy.pause_max);
    let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(if nanos == 0 { 0 } else { coordinator.entropy.next_u64() % nanos })
}

#[cfg(test)]
mod tests {
    use super::{Error, RetryPolicy, TransactionOptions};
    use crate::database::Database;

    #[test]
    fn an_attempt_that_is_not_made_is_no_retry() {
        rt::check(|| {
            let db = Database::open_in_memory().unwrap();
            let run = db.begin_run().unwrap();
            let lose = |attempts| {
                let options = TransactionOptions::new().retry(RetryPolicy::new().attempts_max(attempts));
                db.transaction_with(run, &options, |txn| {
                    txn.get::<i64>("key")?;
                    db.put(run, "key", 1_i64)?;
                    txn.put("key", 2_i64)
                })
            };
            assert!(matches!(lose(1), Err(Error::MaxRetriesExceeded { attempts: 1, .. })));
            assert_eq!(db.metrics().retries, 0);
            assert!(matches!(lose(2), Err(Error::MaxRetriesExceeded { attempts: 2, .. })));
            assert_eq!(db.metrics().retries, 1);
        });
    }

    /// The first of the two to commit leaves a tombstone, which is collected when the other one has lost to
    /// it.
    #[test]
    fn a_closure_that_lost_to_a_delete_is_run_again_though_the_tombstone_is_collected_by_then() {
        rt::check(|| {
            let db = Database::builder().collect_every(1).open().unwrap();
            let run = db.begin_run().unwrap();
            db.put(run, "mail", "to be sent").unwrap();
            let started = |name, body: fn(&Database, crate::RunId)| {
                let db = db.clone();
                rt::thread::spawn(name, move || body(&db, run)).unwrap()
            };
            let delete = |db: &Database, run| db.transaction(run, |txn| txn.delete("mail")).unwrap();
            let rivals = [started("rival", delete), started("other rival", delete)];
            let collector = started("collector", |db, _| (0..6).for_each(|_| db.collect()));
            for rival in rivals.into_iter().chain([collector]) {
                rival.join().unwrap();
            }
            assert_eq!(db.get::<String>("mail").unwrap(), None);
        });
    }
}
