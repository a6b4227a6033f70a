//! Transactions that the store itself runs again after a conflict.
//!
//! Every attempt is a transaction of the history. That an attempt was in conflict shows when the next one
//! begins; the store does not say with which transaction, except for the last attempt.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use super::{Attempt, Runner};
use crate::history::{Session, Time, TxnIndex};
use crate::interpret::{self, OwnPanic};
use crate::notebook::{NoteKind, Progress};
use crate::plan::{End, Transaction};
use crate::store::{Conflict, Result, StoreError, StoreTxn};
use crate::tx::{Summary, Tx};

impl Runner<'_> {
    pub(super) fn leaves_to_store(&self, plan: &Transaction) -> bool {
        plan.by_store
            && plan.end == End::Commit
            && !plan.ends_run
            && !plan.forgets_run
            && self.store.capabilities().retries
    }

    /// Runs all attempts, by the store's own loop.
    pub(super) fn attempt_by_store(
        &self,
        session: Session,
        plan: &Transaction,
        progress: &mut Progress,
    ) -> Attempt {
        let options = self.options(plan, progress);
        let timeout = options.manner.timeout_micros.map(Duration::from_micros);
        let bounds = Bounds {
            attempts_max: (!options.manner.retries_as_usual).then_some(plan.retry.attempts_max.max(1)),
            timeout,
            latest: None,
        };
        let called = self.recorder.tick();
        let mut attempts =
            Attempts { runner: *self, session, plan, progress, called, made: 0, last: None, bounds };
        // A body that panics unwinds through the store; its client goes on.
        let answer = panic::catch_unwind(AssertUnwindSafe(|| {
            self.store.transaction(&options, plan.retry, &mut |txn| attempts.next(txn))
        }));
        let answer = answer.unwrap_or_else(|panicked| match panicked.is::<OwnPanic>() {
            true => Err(StoreError::GaveUp),
            false => panic::resume_unwind(panicked),
        });
        let (called, made, last) = (attempts.called, attempts.made, attempts.last.take());
        progress.committing = false;
        if let (Err(StoreError::Conflict(_)), Some(last)) = (&answer, &last)
            && last.asked_to_commit
            && made < plan.retry.attempts_max
        {
            let message = format!(
                "a conflict at commit ended the loop after {made} attempts of {}",
                plan.retry.attempts_max
            );
            let rule = "a commit that lost is run again".into();
            self.note(session, Some(last.index), NoteKind::Broken { rule, message });
        }
        let Last { index, summary, .. } = last.unwrap_or_else(|| {
            Last::begun(self.recorder.begin(session, self.life, called, None, plan.isolation))
        });
        self.answered(session, index, plan, progress, summary, answer)
    }
}

/// The attempts at one transaction.
struct Attempts<'a> {
    runner: Runner<'a>,
    session: Session,
    plan: &'a Transaction,
    progress: &'a mut Progress,
    /// A time before the next attempt begins.
    called: Time,
    /// How many there were.
    made: u32,
    last: Option<Last>,
    bounds: Bounds,
}

/// How often and how long the store may run a transaction again.
struct Bounds {
    /// `None` where the store's own policy decides.
    attempts_max: Option<u32>,
    timeout: Option<Duration>,
    /// The latest time at which the timeout can have passed: it began before the first attempt did.
    latest: Option<Duration>,
}

/// The last attempt whose end is not known.
struct Last {
    /// When it had done its steps, where there is a timeout.
    ended: Option<Duration>,
    index: TxnIndex,
    summary: Summary,
    /// The conflicts that it met before its commit.
    conflicts: Vec<Conflict>,
    /// Whether all of its steps were done.
    asked_to_commit: bool,
}

impl Attempts<'_> {
    fn next(&mut self, inner: &mut dyn StoreTxn) -> Result<()> {
        let Runner { recorder, notebook, environment, life, .. } = self.runner;
        let lost = self.last.take();
        self.made += 1;
        let now = self.bounds.timeout.map(|_| environment.now());
        if let Some(message) = self.excess(lost.as_ref().and_then(|lost| lost.ended)) {
            let (rule, txn) = ("attempts are bounded".into(), lost.as_ref().map(|lost| lost.index));
            self.runner.note(self.session, txn, NoteKind::Broken { rule, message });
        }
        self.bounds.latest = self.bounds.latest.or_else(|| Some(now?.saturating_add(self.bounds.timeout?)));
        if let Some(lost) = lost {
            recorder.aborted(lost.index, lost.conflicts);
            self.progress.attempts += 1;
        }
        self.progress.committing = false;
        notebook.set_progress(self.session, self.progress);
        let (plan, session) = (self.plan, self.session);
        let index = recorder.begin(session, life, self.called, inner.start_version(), plan.isolation);
        let [earliest, _] = environment.store_time();
        let time = [earliest, environment.store_time_ever()];
        let is_timed = self.bounds.timeout.is_some();
        let mut txn = Tx::new(self.runner, session, index, inner, time).in_a_loop().timed(is_timed);
        // Before the steps, one of which may panic.
        self.last = Some(Last::begun(index));
        let done = plan.steps.iter().try_for_each(|step| interpret::execute(step, &mut txn));
        let summary = txn.summary();
        self.called = recorder.tick();
        let conflicts = match &done {
            Err(StoreError::Conflict(conflicts)) => conflicts.clone(),
            _ => Vec::new(),
        };
        let ended = is_timed.then(|| environment.now());
        self.last = Some(Last { ended, index, summary, conflicts, asked_to_commit: done.is_ok() });
        if done.is_ok() {
            self.progress.committing = true;
            notebook.set_progress(session, self.progress);
            recorder.commit(index);
        }
        done
    }

    /// Returns why the attempt that begins now should not: the one before `ended` its steps at that time.
    fn excess(&self, ended: Option<Duration>) -> Option<String> {
        let Bounds { attempts_max, latest, .. } = self.bounds;
        if let Some(most) = attempts_max.filter(|most| self.made > *most) {
            return Some(format!("attempt {} began, and {most} were asked for", self.made));
        }
        let (ended, latest) = ended.zip(latest)?;
        (ended >= latest).then(|| {
            let late = ended.saturating_sub(latest).as_micros();
            format!(
                "attempt {} began, though the time was over {late} µs before the last one ended",
                self.made
            )
        })
    }
}

impl Last {
    /// An attempt of which nothing is known yet.
    fn begun(index: TxnIndex) -> Self {
        Self {
            ended: None,
            index,
            summary: Summary::default(),
            conflicts: Vec::new(),
            asked_to_commit: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::environment::Environment;
    use crate::history::{Outcome, Recorder};
    use crate::memory_store::MemoryStore;
    use crate::notebook::{Ending, NoteKind, Notebook};
    use crate::plan::{Client, Plan, Step, Transaction};
    use crate::store::{Body, Committed, Result, Retry, Store, StoreTxn, TxnOptions};
    use crate::{Runner, catalogue};

    /// Another client is always faster, this many times.
    struct Rivalry {
        inner: MemoryStore,
        rivals: u32,
    }

    impl Store for Rivalry {
        fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
            self.inner.begin(options)
        }

        fn transaction(&self, options: &TxnOptions, retry: Retry, body: Body<'_>) -> Result<Committed> {
            let mut left = self.rivals;
            self.inner.transaction(options, retry, &mut |txn| {
                body(txn)?;
                if left > 0 {
                    left -= 1;
                    let mut rival = self.inner.begin(&TxnOptions::default())?;
                    rival.put(b"n", b"7")?;
                    rival.commit()?;
                }
                Ok(())
            })
        }

        fn flush(&self) -> Result<()> {
            self.inner.flush()
        }

        fn name(&self) -> String {
            "rivalry".into()
        }

        fn capabilities(&self) -> crate::store::Capabilities {
            self.inner.capabilities()
        }
    }

    struct NoTime;

    impl Environment for NoTime {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _duration: Duration) {}
    }

    /// Returns what became of the attempts at one transaction, and what the client wrote down of it.
    fn outcomes(rivals: u32, attempts_max: u32) -> (Vec<Outcome>, (u32, Ending)) {
        let store = Rivalry { inner: MemoryStore::new(), rivals };
        let workload = catalogue::by_name("retry-storm", serde_json::Value::Null).expect("it exists");
        let add = Step::Add { key: "n".into(), amount: 1 };
        let retry = Retry { attempts_max, ..Retry::default() };
        let action = Transaction { by_store: true, retry, ..Transaction::of([add]) }.into();
        let mut plan = Plan::new("retry-storm", serde_json::Value::Null);
        plan.clients.push(Client { session: 1, seed: 0, actions: vec![action] });
        let (recorder, notebook) = (Recorder::new(), Notebook::new());
        let runner = Runner {
            store: &store,
            workload: &*workload,
            environment: &NoTime,
            recorder: &recorder,
            notebook: &notebook,
            life: 0,
        };
        runner.run(&plan.clients[0]);
        let finished = notebook.notes().into_iter().find_map(|note| match note.what {
            NoteKind::Finished { attempts, ending, .. } => Some((attempts, ending)),
            _ => None,
        });
        let history = recorder.history().expect("it adds up");
        (history.txns.into_iter().map(|txn| txn.outcome).collect(), finished.expect("it is over"))
    }

    #[test]
    fn every_attempt_of_the_stores_own_loop_is_a_transaction_of_the_history() {
        let (outcomes, finished) = outcomes(2, 10);
        assert!(
            matches!(
                &outcomes[..],
                [
                    Outcome::Aborted { .. },
                    Outcome::Aborted { .. },
                    Outcome::Committed { version: Some(3), .. }
                ]
            ),
            "{outcomes:?}"
        );
        assert_eq!(finished, (3, Ending::Done));
    }

    #[test]
    fn the_last_attempt_tells_with_whom_it_was_in_conflict() {
        let (outcomes, finished) = outcomes(9, 2);
        let [Outcome::Aborted { conflicts: first, .. }, Outcome::Aborted { conflicts: last, .. }] =
            &outcomes[..]
        else {
            panic!("{outcomes:?}");
        };
        assert!(first.is_empty());
        assert!(last.iter().all(|conflict| conflict.key == b"n") && !last.is_empty(), "{last:?}");
        assert_eq!(finished, (2, Ending::GaveUp));
    }
}
