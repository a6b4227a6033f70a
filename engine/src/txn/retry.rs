//! Running a closure as a transaction until it commits.

use std::time::Duration;

use rt::sync::{Arc, Condvar, Mutex};
use rt::time::Instant;

use super::options::{Limits, RetryPolicy, TransactionOptions};
use super::transaction::{Commit, Transaction};
use super::write_set::WriteSet;
use crate::conflict::ConflictInfo;
use crate::database::{Inner, Lease};
use crate::error::{Error, Result};
use crate::run::RunRef;
use crate::telemetry::{event, span};
use crate::types::Version;

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
    let started = timeout.is_some().then(rt::time::now);
    let mut alone = None;
    let mut attempts = 0;
    let mut lost = Lost::default();
    loop {
        lost.alone = alone.is_some();
        let conflicts = match attempt(inner, run, options, &mut lost, &mut body) {
            Attempt::Conflict(conflicts) => conflicts,
            Attempt::Done(done) => return done,
        };
        attempts += 1;
        inner.metrics.retried();
        event!(DEBUG, attempts, conflicts = conflicts.len(), "in conflict");
        if attempts >= policy.attempts_max.max(1) {
            return Err(Error::MaxRetriesExceeded { attempts, conflicts });
        }
        let pause = pause(inner, policy, attempts);
        if let (Some(limit), Some(started)) = (timeout, started)
            && rt::time::now().saturating_add(pause).saturating_since(started) >= limit
        {
            return Err(Error::Timeout { limit });
        }
        if pause.is_zero() {
            rt::thread::yield_now();
        } else {
            rt::time::sleep(pause);
        }
        if attempts >= policy.alone_after && alone.is_none() {
            alone = inner.turnstile.enter(rt::time::now().saturating_add(policy.pause_max.saturating_mul(4)));
        }
    }
}

enum Attempt<T> {
    Done(Result<(T, Commit)>),
    Conflict(Vec<ConflictInfo>),
}

/// What deliberate bugs carry over from one attempt to the next.
#[derive(Default)]
struct Lost {
    writes: Option<Box<WriteSet>>,
    alone: bool,
}

fn attempt<T>(
    inner: &Arc<Lease>,
    run: RunRef,
    options: &TransactionOptions,
    lost: &mut Lost,
    body: &mut impl FnMut(&mut Transaction) -> Result<T>,
) -> Attempt<T> {
    if let Err(error) = inner.check_open() {
        return Attempt::Done(Err(error));
    }
    let mut txn = Transaction::begin(inner, run, options);
    let start = txn.start_version();
    if rt::mutant!(RetryKeepsWrites)
        && let Some(writes) = lost.writes.take()
    {
        txn.context.writes = *writes;
    }
    let done = body(&mut txn).and_then(|done| {
        if rt::mutant!(RetryKeepsWrites) {
            lost.writes = Some(Box::new(txn.context.writes.clone()));
        }
        if rt::mutant!(AloneNotValidated) && lost.alone {
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

/// Lets one at a time of those through that keep losing, so that they do not also lose against each other.
///
/// Waiting is bounded, as the one inside may be waiting for somebody outside (a closure that runs another
/// transaction): after the deadline one goes on as before.
#[derive(Debug)]
pub(crate) struct Turnstile {
    taken: Mutex<bool>,
    free: Condvar,
}

/// Being inside.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Turnstile);

impl Turnstile {
    pub(crate) const fn new() -> Self {
        Self { taken: Mutex::new("turnstile", false), free: Condvar::new("turnstile.free") }
    }

    /// Enters, or gives up at the deadline.
    fn enter(&self, deadline: Instant) -> Option<Inside<'_>> {
        let mut taken = self.taken.lock();
        while *taken {
            if self.free.wait_until(&mut taken, deadline) && *taken {
                return None;
            }
        }
        *taken = true;
        Some(Inside(self))
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock() = false;
        self.0.free.notify_one();
    }
}
