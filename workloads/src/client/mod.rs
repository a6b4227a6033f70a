//! Runs a client's actions against a store.
//!
//! Job: begin, execute, commit, retry with backoff, and write all of it down; go on after a crash where the
//! last life was cut.
//! Not its job: what a step does (`interpret`), and threads: a host calls [`Runner::run`] on one per client.
//!
//! * INV-CLIENT-1: an action that was acked is not done again; one that was cut before its commit is done;
//!   one whose commit was never answered is treated as its plan says ([`Unanswered`]).
//! * INV-CLIENT-2: whatever was recorded happened: an operation is recorded after it returned, a commit
//!   before it is called.

mod by_store;
mod limits;
mod single;

pub(crate) use single::NESTED;

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::environment::Environment;
use crate::history::{Life, Recorder, Session, TxnIndex};
use crate::interpret;
use crate::manner::{LoopBy, Manner, ViewBy};
use crate::notebook::{Ending, HeldRun, Note, NoteKind, Notebook, Progress};
use crate::plan::{Action, Client, End, Retry, Step, Transaction, Unanswered};
use crate::sibling;
use crate::store::{Chore, Committed, Result, Store, StoreError, TxnOptions};
use crate::tx::{Summary, Tx};
use crate::watching;
use crate::workload::Workload;

/// Everything that clients of one life share.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    /// What they run on.
    pub store: &'a dyn Store,
    /// Whose plan it is.
    pub workload: &'a dyn Workload,
    /// Their time.
    pub environment: &'a dyn Environment,
    /// Where the history is written down.
    pub recorder: &'a Recorder,
    /// Where everything else is written down, over all lives.
    pub notebook: &'a Notebook,
    /// Which life it is.
    pub life: Life,
}

/// Why a client stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It has done all its actions.
    Finished,
    /// The store takes no more writes; another life may go on from here.
    Closed(String),
}

/// How one attempt at an action went.
enum Attempt {
    Over(Ending),
    Again,
    Closed(String),
}

impl Runner<'_> {
    /// Runs a client to its end, or until the store is closed: from the start, or from where an earlier life
    /// was cut.
    pub fn run(&self, client: &Client) -> Stop {
        let mut progress = self.notebook.progress(client.session);
        let mut began = None;
        self.learn_ends(&mut progress);
        if progress.committing {
            progress.committing = false;
            if let Some(Action::Transaction(Transaction { unanswered: Unanswered::Skip, .. })) =
                client.actions.get(progress.next)
            {
                self.over(client.session, &mut progress, Ending::Unanswered, Duration::ZERO);
            }
        }
        while let Some(action) = client.actions.get(progress.next) {
            let start = *began.get_or_insert_with(|| self.environment.now());
            progress.attempts += 1;
            self.notebook.set_progress(client.session, &progress);
            let attempt = match action {
                Action::Transaction(transaction) => self.attempt(client.session, transaction, &mut progress),
                other => self.act(client.session, other, &mut progress),
            };
            match attempt {
                Attempt::Over(ending) => {
                    let took = self.environment.now().saturating_sub(start);
                    self.over(client.session, &mut progress, ending, took);
                    began = None;
                }
                Attempt::Again => self.back_off(client, &progress),
                Attempt::Closed(why) => {
                    self.notebook.set_progress(client.session, &progress);
                    self.note(client.session, None, NoteKind::Closed { why: why.clone() });
                    return Stop::Closed(why);
                }
            }
        }
        Stop::Finished
    }

    fn attempt(&self, session: Session, plan: &Transaction, progress: &mut Progress) -> Attempt {
        if self.leaves_to_store(plan) {
            return self.attempt_by_store(session, plan, progress);
        }
        let options = self.options(plan, progress);
        let called = self.recorder.tick();
        let timed = options.manner.timeout_micros.is_some();
        let before = timed.then(|| self.environment.now());
        let [earliest, _] = self.environment.store_time();
        let begun = self.store.begin(&options);
        let latest = self.environment.store_time_ever();
        let start_version = begun.as_ref().ok().and_then(|inner| inner.start_version());
        let index = self.recorder.begin(session, self.life, called, start_version, plan.isolation);
        let elapsed = || before.map(|before| self.environment.now().saturating_sub(before));
        let mut inner = match begun {
            Ok(inner) => {
                let run = plan.run.and_then(|slot| held(progress, slot));
                if let Some(run) = run.filter(|run| run.forgotten == Some(self.life)) {
                    let message = format!("run {} was forgotten, and a transaction began in it", run.run.0);
                    let broken = NoteKind::Broken { rule: "a forgotten run is gone".into(), message };
                    self.note(session, Some(index), broken);
                }
                inner
            }
            Err(error) => return self.failed(plan, progress, session, index, error, elapsed()),
        };
        let mut txn = Tx::new(*self, session, index, &mut *inner, [earliest, latest]).timed(timed);
        let done = plan.steps.iter().try_for_each(|step| interpret::execute(step, &mut txn));
        let summary = txn.summary();
        if let Err(error) = done {
            drop(inner);
            return self.failed(plan, progress, session, index, error, elapsed());
        }
        if plan.ends_run
            && let Some(slot) = plan.run
            && let Err(error) = self.end_run(session, slot, progress)
        {
            drop(inner);
            return self.failed(plan, progress, session, index, error, elapsed());
        }
        if plan.forgets_run
            && let Some(slot) = plan.run
            // A run that is forgotten already is no reason to stop.
            && let Err(error @ (StoreError::Closed(_) | StoreError::Full(_))) =
                self.forget_run(session, slot, progress)
        {
            drop(inner);
            return self.failed(plan, progress, session, index, error, elapsed());
        }
        // A backup has nothing to commit, and keeps nothing in the store, as a transaction would for as long
        // as it reads. The oracle expects that of what commits only.
        let is_backup = options.manner.view == Some(ViewBy::Backup);
        if plan.end != End::Commit || is_backup {
            if plan.end == End::Abort || is_backup {
                inner.abort();
            } else {
                drop(inner);
            }
            self.recorder.aborted(index, Vec::new());
            return Attempt::Over(Ending::Aborted);
        }
        progress.committing = true;
        self.notebook.set_progress(session, progress);
        self.recorder.commit(index);
        let answer = inner.commit();
        progress.committing = false;
        let summary = Summary { elapsed: elapsed(), ..summary };
        self.answered(session, index, plan, progress, summary, answer)
    }

    /// Returns how a transaction runs, by its plan.
    fn options(&self, plan: &Transaction, progress: &Progress) -> TxnOptions {
        let run = plan.run.and_then(|slot| held(progress, slot));
        TxnOptions {
            isolation: plan.isolation,
            read_only: plan.read_only,
            run: run.map(|held| held.run.clone()),
            manner: self.manner(plan),
        }
    }

    /// The manner in which a transaction runs on a store that knows more than one.
    fn manner(&self, plan: &Transaction) -> Manner {
        if plan.manner.is_usual() || !self.store.capabilities().acts {
            return Manner::default();
        }
        let mut manner = plan.manner.clone();
        // Loops that do not tell the commit: as for single calls.
        if self.environment.may_crash()
            && matches!(manner.loop_by, LoopBy::Plain | LoopBy::Try | LoopBy::With)
        {
            manner.loop_by = LoopBy::WithCommit;
        }
        manner
    }

    /// Records that the commit was answered.
    fn answered(
        &self,
        session: Session,
        index: TxnIndex,
        plan: &Transaction,
        progress: &Progress,
        summary: Summary,
        answer: Result<Committed>,
    ) -> Attempt {
        match answer {
            Ok(committed) => {
                self.recorder.committed(index, &committed);
                if let Some(message) = limits::passed(&self.manner(plan), summary) {
                    self.broken(session, index, limits::RULE, message);
                }
                if plan.read_only && summary.wrote {
                    let message = "it wrote, and committed".to_owned();
                    self.broken(session, index, "a read-only transaction writes nothing", message);
                }
                if summary.clocked {
                    let [_, latest] = self.environment.store_time();
                    self.note(session, Some(index), NoteKind::Acked { wall: micros(latest) });
                }
                let run = plan.run.and_then(|slot| held(progress, slot));
                let run = run.filter(|run| run.ended == Some(self.life));
                if summary.wrote
                    && let Some(run) = run
                {
                    let message = format!("run {} had ended, and still wrote", run.run.0);
                    self.broken(session, index, "an ended run writes nothing", message);
                }
                Attempt::Over(Ending::Done)
            }
            Err(StoreError::Indeterminate(_)) => {
                self.recorder.unknown(index);
                match plan.unanswered {
                    Unanswered::Skip => Attempt::Over(Ending::Unanswered),
                    Unanswered::Repeat => give_up_or(Attempt::Again, plan.retry, progress),
                }
            }
            Err(error) => self.failed(plan, progress, session, index, error, summary.elapsed),
        }
    }

    /// Records that the transaction failed with nothing done.
    fn failed(
        &self,
        plan: &Transaction,
        progress: &Progress,
        session: Session,
        index: TxnIndex,
        error: StoreError,
        elapsed: Option<Duration>,
    ) -> Attempt {
        let conflicts = match &error {
            StoreError::Conflict(conflicts) => conflicts.clone(),
            _ => Vec::new(),
        };
        self.recorder.aborted(index, conflicts);
        match error {
            StoreError::Conflict(_) | StoreError::Full(_) => give_up_or(Attempt::Again, plan.retry, progress),
            StoreError::Closed(why) => Attempt::Closed(why),
            StoreError::GaveUp => Attempt::Over(Ending::Aborted),
            error @ (StoreError::Limit { .. } | StoreError::TimedOut { .. }) => {
                if let Some(message) = limits::unfounded(&self.manner(plan), &error, elapsed) {
                    self.broken(session, index, limits::RULE, message);
                }
                Attempt::Over(Ending::Refused)
            }
            StoreError::Refused(error) | StoreError::Indeterminate(error) => {
                let ending = plan.run.and_then(|slot| held(progress, slot)).is_some_and(|run| run.ending);
                let may_be = |step: &Step| step.may_be_refused() || plan.read_only && step.may_write();
                let expected = ending || plan.steps.iter().any(may_be);
                let action = progress.next;
                self.note(session, Some(index), NoteKind::Refused { action, error, expected });
                Attempt::Over(Ending::Refused)
            }
        }
    }

    /// Performs an action that is not a transaction.
    fn act(&self, session: Session, action: &Action, progress: &mut Progress) -> Attempt {
        let has_ended = match action {
            Action::EndRun { slot } => held(progress, *slot).is_some_and(|run| run.ending),
            _ => false,
        };
        let done = match action {
            Action::Transaction(_) => unreachable!("run by `attempt`"),
            Action::Pause { micros } => {
                self.environment.sleep(Duration::from_micros(*micros));
                Ok(())
            }
            Action::Flush => {
                let called = self.recorder.tick();
                self.store.flush().map(|()| self.recorder.flushed(called))
            }
            Action::BeginRun { slot, parent } => {
                let parent = parent.and_then(|slot| held(progress, slot)).map(|held| held.run.clone());
                self.store.begin_run(parent.as_ref()).map(|run| {
                    progress.runs.retain(|held| held.slot != *slot);
                    progress.runs.push(HeldRun {
                        slot: *slot,
                        run,
                        ending: false,
                        ended: None,
                        forgotten: None,
                    });
                })
            }
            Action::EndRun { slot } => self.end_run(session, *slot, progress),
            Action::ForgetRun { slot } => self.forget_run(session, *slot, progress),
            Action::Item { .. } => Ok(()),
            Action::Watch(plan) => watching::watch(self, session, plan, progress),
            // A checkpoint may fail, as recovery will tell.
            Action::Chore { chore: Chore::Checkpoint } => {
                let _ = self.store.chore(Chore::Checkpoint);
                Ok(())
            }
            Action::Chore { chore } => self.store.chore(*chore),
            Action::Single { key, act, run } => {
                let run = held(progress, *run).map(|held| held.run.clone());
                self.single(session, run.as_ref(), key, act).map(drop)
            }
            Action::Sibling { name } => {
                let what = sibling::visit(self.store, name);
                self.note(session, None, what);
                Ok(())
            }
        };
        match done {
            Ok(()) => Attempt::Over(Ending::Done),
            Err(StoreError::Conflict(_) | StoreError::Full(_)) => {
                give_up_or(Attempt::Again, Retry::default(), progress)
            }
            Err(StoreError::Indeterminate(_)) => Attempt::Over(Ending::Unanswered),
            Err(StoreError::Closed(why)) => Attempt::Closed(why),
            Err(error) => {
                let error = error.to_string();
                let run = match action {
                    Action::BeginRun { parent, .. } => parent.and_then(|slot| held(progress, slot)),
                    // It may be forgotten already: a store may keep few that have ended.
                    Action::ForgetRun { slot } => held(progress, *slot),
                    _ => None,
                };
                let expected = has_ended || run.is_some_and(|run| run.ending);
                self.note(session, None, NoteKind::Refused { action: progress.next, error, expected });
                Attempt::Over(Ending::Refused)
            }
        }
    }

    /// Learns which runs the store takes for ended, by what an earlier life left: in this life too they must
    /// write nothing.
    fn learn_ends(&self, progress: &mut Progress) {
        for held in &mut progress.runs {
            let is_old = held.ended.is_some_and(|ended| ended < self.life);
            if is_old && self.store.run_has_ended(&held.run) == Some(true) {
                held.ended = Some(self.life);
            }
        }
    }

    fn end_run(&self, session: Session, slot: u32, progress: &mut Progress) -> Result<()> {
        let Some(at) = progress.runs.iter().position(|held| held.slot == slot) else { return Ok(()) };
        progress.runs[at].ending = true;
        self.notebook.set_progress(session, progress);
        self.store.end_run(&progress.runs[at].run)?;
        progress.runs[at].ended = Some(self.life);
        Ok(())
    }

    fn forget_run(&self, session: Session, slot: u32, progress: &mut Progress) -> Result<()> {
        let known = progress.runs.iter().position(|held| held.slot == slot && held.ended.is_some());
        let Some(at) = known.filter(|_| self.store.capabilities().retention) else { return Ok(()) };
        self.store.forget_run(&progress.runs[at].run)?;
        progress.runs[at].forgotten = Some(self.life);
        self.notebook.set_progress(session, progress);
        Ok(())
    }

    fn over(&self, session: Session, progress: &mut Progress, ending: Ending, took: Duration) {
        let (action, attempts) = (progress.next, progress.attempts);
        self.note(session, None, NoteKind::Finished { action, attempts, micros: micros(took), ending });
        progress.next += 1;
        progress.attempts = 0;
        self.notebook.set_progress(session, progress);
    }

    fn back_off(&self, client: &Client, progress: &Progress) {
        let retry = match &client.actions[progress.next] {
            Action::Transaction(transaction) => transaction.retry,
            _ => Retry::default(),
        };
        let doubled =
            retry.backoff_micros.saturating_mul(1 << progress.attempts.clamp(1, 20).saturating_sub(1));
        let longest = doubled.min(retry.backoff_micros_max);
        let position = (progress.next as u64) << 32 | u64::from(progress.attempts);
        let mut rng = ChaCha8Rng::seed_from_u64(client.seed ^ position);
        self.environment.sleep(Duration::from_micros(rng.random_range(0..=longest)));
    }

    fn broken(&self, session: Session, index: TxnIndex, rule: &str, message: String) {
        self.note(session, Some(index), NoteKind::Broken { rule: rule.into(), message });
    }

    pub(crate) fn note(&self, session: Session, txn: Option<TxnIndex>, what: NoteKind) {
        self.notebook.note(Note { session, txn, at: self.recorder.tick(), what });
    }
}

fn held(progress: &Progress, slot: u32) -> Option<&HeldRun> {
    progress.runs.iter().find(|held| held.slot == slot)
}

fn give_up_or(again: Attempt, retry: Retry, progress: &Progress) -> Attempt {
    if progress.attempts >= retry.attempts_max { Attempt::Over(Ending::GaveUp) } else { again }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
