//! The state of a running life, and the one place where it is decided who runs.
//!
//! Invariants:
//! * INV-LIFE-1: `runnable` holds, sorted, the tasks that may be chosen: those with [`Status::Runnable`], and those that
//!   wait with a deadline and were drawn to time out early.
//! * INV-LIFE-2: `current` is the task that runs, from the moment at which it was chosen.
//! * INV-LIFE-3: once `over` is set it stays, and no task runs any more, but for the main task's way out.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::afterlife::Stage;
use super::nudge::{EARLY, Listed, NOTIFY, RawNudge, SPURIOUS, STALL, What};
use super::schedule::{Decision, Decisions, RawForce, Schedule};
use super::task::{Status, Task};
use super::{KillAt, Life, LifeEnd, Nudges, Panic, Settings, StepLimit, TaskId, WaitGraph, Waiting};
use crate::op::{FNV_START, Op, OpId, OpKind, OpTable, mix, stable_hash};
use crate::strategy::{Choice, Strategy, point_hash, point_hash_of};
use crate::time::Instant;

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
    pub(crate) settings: Settings,
    pub(super) tasks: Vec<Task>,
    runnable: Vec<TaskId>,
    pub(super) current: TaskId,
    pub(super) over: Option<LifeEnd>,
    pub(super) stage: Stage,
    pub(super) entered: bool,
    /// How many tasks had not ended when the life did.
    pub(super) unfinished: usize,
    /// The main task's body has returned, but shuttle has not heard of it yet.
    main_exits: bool,

    step: u64,
    pub(super) now: u64,
    /// No deadline lies before this time.
    next_deadline: u64,
    /// The next step at which something is due that is not every step's business.
    next_event: u64,
    next_stall: u64,
    kill_point: Option<u64>,
    /// How many points in a row the current task has come to while others could run.
    in_a_row: u32,
    lock_waiters: u32,

    strategy: Box<dyn Strategy>,
    schedule_rng: ChaCha8Rng,
    stall_rng: ChaCha8Rng,

    ops: OpTable,
    digest: u64,
    interleaving: u64,
    switches: u64,
    preemptions: u64,
    decisions: Vec<Decision>,
    decided_at: u64,
    forces: Vec<RawForce>,
    /// The nudges that are listed, if they are.
    listed: Option<Listed>,
    nudges: Vec<RawNudge>,
    marks: Vec<(&'static str, u64)>,
    panics: Vec<Panic>,
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
        let listed = match &settings.nudges {
            Nudges::Random => None,
            Nudges::Only(nudges) => Some(Listed::new(nudges)),
        };
        let mut core = Self {
            tasks: vec![Task::new(Arc::from("main"), start)],
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
            next_stall: u64::MAX,
            kill_point,
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
            forces: Vec::new(),
            listed,
            nudges: Vec::new(),
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

    /// The current task comes to `op`: counts, hashes, and decides whether it goes on.
    #[inline]
    pub(crate) fn step(&mut self, op: Op, yields: bool) -> Flow {
        if self.over.is_some() {
            return self.step_after();
        }
        let id = self.ops.id(&op);
        let nth = self.tasks[self.current.index()].arrive(op, id);
        self.advance(id, u64::from(nth) << 1);
        if self.kill_point.is_some() && self.kill_point == Some(self.point_hash(false)) {
            self.over = Some(LifeEnd::Killed);
        }
        self.look_around(false);
        if self.over.is_some() {
            return Flow::Leave;
        }
        // While a task unwinds only those that have to wait make room, so that it is over soon.
        if self.runnable.len() == 1 || std::thread::panicking() {
            return Flow::Stay;
        }
        self.pick(true, yields, false)
    }

    /// Starts a task. It may be chosen from now on.
    pub(crate) fn spawn(&mut self, name: &str) -> TaskId {
        let id = TaskId(u16::try_from(self.tasks.len()).expect("a life has fewer than 65,536 tasks"));
        let path = self.tasks[self.current.index()].child_path(name, self.current == TaskId::MAIN);
        let start = self.ops.id(&Op::new(OpKind::Start, "", 0));
        self.tasks.push(Task::new(path, start));
        self.runnable.push(id);
        id
    }

    pub(crate) fn is_finished(&self, task: TaskId) -> bool {
        self.tasks[task.index()].status == Status::Ended
    }

    /// Blocks until `task` has ended; `None` if it has.
    pub(crate) fn block_on_end(&mut self, task: TaskId) -> Option<Flow> {
        if self.is_finished(task) {
            return None;
        }
        let op = Op::new(OpKind::Join, "", task.object());
        Some(self.block(op, Status::Blocked { object: op.object }, false))
    }

    pub(crate) fn block_on_lock(&mut self, op: Op) -> Flow {
        self.lock_waiters += 1;
        self.block(op, Status::Blocked { object: op.object }, false)
    }

    pub(crate) fn writer_waits(&self, op: &Op) -> bool {
        let waits = |task: &Task| {
            task.status == (Status::Blocked { object: op.object }) && task.pending.kind == OpKind::Write
        };
        self.lock_waiters > 0 && self.tasks.iter().any(waits)
    }

    pub(crate) fn acquired(&mut self, op: &Op) {
        let id = self.ops.id(op);
        self.tasks[self.current.index()].holds.push((op.object, id));
    }

    pub(crate) fn released(&mut self, op: &Op) {
        let holds = &mut self.tasks[self.current.index()].holds;
        if let Some(index) = holds.iter().rposition(|(object, _)| *object == op.object) {
            holds.remove(index);
        }
        if self.lock_waiters > 0 {
            self.lock_waiters -= self.wake_blocked(op.object);
        }
    }

    pub(crate) fn notify_one(&mut self, op: &Op) {
        let waiters = self.waiters(op.object);
        let Some(first) = waiters.first() else { return };
        let to = match &self.listed {
            None => waiters[(self.keyed(NOTIFY) % waiters.len() as u64) as usize],
            Some(listed) => {
                let path = listed.get(self.point_hash(false), NOTIFY);
                let listed = waiters.iter().find(|task| Some(self.tasks[task.index()].path_hash) == path);
                *listed.unwrap_or(first)
            }
        };
        if to != *first {
            self.note(What::Notify { to }, false);
        }
        self.wake(to, false);
    }

    pub(crate) fn notify_all(&mut self, op: &Op) {
        for waiter in self.waiters(op.object) {
            self.wake(waiter, false);
        }
    }

    /// Waits for a notification on `op`'s object; whether by a timeout is then told by [`Self::timed_out`].
    pub(crate) fn block_on_condition(&mut self, op: Op, deadline: Option<u64>) -> Flow {
        if self.over.is_some() {
            return self.wait_after(deadline);
        }
        let is_due = deadline.is_some_and(|deadline| deadline <= self.now);
        if !is_due && self.is_nudged(SPURIOUS, self.settings.spurious_wakeups_per_mille) {
            self.note(What::SpuriousWakeup, false);
            return self.go_around(op, false);
        }
        self.wait(op, deadline)
    }

    /// Waits for a time.
    pub(crate) fn block_until(&mut self, op: Op, deadline: u64) -> Flow {
        self.wait(op, Some(deadline))
    }

    /// Whether the current task's last wait ended because the time was up.
    pub(crate) fn timed_out(&self) -> bool {
        self.tasks[self.current.index()].timed_out
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

    /// The current task ends. The life is over with the main task; else somebody else is chosen.
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

    pub(crate) fn into_life(mut self) -> (Life, OpTable) {
        self.marks.sort_unstable();
        self.strategy.end(&self.tasks);
        let life = Life {
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
                forces: self.forces,
                nudges: self.nudges,
                tasks: self.tasks.into_iter().map(|task| task.path).collect(),
                ops: self.ops.shared(),
            },
            report: self.strategy.report(),
            strategy: self.strategy,
        };
        (life, self.ops)
    }

    /// One more step: time passes, and what happened goes into the digest.
    #[inline]
    fn advance(&mut self, id: OpId, salt: u64) {
        self.step += 1;
        self.now += self.settings.step_nanos;
        if self.now >= self.next_deadline {
            self.fire_timers();
        }
        let who = self.tasks[self.current.index()].path_hash;
        self.digest = mix(self.digest, who ^ self.ops.name(id).hash.wrapping_add(salt));
    }

    #[inline]
    fn look_around(&mut self, blocked: bool) {
        if self.step >= self.next_event {
            self.event(blocked);
        }
        if self.listed.is_some() {
            self.stall_as_listed(blocked);
        }
    }

    #[cold]
    fn stall_as_listed(&mut self, blocked: bool) {
        let here = self.point_hash(blocked);
        if let Some(nanos) = self.listed.as_ref().and_then(|listed| listed.get(here, STALL)) {
            self.stall(nanos, blocked);
        }
    }

    fn stall(&mut self, nanos: u64, blocked: bool) {
        self.note(What::Stall { nanos }, blocked);
        self.now += nanos;
        self.fire_timers();
    }

    #[cold]
    fn event(&mut self, blocked: bool) {
        // A life that ends while a task unwinds costs the OS thread; wait for that to be over, if it ever is.
        if std::thread::panicking() && self.step < self.settings.steps_max.saturating_mul(2) {
            return;
        }
        if self.settings.kill == Some(KillAt::Step(self.step)) {
            self.over = Some(LifeEnd::Killed);
        } else if self.step >= self.settings.steps_max {
            self.over = Some(LifeEnd::StepLimit(StepLimit { steps: self.step, tasks: self.wait_graph() }));
        } else if self.step >= self.next_stall {
            let nanos = u64::try_from(self.settings.stall_max.as_nanos()).unwrap_or(u64::MAX);
            let nanos = below(&mut self.stall_rng, nanos.max(1));
            self.stall(nanos, blocked);
            self.draw_stall();
        }
        self.plan_event();
    }

    fn plan_event(&mut self) {
        let kill = match self.settings.kill {
            Some(KillAt::Step(step)) if step > self.step => step,
            _ => u64::MAX,
        };
        self.next_event = kill.min(self.settings.steps_max).min(self.next_stall);
    }

    fn draw_stall(&mut self) {
        self.next_stall = match u64::from(self.settings.stalls_per_million) {
            0 => u64::MAX,
            _ if self.listed.is_some() => u64::MAX,
            rate => self.step + 1 + below(&mut self.stall_rng, (2_000_000 / rate).max(1)),
        };
    }

    fn wait(&mut self, op: Op, deadline: Option<u64>) -> Flow {
        if self.over.is_some() {
            return self.wait_after(deadline);
        }
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            return self.go_around(op, true);
        }
        let early = deadline.is_some() && self.is_nudged(EARLY, self.settings.early_timeouts_per_mille);
        if early {
            self.note(What::EarlyTimeout, false);
        }
        self.next_deadline = self.next_deadline.min(deadline.unwrap_or(u64::MAX));
        self.block(op, Status::Waiting { object: op.object, deadline }, early)
    }

    /// A wait that is over at once: others may run, nothing more.
    fn go_around(&mut self, op: Op, timed_out: bool) -> Flow {
        self.tasks[self.current.index()].timed_out = timed_out;
        self.stop_at(op, None, |core| core.pick(true, true, true))
    }

    fn block(&mut self, op: Op, status: Status, selectable: bool) -> Flow {
        let deadline = match status {
            Status::Waiting { deadline, .. } => deadline,
            _ => None,
        };
        self.stop_at(op, deadline, |core| {
            core.tasks[core.current.index()].status = status;
            if !selectable {
                let me = core.current;
                core.runnable.retain(|task| *task != me);
            }
            core.pick(false, false, true)
        })
    }

    /// The current task finds at `op` that it has to wait, and `pick` chooses who runs.
    fn stop_at(&mut self, op: Op, deadline: Option<u64>, pick: impl FnOnce(&mut Self) -> Flow) -> Flow {
        if self.over.is_some() {
            return self.wait_after(deadline);
        }
        let id = self.ops.id(&op);
        let nth = self.tasks[self.current.index()].stop_at(op, id);
        self.advance(id, u64::from(nth) << 1 | 1);
        self.look_around(true);
        if self.over.is_some() { Flow::Leave } else { pick(self) }
    }

    /// Chooses who runs next. The current task may go on if it `can_stay`, would rather not if it `yields`, and is
    /// `blocked` if it is in the middle of its operation.
    fn pick(&mut self, can_stay: bool, yields: bool, blocked: bool) -> Flow {
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
        let mut to = self.strategy.choose(&choice, &mut self.schedule_rng);
        if self.runnable.binary_search(&to).is_err() {
            to = default;
        }
        self.in_a_row = if to == self.current { self.in_a_row + 1 } else { 0 };
        if to != default {
            let me = &self.tasks[self.current.index()];
            let (op, nth) = (me.pending_id, me.nth(blocked));
            self.forces.push(RawForce { task: self.current, op, nth, blocked, to });
        }
        if to != self.current || !can_stay {
            self.decisions.push(Decision { after: self.step - self.decided_at, to });
            self.decided_at = self.step;
        }
        self.go(to, can_stay)
    }

    fn go(&mut self, to: TaskId, could_stay: bool) -> Flow {
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
        self.current = to;
        Flow::Switch
    }

    /// Nobody can run: jumps to the next deadline. Returns whether there is one.
    fn idle(&mut self) -> bool {
        let deadline = self.tasks.iter().filter_map(Task::deadline).min();
        if let Some(deadline) = deadline {
            self.now = self.now.max(deadline);
            self.fire_timers();
        }
        deadline.is_some()
    }

    #[cold]
    fn fire_timers(&mut self) {
        self.next_deadline = u64::MAX;
        for index in 0..self.tasks.len() {
            match self.tasks[index].deadline() {
                Some(deadline) if deadline <= self.now => self.wake(TaskId(index as u16), true),
                Some(deadline) => self.next_deadline = self.next_deadline.min(deadline),
                None => {}
            }
        }
    }

    fn wake(&mut self, task: TaskId, timed_out: bool) {
        self.tasks[task.index()].status = Status::Runnable;
        self.tasks[task.index()].timed_out = timed_out;
        if let Err(index) = self.runnable.binary_search(&task) {
            self.runnable.insert(index, task);
        }
    }

    /// Lets those go on that are blocked on `object`; returns how many.
    fn wake_blocked(&mut self, object: usize) -> u32 {
        let mut woken = 0;
        for index in 0..self.tasks.len() {
            if self.tasks[index].status == (Status::Blocked { object }) {
                self.wake(TaskId(index as u16), false);
                woken += 1;
            }
        }
        woken
    }

    fn waiters(&self, object: usize) -> Vec<TaskId> {
        let waits = |task: &Task| matches!(task.status, Status::Waiting { object: on, .. } if on == object);
        let tasks = self.tasks.iter().enumerate();
        tasks.filter(|(_, task)| waits(task)).map(|(index, _)| TaskId(index as u16)).collect()
    }

    fn point_hash(&self, blocked: bool) -> u64 {
        let me = &self.tasks[self.current.index()];
        point_hash(me.path_hash, self.ops.name(me.pending_id).hash, me.nth(blocked), blocked)
    }

    /// A draw that depends on the seed and on where in its own work the task is, and on nothing else: other draws, and
    /// what other tasks do, leave it as it is.
    fn keyed(&self, purpose: u64) -> u64 {
        mix(mix(self.settings.seed, purpose), self.point_hash(false))
    }

    fn is_nudged(&self, kind: u64, per_mille: u16) -> bool {
        match &self.listed {
            None => self.keyed(kind) % 1000 < u64::from(per_mille),
            Some(listed) => listed.get(self.point_hash(false), kind).is_some(),
        }
    }

    fn note(&mut self, what: What, blocked: bool) {
        let me = &self.tasks[self.current.index()];
        let (op, nth) = (me.pending_id, me.nth(blocked));
        self.nudges.push(RawNudge { task: self.current, op, nth, blocked, what });
    }

    fn wait_graph(&self) -> WaitGraph {
        let unfinished = self.tasks.iter().filter(|task| task.status != Status::Ended);
        WaitGraph { tasks: unfinished.map(|task| self.waiting(task)).collect() }
    }

    fn waiting(&self, task: &Task) -> Waiting {
        let op_text = |id: &OpId| {
            let name = self.ops.name(*id);
            Op::new(name.kind, name.label, 0).to_string()
        };
        let holds = |other: &&Task, object: usize| other.holds.iter().any(|(held, _)| *held == object);
        let on = match task.status {
            Status::Blocked { object } if object <= self.tasks.len() => {
                vec![self.tasks[object - 1].path.to_string()]
            }
            Status::Blocked { object } => {
                let holders = self.tasks.iter().filter(|other| holds(other, object));
                holders.map(|other| other.path.to_string()).collect()
            }
            _ => Vec::new(),
        };
        let often = task.counts.iter().enumerate().max_by_key(|(_, count)| **count);
        let most_often = often.map(|(index, count)| (op_text(&OpId(index as u16)), *count));
        Waiting {
            task: task.path.to_string(),
            op: task.pending.to_string(),
            runnable: task.status == Status::Runnable,
            on,
            holds: task.holds.iter().map(|(_, id)| op_text(id)).collect(),
            most_often: most_often.unwrap_or_default(),
        }
    }
}

/// The task behind `task` in the circle of those that can run.
pub(crate) fn next_after(runnable: &[TaskId], task: TaskId) -> TaskId {
    let index = runnable.partition_point(|other| *other <= task);
    runnable[index % runnable.len()]
}

/// A number below `bound`, uniform but for a bias that no schedule can feel.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// The sub-stream of `seed` that is called `label`.
pub fn stream(seed: u64, label: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stable_hash(FNV_START, label.as_bytes()));
    rng
}
