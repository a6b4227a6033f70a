//! Running a closure as a transaction until it commits.

use std::time::Duration;

use rt::sync::Arc;

use super::options::{Limits, RetryPolicy, TransactionOptions};
use super::transaction::{Commit, Transaction};
use super::turnstile::Lost;
use super::write_set::WriteSet;
use crate::conflict::ConflictInfo;
use crate::database::{Inner, Lease};
use crate::error::{Error, Result};
use crate::run::RunRef;
use crate::telemetry::{event, span};
use crate::types::Version;

/// For how many of the longest pauses a commit waits for one that keeps losing, and that one for its turn.
const PATIENCE_PAUSES: u32 = 4;

/// Runs the closure, commits, and does both again after a conflict; returns what the closure did, and the commit.
pub(crate) fn run<T>(
    inner: &Arc<Lease>,
    run: RunRef,
    options: &TransactionOptions,
    mut body: impl FnMut(&mut Transaction) -> Result<T>,
) -> Result<(T, Commit)> {
    let _span = span!(DEBUG, "transaction");
    let of_system = run.is_system().then(RetryPolicy::default);
    let policy = of_system.as_ref().or(options.retry.as_ref()).unwrap_or(&inner.retry);
    let timeout = Limits::of(run, options, &inner.limits).timeout;
    let deadline = timeout.map(|limit| (limit, rt::time::now().saturating_add(limit)));
    let mut lost = Lost::default();
    let mut place = None;
    let mut kept = Kept::default();
    let mut attempts = 0;
    loop {
        let conflicts = match attempt(inner, run, options, &mut kept, &mut body) {
            Attempt::Conflict(conflicts) => conflicts,
            Attempt::Done(done) => return done,
        };
        attempts += 1;
        inner.metrics.retried();
        event!(DEBUG, attempts, conflicts = conflicts.len(), "in conflict");
        if attempts >= policy.attempts_max.max(1) {
            return Err(Error::MaxRetriesExceeded { attempts, conflicts });
        }
        lost.add(&conflicts);
        let is_late = |pause| {
            let late = deadline.filter(|(_, deadline)| rt::time::now().saturating_add(pause) >= *deadline);
            late.map_or(Ok(()), |(limit, _)| Err(Error::Timeout { limit }))
        };
        if attempts >= policy.alone_after {
            let patience = policy.pause_max.saturating_mul(PATIENCE_PAUSES);
            let place = place.get_or_insert_with(|| inner.turnstile.queue(patience));
            kept.inside = place.enter(&inner.index, &lost, deadline.map(|(_, deadline)| deadline));
            is_late(Duration::ZERO)?;
        } else {
            let pause = pause(inner, policy, attempts);
            is_late(pause)?;
            if pause.is_zero() {
                rt::thread::yield_now();
            } else {
                rt::time::sleep(pause);
            }
        }
    }
}

enum Attempt<T> {
    Done(Result<(T, Commit)>),
    Conflict(Vec<ConflictInfo>),
}

/// What goes from one attempt to the next.
#[derive(Default)]
struct Kept {
    /// Whether others give way.
    inside: bool,
    /// Only a deliberate bug keeps writes.
    writes: Option<Box<WriteSet>>,
}

fn attempt<T>(
    inner: &Arc<Lease>,
    run: RunRef,
    options: &TransactionOptions,
    kept: &mut Kept,
    body: &mut impl FnMut(&mut Transaction) -> Result<T>,
) -> Attempt<T> {
    if let Err(error) = inner.check_open() {
        return Attempt::Done(Err(error));
    }
    let mut txn = Transaction::begin(inner, run, options);
    txn.goes_first = kept.inside;
    let start = txn.start_version();
    if rt::mutant!(RetryKeepsWrites)
        && let Some(writes) = kept.writes.take()
    {
        txn.context.writes = *writes;
    }
    let done = body(&mut txn).and_then(|done| {
        if rt::mutant!(RetryKeepsWrites) {
            kept.writes = Some(Box::new(txn.context.writes.clone()));
        }
        if rt::mutant!(AloneNotValidated) && kept.inside {
            txn.context.start_version = Version::MAX;
        }
        txn.commit().map(|commit| (done, commit))
    });
    match done {
        // A condition that does not hold on the newest state either will not hold the next time.
        Err(Error::Conflict(conflicts))
            if conflicts.iter().any(|conflict| inner.index.newest(conflict.key()) > start) =>
        {
            Attempt::Conflict(conflicts)
        }
        done => Attempt::Done(done),
    }
}

fn pause(inner: &Inner, policy: &RetryPolicy, attempts: u32) -> Duration {
    let Some(doublings) = attempts.checked_sub(policy.immediate + 1) else { return Duration::ZERO };
    let bound = policy.pause_min.saturating_mul(1 << doublings.min(20)).min(policy.pause_max);
    let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(if nanos == 0 { 0 } else { inner.entropy().next_u64() % nanos })
}
