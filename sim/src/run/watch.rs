//! An observer of a run: every step of every task, in one order with the recorded events.
//!
//! Job: what reports need beyond the history: the interleaving, and when something happened that is no event
//! (a fault, a version that was published). Not its job: to influence the run (INV-WATCH-1 of
//! `stormproof_rt_shuttle`).
//!
//! Time here is finer than that of the history: it advances with each step and with each point in the order
//! of the history, so that no two of them share a time.

use std::collections::BTreeMap;

use stormproof_faults::Operation;
use stormproof_rt::sync::{Arc, Mutex};
use stormproof_rt_shuttle::life::{Step, Watcher};
use stormproof_rt_shuttle::op::OpKind;
use stormproof_workloads::history::{Recorder, Time};

use crate::landmarks::{DURABLE, PUBLISHED};

/// Observes a run.
#[derive(Debug)]
pub(super) struct Onlooker {
    recorder: Recorder,
    seen: Mutex<Watched>,
}

/// What was seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The steps, in order.
    pub steps: Vec<WatchedStep>,
    /// What was published and what was durable, whenever either changed, in order.
    pub frontier: Vec<WatchedFrontier>,
    /// The step before each operation of a disk: when it was asked for, and by which task. By number and
    /// file, as the small databases beside the store have disks that count for themselves.
    pub operations: BTreeMap<(u64, String), usize>,
    /// How many steps there were when each life began.
    pub lives: Vec<usize>,
}

/// One step of one task.
#[derive(Clone, Copy, Debug)]
pub struct WatchedStep {
    /// The last point in the order of the history before it.
    pub after: Time,
    /// The path of the task.
    pub task: &'static str,
    /// What it was about to do …
    pub kind: OpKind,
    /// … and on what.
    pub label: &'static str,
    /// Whether the task before could have gone on.
    pub preempted: bool,
}

/// What was published and what was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedFrontier {
    /// In which life.
    pub life: usize,
    /// How many steps there had been.
    pub steps: usize,
    /// The last point in the order of the history before.
    pub after: Time,
    /// The newest version that a new transaction sees; `None` before it is first known.
    pub published: Option<u64>,
    /// The newest version that survives a crash; `None` before it is first known.
    pub durable: Option<u64>,
}

impl Onlooker {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder, seen: Mutex::new("run.onlooker", Watched::default()) }
    }

    pub(super) fn begin_life(&self) {
        let mut seen = self.seen.lock();
        let steps = seen.steps.len();
        seen.lives.push(steps);
    }

    /// Notes that the disk is asked for an operation.
    pub(super) fn operation(&self, operation: &Operation) {
        let mut seen = self.seen.lock();
        let step = seen.steps.len().saturating_sub(1);
        seen.operations.insert((operation.number, operation.file.to_string()), step);
    }

    pub(super) fn take(&self) -> Watched {
        std::mem::take(&mut *self.seen.lock())
    }
}

impl Watcher for Onlooker {
    fn step(&self, step: &Step) {
        let Step { path, kind, label, preempted, .. } = *step;
        let after = self.recorder.now();
        self.seen.lock().steps.push(WatchedStep { after, task: path, kind, label, preempted });
    }

    fn value(&self, label: &'static str, value: u64) {
        if label != PUBLISHED && label != DURABLE {
            return;
        }
        let after = self.recorder.now();
        let mut seen = self.seen.lock();
        let life = seen.lives.len().saturating_sub(1);
        let last = seen.frontier.last().copied().filter(|last| last.life == life);
        let (mut published, mut durable) = last.map_or((None, None), |last| (last.published, last.durable));
        if label == PUBLISHED {
            published = Some(value)
        } else {
            durable = Some(value)
        }
        if last.is_none_or(|last| (last.published, last.durable) != (published, durable)) {
            let steps = seen.steps.len();
            seen.frontier.push(WatchedFrontier { life, steps, after, published, durable });
        }
    }
}

/// Two observers of one life.
pub(super) struct Both(pub(super) Arc<dyn Watcher>, pub(super) Arc<dyn Watcher>);

impl Watcher for Both {
    fn step(&self, step: &Step) {
        self.0.step(step);
        self.1.step(step);
    }

    fn value(&self, label: &'static str, value: u64) {
        self.0.value(label, value);
        self.1.value(label, value);
    }
}

impl Watched {
    /// Returns the time of a step, by its number from 0.
    pub fn time_of_step(&self, step: usize) -> Time {
        self.steps.get(step).map_or(0, |seen| step as Time + 1 + seen.after)
    }

    /// Returns the time of a point in the order of the history.
    pub fn time_of_event(&self, at: Time) -> Time {
        at + self.steps.partition_point(|step| step.after < at) as Time
    }
}

#[cfg(test)]
mod tests {
    use stormproof_rt_shuttle::op::OpKind;

    use super::{Watched, WatchedStep};

    #[test]
    fn steps_and_events_stand_in_one_order_and_none_shares_its_time() {
        let step =
            |after| WatchedStep { after, task: "main", kind: OpKind::At, label: "here", preempted: false };
        let watched = Watched { steps: [0, 0, 2, 2, 5].map(step).to_vec(), ..Watched::default() };
        let steps: Vec<_> = (0..5).map(|n| watched.time_of_step(n)).collect();
        let events: Vec<_> = (1..=6).map(|at| watched.time_of_event(at)).collect();
        assert_eq!(steps, [1, 2, 5, 6, 10]);
        assert_eq!(events, [3, 4, 7, 8, 9, 11]);
    }
}
