//! The state of a running life, and the one place that decides which task runs. What tasks wait for is in
//! `waits`, what chance does in `chance`, what happens after the end in `afterlife`.
//!
//! Invariants:
//! * INV-CORE-1: `runnable` holds, sorted, the tasks that may be chosen: those with [`Status::Runnable`], and
//!   those that wait with a deadline and were drawn to time out early.
//! * INV-CORE-2: `current` is the task that runs, from the moment at which it was chosen.
//! * INV-CORE-3: once `over` is set it stays, and no task runs any more, but for the main task's way out.

use std::sync::atomic::Ordering;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::afterlife::Stage;
use super::injected_event::{Listed, RawInjectedEvent};
use super::schedule::{Decision, Decisions, RawForcedSwitch, Schedule};
use super::starvation::WaitMonitor;
use super::task::{Status, Task};
use super::trail::Draw;
use super::{InjectedEvents, KillAt, LifeEnd, LifeOutcome, Panic, Settings, Step, TaskId, Watch};
use crate::op::{FNV_START, Op, OpId, OpKind, OpTable, mix, stable_hash};
use crate::strategy::{Choice, Strategy, point_hash_of};
use crate::time::Instant;

/// How many lives there have been in this process.
#[expect(clippy::disallowed_types, reason = "tells lives apart, and decides nothing in any of them")]
static LIVES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// What the current task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It goes on.
    Stay,
    /// It switches to the task that was chosen.
    Switch,
    /// The life is over: it never comes back.
    Leave,
}

/// What shuttle is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Run(TaskId),
    Stop,
}

pub(crate) struct Core {
    /// Its number in this process.
    pub(super) id: u64,
    pub(crate) settings: Settings,
    pub(super) tasks: Vec<Task>,
    pub(super) runnable: Vec<TaskId>,
    pub(super) current: TaskId,
    pub(super) over: Option<LifeEnd>,
    pub(super) stage: Stage,
    pub(super) entered: bool,
    /// How many tasks had not ended when the life did.
    pub(super) unfinished: usize,
    /// The main task's body has returned, but shuttle has not heard of it yet.
    pub(super) main_exits: bool,

    pub(super) step: u64,
    pub(super) now: u64,
    /// No deadline lies before this time.
    pub(super) next_deadline: u64,
    /// The next step at which something is due that is not every step's business.
    pub(super) next_event: u64,
    /// The step at which to ask whether the life is given up.
    pub(super) next_cancel: u64,
    pub(super) next_stall: u64,
    pub(super) kill_point: Option<u64>,
    /// The current task was switched to although the one before could have gone on, and has made no step
    /// since.
    pub(super) preempted: bool,
    pub(super) monitor: WaitMonitor,
    /// How many points in a row the current task has come to while others could run.
    pub(super) in_a_row: u32,
    pub(super) lock_waiters: u32,

    pub(super) strategy: Box<dyn Strategy>,
    pub(super) schedule_rng: ChaCha8Rng,
    pub(super) stall_rng: ChaCha8Rng,

    pub(super) ops: OpTable,
    pub(super) digest: u64,
    pub(super) interleaving: u64,
    pub(super) switches: u64,
    pub(super) preemptions: u64,
    pub(super) decisions: Vec<Decision>,
    pub(super) decided_at: u64,
    pub(super) forced_switches: Vec<RawForcedSwitch>,
    /// The injected events that are listed, if they are.
    pub(super) listed: Option<Listed>,
    pub(super) injected_events: Vec<RawInjectedEvent>,
    /// All that went into the digest, if it is kept.
    pub(super) trail: Option<Vec<Draw>>,
    pub(super) marks: Vec<(&'static str, u64)>,
    pub(super) panics: Vec<Panic>,
}

impl Core {
    pub(crate) fn new(settings: Settings, mut strategy: Box<dyn Strategy>, mut ops: OpTable) -> Self {
        let mut schedule_rng = stream(settings.seed, "schedule");
        strategy.begin(&mut schedule_rng);
        let start = ops.id(&Op::new(OpKind::Start, "", 0));
        let kill_point = match &settings.kill {
            Some(KillAt::Point(key)) => Some(point_hash_of(key)),
            _ => None,
        };
        let listed = match &settings.injected_events {
            InjectedEvents::Random => None,
            InjectedEvents::Only(injected_events) => Some(Listed::new(injected_events)),
        };
        let mut core = Self {
            id: LIVES.fetch_add(1, Ordering::Relaxed),
            tasks: vec![Task::new("main", start)],
            runnable: vec![TaskId::MAIN],
            current: TaskId::MAIN,
            over: None,
            stage: Stage::Before,
            entered: false,
            unfinished: 0,
            main_exits: false,
            step: 0,
            now: settings.start.as_nanos(),
            next_deadline: u64::MAX,
            next_event: 0,
            next_cancel: if settings.cancel.is_some() { 0 } else { u64::MAX },
            next_stall: u64::MAX,
            kill_point,
            preempted: false,
            monitor: WaitMonitor::new(&settings),
            in_a_row: 0,
            lock_waiters: 0,
            strategy,
            schedule_rng,
            stall_rng: stream(settings.seed, "stall"),
            ops,
            digest: FNV_START,
            interleaving: FNV_START,
            switches: 0,
            preemptions: 0,
            decisions: Vec::new(),
            decided_at: 0,
            forced_switches: Vec::new(),
            listed,
            injected_events: Vec::new(),
            trail: settings.trail.then(Vec::new),
            marks: Vec::new(),
            panics: Vec::new(),
            settings,
        };
        core.draw_stall();
        core.plan_event();
        core
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Handles the arrival of the current task at `op`, before the operation: counts, hashes, and decides
    /// whether the task goes on.
    ///
    /// The order of these steps is part of every digest and of every trace.
    #[inline]
    pub(crate) fn step(&mut self, op: Op, yields: bool) -> Flow {
        // Destructors that run after the end come here too: they must leave no mark in the outcome.
        if self.over.is_some() {
            return self.step_after();
        }
        // Counted before anything is decided: kill points, listed events and forced switches name this
        // arrival by its count, and would each mean the arrival before it otherwise.
        let id = self.ops.id(&op);
        let nth = self.tasks[self.current.index()].arrive(op, id);
        // Time passes before the choice, so that a task whose deadline lies at this step can be chosen at
        // this step.
        self.advance(id, u64::from(nth) << 1);
        // A kill comes before everything else that may end the life here: a trace that names a point must be
        // cut there also when the same step is the last one that the step limit allows.
        if self.kill_point.is_some() && self.kill_point == Some(self.point_hash(false)) {
            self.over = Some(LifeEnd::Killed);
        }
        self.handle_due(false);
        // Asked before the strategy: it must not draw for a life that is over, or its next life would begin
        // elsewhere in its stream than when this one is replayed.
        if self.over.is_some() {
            return Flow::Leave;
        }
        // Without a choice the strategy is not asked, so that it draws once per choice and not once per step.
        // And while a task unwinds only those that have to wait make room, so that it is over soon.
        if self.runnable.len() == 1 || std::thread::panicking() {
            return Flow::Stay;
        }
        self.pick(true, yields, false)
    }

    /// Returns a scheduling operation on a task as its object.
    pub(crate) fn task_op(&self, kind: OpKind, task: TaskId) -> Op {
        Op::new(kind, self.tasks[task.index()].path, task.object())
    }

    /// Returns a text as a label.
    pub(crate) fn intern(&mut self, text: &str) -> &'static str {
        self.ops.intern(text)
    }

    /// Starts a task. It may be chosen from now on.
    pub(crate) fn spawn(&mut self, name: &str) -> TaskId {
        let id = TaskId(u16::try_from(self.tasks.len()).expect("a life has fewer than 65,536 tasks"));
        let path = self.tasks[self.current.index()].child_path(name, self.current == TaskId::MAIN);
        let path = self.ops.intern(&path);
        let start = self.ops.id(&Op::new(OpKind::Start, "", 0));
        self.tasks.push(Task::new(path, start));
        self.runnable.push(id);
        id
    }

    pub(crate) fn mark(&mut self, name: &'static str) {
        if self.over.is_some() {
            return;
        }
        match self.marks.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => self.marks.push((name, 1)),
        }
    }

    pub(crate) fn crash(&mut self) {
        self.over.get_or_insert(LifeEnd::Killed);
    }

    pub(crate) fn task_panicked(&mut self, mut panic: Panic) {
        if self.over.is_some() {
            return;
        }
        panic.task = self.tasks[self.current.index()].path.to_string();
        if self.current == TaskId::MAIN || self.settings.panic_ends_life {
            self.over = Some(LifeEnd::Panicked(panic.clone()));
        }
        self.panics.push(panic);
    }

    /// Ends the current task. The life is over with the main task; else another task is chosen.
    pub(crate) fn task_ended(&mut self) {
        if self.over.is_some() {
            self.tasks[self.current.index()].status = Status::Ended;
            self.main_exits |= self.current == TaskId::MAIN;
            return;
        }
        let op = Op::new(OpKind::End, "", 0);
        let id = self.ops.id(&op);
        let me = self.current;
        self.tasks[me.index()].arrive(op, id);
        self.advance(id, 0);
        self.tasks[me.index()].status = Status::Ended;
        self.runnable.retain(|task| *task != me);
        // Before the next choice: a task that joins this one must be among those to choose from, or the last
        // two tasks of a life would look like a deadlock.
        self.wake_blocked(me.object());
        if me == TaskId::MAIN {
            self.main_exits = true;
            self.over = Some(LifeEnd::Completed);
        }
        if self.over.is_none() {
            self.pick(false, false, false);
        }
    }

    pub(crate) fn take_next(&mut self) -> Next {
        match self.over {
            None => Next::Run(self.current),
            Some(_) if std::mem::take(&mut self.main_exits) => Next::Run(TaskId::MAIN),
            Some(_) => self.next_after_end(),
        }
    }

    pub(crate) fn into_life(mut self) -> (LifeOutcome, OpTable) {
        self.marks.sort_unstable();
        self.strategy.end(&self.tasks);
        let life = LifeOutcome {
            end: self.over.unwrap_or(LifeEnd::Killed),
            digest: mix(self.digest, self.now),
            interleaving: self.interleaving,
            steps: self.step,
            switches: self.switches,
            preemptions: self.preemptions,
            time: Instant::from_nanos(self.now),
            reached: self.marks,
            panics: self.panics,
            unfinished: self.unfinished,
            schedule: Schedule {
                decisions: Decisions(self.decisions),
                forced_switches: self.forced_switches,
                injected_events: self.injected_events,
                tasks: self.tasks.into_iter().map(|task| task.path).collect(),
                ops: self.ops.shared(),
            },
            trail: self.trail.unwrap_or_default(),
            report: self.strategy.report(),
            strategy: self.strategy,
        };
        (life, self.ops)
    }

    /// Advances by one step: time passes, and what happened goes into the digest.
    #[inline]
    pub(super) fn advance(&mut self, id: OpId, salt: u64) {
        self.step += 1;
        self.now += self.settings.step_nanos;
        if self.now >= self.next_deadline {
            self.fire_timers();
        }
        let who = self.tasks[self.current.index()].path_hash;
        self.digest = mix(self.digest, who ^ self.ops.name(id).hash.wrapping_add(salt));
        let preempted = std::mem::take(&mut self.preempted);
        if let Some(Watch(watcher)) = &self.settings.watch {
            let (name, path) = (self.ops.name(id), self.tasks[self.current.index()].path);
            let (kind, label) = (name.kind, name.label);
            watcher.step(&Step { task: self.current, path, kind, label, preempted });
        }
        let (task, now) = (self.current, self.now);
        self.keep(|| Draw::Point { task, op: id, nth: (salt >> 1) as u32, blocked: salt & 1 == 1, now });
    }

    /// Chooses which task runs next. The current task may go on if it `can_stay`, would rather not if it
    /// `yields`, and is `blocked` if it is in the middle of its operation.
    pub(super) fn pick(&mut self, can_stay: bool, yields: bool, blocked: bool) -> Flow {
        if self.runnable.is_empty() && !self.idle() {
            self.over = Some(LifeEnd::Deadlock(self.wait_graph()));
            return Flow::Leave;
        }
        if let [only] = self.runnable[..] {
            return self.go(only, can_stay);
        }
        let overstays = self.in_a_row >= self.settings.steps_in_a_row_max;
        let choice = Choice {
            step: self.step,
            current: self.current,
            can_stay,
            yields: yields || overstays,
            blocked,
            runnable: &self.runnable,
            tasks: &self.tasks,
            ops: &self.ops,
        };
        let default = choice.default();
        // The strategy is asked also where turns overrule it: how much it draws must not depend on the bounds
        // that are watched.
        let mut to = self.strategy.choose(&choice, &mut self.schedule_rng);
        if self.monitor.fair {
            to = self.monitor.turn(&choice);
        }
        // A trace of older code may name a task that can't run here.
        if (to != self.current || !can_stay) && self.runnable.binary_search(&to).is_err() {
            to = default;
        }
        self.keep(|| Draw::Choice { to });
        self.in_a_row = if to == self.current { self.in_a_row + 1 } else { 0 };
        // Named where it differs from what a replay without it would do: this is what a shrunk trace holds.
        if to != default {
            let me = &self.tasks[self.current.index()];
            let (op, nth) = (me.pending_id, me.nth(blocked));
            self.forced_switches.push(RawForcedSwitch { task: self.current, op, nth, blocked, to });
        }
        if to != self.current || !can_stay {
            self.decisions.push(Decision { after: self.step - self.decided_at, to });
            self.decided_at = self.step;
        }
        self.go(to, can_stay)
    }

    fn go(&mut self, to: TaskId, could_stay: bool) -> Flow {
        // A waiting task was drawn to time out early: time jumps to its deadline before it runs, and all
        // others that are due by then wake with it, or they would sleep past their time.
        if let Some(deadline) = self.tasks[to.index()].deadline() {
            self.now = self.now.max(deadline);
            self.fire_timers();
        }
        if to == self.current {
            return Flow::Stay;
        }
        let who = self.tasks[to.index()].path_hash;
        self.digest = mix(self.digest, who);
        self.interleaving = mix(self.interleaving, who.wrapping_add(self.step));
        self.switches += 1;
        self.preemptions += u64::from(could_stay);
        self.preempted = could_stay;
        self.current = to;
        Flow::Switch
    }
}

/// Returns the task after `task` in the circle of those that can run.
pub(crate) fn next_after(runnable: &[TaskId], task: TaskId) -> TaskId {
    let index = runnable.partition_point(|other| *other <= task);
    runnable[index % runnable.len()]
}

/// Draws a number below `bound`, uniform but for a negligible bias.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// Returns the sub-stream of `seed` that is called `label`.
pub fn stream(seed: u64, label: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stable_hash(FNV_START, label.as_bytes()));
    rng
}
