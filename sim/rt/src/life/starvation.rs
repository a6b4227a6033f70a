//! Detects starvation and livelock: tasks that wait too long while others run, and lives without progress.
//!
//! In a deadlock no task can run, in a livelock tasks run without progress; starvation hits one task that
//! others overtake. A strategy may keep a task from running, and with it all that wait for what it holds: so
//! a verdict is passed only after tasks have taken turns for half of the time, and what was released
//! meanwhile has gone to the one that had waited longest.

use super::core::Core;
use super::task::{Status, Task};
use super::{LifeEnd, Settings, Starvation, Starved, StepLimit, TaskId};
use crate::strategy::Choice;

/// How many points a task has in its turn.
const TURN: u32 = 16;

/// Watches over waiting tasks and over progress.
#[derive(Debug)]
pub(super) struct WaitMonitor {
    /// The step of the next check.
    pub(super) next: u64,
    /// Whether tasks take turns.
    pub(super) fair: bool,
    /// Since which step they do.
    fair_since: u64,
    left: u32,
    /// The task that is next out of turn: the one that has waited longest for what was released.
    pub(super) longest_waiter: Option<TaskId>,
    /// The number of steps between two checks.
    every: u64,
    /// The progress at the last check, and the step at which it was first seen.
    progress: (u64, u64),
}

impl WaitMonitor {
    pub(super) fn new(settings: &Settings) -> Self {
        let waiting = settings.starvation.map_or(u64::MAX, |bound| bound.points_max);
        let circling = settings.progress.as_ref().map_or(u64::MAX, |bound| bound.points_max);
        let every = match waiting.min(circling) {
            u64::MAX => u64::MAX,
            least => (least / 4).max(1),
        };
        Self {
            next: every,
            fair: false,
            fair_since: 0,
            left: TURN,
            longest_waiter: None,
            every,
            progress: (u64::MAX, 0),
        }
    }

    /// Returns whose turn it is.
    pub(super) fn turn(&mut self, choice: &Choice<'_>) -> TaskId {
        // Else a task could find the lock taken again whenever its turn comes, where locks are held for many
        // turns: others would have taken it in theirs.
        if let Some(longest_waiter) =
            self.longest_waiter.take().filter(|longest_waiter| choice.runnable.contains(longest_waiter))
        {
            self.left = TURN;
            return longest_waiter;
        }
        if choice.can_stay && !choice.yields && self.left > 1 {
            self.left -= 1;
            choice.current
        } else {
            self.left = TURN;
            choice.next()
        }
    }
}

impl Core {
    /// Checks how long tasks have waited, and whether the life makes progress.
    pub(super) fn watch_waiting(&mut self) {
        self.monitor.next = self.step.saturating_add(self.monitor.every);
        let starves = self.settings.starvation.is_some_and(|bound| self.watch_starvation(bound));
        let circles = self.watch_progress();
        if !self.monitor.fair {
            self.monitor.fair_since = self.step;
        }
        self.monitor.fair = starves || circles;
    }

    /// Returns whether a task has waited for half of the bound; ends the life if it was the whole.
    fn watch_starvation(&mut self, bound: Starvation) -> bool {
        let starving = |task: &&Task| {
            let waits = match task.status {
                // Joining a task means waiting for its work, which may take long.
                Status::Blocked { object } => object > self.tasks.len(),
                Status::Waiting { deadline, .. } => deadline.is_none(),
                // Woken, and not chosen since: what it waits for may be taken again by the time it is.
                Status::Runnable => task.waits_since > 0 && task.waits_at == task.steps && !task.timed_out,
                Status::Ended => false,
            };
            waits && task.path.starts_with(bound.tasks)
        };
        let longest = self.tasks.iter().filter(starving).min_by_key(|task| task.waits_since);
        let Some(task) = longest else { return false };
        let points = self.step - task.waits_since;
        let was_fair = self.monitor.fair && self.step - self.monitor.fair_since >= bound.points_max / 2;
        if points >= bound.points_max && was_fair {
            let task = task.path.to_owned();
            self.over = Some(LifeEnd::Starved(Starved { task, points, tasks: self.wait_graph() }));
        }
        points >= bound.points_max / 2
    }

    /// Returns whether there was no progress for half of the bound; ends the life if it was the whole.
    fn watch_progress(&mut self) -> bool {
        let Some(bound) = &self.settings.progress else { return false };
        let count = (bound.count)();
        let (known, since) = self.monitor.progress;
        if count != known {
            self.monitor.progress = (count, self.step);
            return false;
        }
        let (idle, idle_max) = (self.step - since, bound.points_max);
        if idle >= idle_max && self.over.is_none() {
            let tasks = self.wait_graph();
            self.over = Some(LifeEnd::StepLimit(StepLimit { steps: self.step, idle: Some(idle), tasks }));
        }
        idle >= idle_max / 2
    }
}
