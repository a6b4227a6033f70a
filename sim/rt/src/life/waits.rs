//! Waiting and waking: what blocks a task, and what makes it runnable again.
//!
//! All tasks that wait for a lock, or for a task's end, are woken when it is released, and try again: the one
//! that is chosen first gets it. Deadlines fire when time has passed them, and time jumps to the next one
//! when no task can run.

use super::TaskId;
use super::core::{Core, Flow};
use super::injected_event::{EARLY, NOTIFY, RawEventKind, SPURIOUS};
use super::task::{Status, Task};
use crate::op::{Op, OpKind};

impl Core {
    pub(crate) fn is_finished(&self, task: TaskId) -> bool {
        self.tasks[task.index()].status == Status::Ended
    }

    /// Blocks until `task` has ended; `None` if it has.
    pub(crate) fn block_on_end(&mut self, task: TaskId) -> Option<Flow> {
        if self.is_finished(task) {
            return None;
        }
        let op = self.task_op(OpKind::Join, task);
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
        self.tasks[self.current.index()].holds.push(*op);
    }

    pub(crate) fn released(&mut self, op: &Op) {
        let holds = &mut self.tasks[self.current.index()].holds;
        if let Some(index) = holds.iter().rposition(|held| held.object == op.object) {
            holds.swap_remove(index);
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
            self.note(RawEventKind::Notify { to }, false);
        }
        self.wake(to, false);
    }

    pub(crate) fn notify_all(&mut self, op: &Op) {
        for waiter in self.waiters(op.object) {
            self.wake(waiter, false);
        }
    }

    /// Waits for a notification on `op`'s object; [`Self::timed_out`] then says whether the wait timed out.
    pub(crate) fn block_on_condition(&mut self, op: Op, deadline: Option<u64>) -> Flow {
        if self.over.is_some() {
            return self.wait_after(deadline);
        }
        let is_due = deadline.is_some_and(|deadline| deadline <= self.now);
        if !is_due && self.is_injected(SPURIOUS, self.settings.spurious_wakeups_per_mille) {
            self.note(RawEventKind::SpuriousWakeup, false);
            return self.go_around(op, false);
        }
        self.wait(op, deadline)
    }

    /// Waits for a time.
    pub(crate) fn block_until(&mut self, op: Op, deadline: u64) -> Flow {
        self.wait(op, Some(deadline))
    }

    /// Returns whether the current task's last wait ended because the time was up.
    pub(crate) fn timed_out(&self) -> bool {
        self.tasks[self.current.index()].timed_out
    }

    fn wait(&mut self, op: Op, deadline: Option<u64>) -> Flow {
        if self.over.is_some() {
            return self.wait_after(deadline);
        }
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            return self.go_around(op, true);
        }
        let early = deadline.is_some() && self.is_injected(EARLY, self.settings.early_timeouts_per_mille);
        if early {
            self.note(RawEventKind::EarlyTimeout, false);
        }
        self.next_deadline = self.next_deadline.min(deadline.unwrap_or(u64::MAX));
        self.block(op, Status::Waiting { object: op.object, deadline }, early)
    }

    /// Performs a wait that is over at once: others may run meanwhile, nothing more.
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
            let step = core.step;
            let me = &mut core.tasks[core.current.index()];
            // A task that is woken only to find the lock taken again has been waiting all the time: its wait
            // must not start anew, or a task that always loses would never count as starved.
            if me.waits_at != me.steps {
                (me.waits_at, me.waits_since) = (me.steps, step);
            }
            me.status = status;
            if !selectable {
                let me = core.current;
                core.runnable.retain(|task| *task != me);
            }
            core.pick(false, false, true)
        })
    }

    /// Notes that the current task has to wait at `op`, and lets `pick` choose which task runs.
    fn stop_at(&mut self, op: Op, deadline: Option<u64>, pick: impl FnOnce(&mut Self) -> Flow) -> Flow {
        if self.over.is_some() {
            return self.wait_after(deadline);
        }
        let id = self.ops.id(&op);
        let nth = self.tasks[self.current.index()].stop_at(op, id);
        self.advance(id, u64::from(nth) << 1 | 1);
        self.handle_due(true);
        if self.over.is_some() { Flow::Leave } else { pick(self) }
    }

    /// Jumps to the next deadline, as no task can run. Returns whether there is one.
    pub(super) fn idle(&mut self) -> bool {
        let deadline = self.tasks.iter().filter_map(Task::deadline).min();
        if let Some(deadline) = deadline {
            self.now = self.now.max(deadline);
            self.fire_timers();
        }
        deadline.is_some()
    }

    #[cold]
    pub(super) fn fire_timers(&mut self) {
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

    /// Wakes the tasks that are blocked on `object`; returns how many.
    pub(super) fn wake_blocked(&mut self, object: usize) -> u32 {
        let mut woken = 0;
        let mut longest = None;
        for index in 0..self.tasks.len() {
            if self.tasks[index].status == (Status::Blocked { object }) {
                self.wake(TaskId(index as u16), false);
                woken += 1;
                let since = self.tasks[index].waits_since;
                if longest.is_none_or(|(earliest, _)| since < earliest) {
                    longest = Some((since, TaskId(index as u16)));
                }
            }
        }
        if self.monitor.fair {
            self.monitor.longest_waiter = longest.map(|(_, task)| task);
        }
        woken
    }

    fn waiters(&self, object: usize) -> Vec<TaskId> {
        let waits = |task: &Task| matches!(task.status, Status::Waiting { object: on, .. } if on == object);
        let tasks = self.tasks.iter().enumerate();
        tasks.filter(|(_, task)| waits(task)).map(|(index, _)| TaskId(index as u16)).collect()
    }
}
