//! Whether somebody waits too long while others go on.
//!
//! Deadlock is nobody going on, livelock everybody and to no end; this is one who is forgotten. A strategy may keep a
//! task from running, and with it all that wait for what it holds: so a verdict is passed only after tasks have taken
//! turns for half of the time.

use super::core::Core;
use super::task::{Status, Task};
use super::{LifeEnd, Settings, Starved, TaskId};
use crate::strategy::Choice;

/// How many points a task has in its turn.
const TURN: u32 = 16;

/// How the watch over those that wait goes on.
#[derive(Debug)]
pub(super) struct Patience {
    /// The step at which to look again.
    pub(super) next: u64,
    /// Whether tasks take turns.
    pub(super) fair: bool,
    left: u32,
}

impl Patience {
    pub(super) fn new(settings: &Settings) -> Self {
        let next = settings.starvation.map_or(u64::MAX, |bound| (bound.points_max / 4).max(1));
        Self { next, fair: false, left: TURN }
    }

    /// Whose turn it is.
    pub(super) fn turn(&mut self, choice: &Choice<'_>) -> TaskId {
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
    /// Looks who has been waiting since when.
    pub(super) fn watch_waiting(&mut self) {
        let Some(bound) = self.settings.starvation else { return };
        self.patience.next = self.step + (bound.points_max / 4).max(1);
        let starving = |task: &&Task| {
            let waits = match task.status {
                // Whoever waits for a task's end waits for its work.
                Status::Blocked { object } => object > self.tasks.len(),
                Status::Waiting { deadline, .. } => deadline.is_none(),
                Status::Runnable | Status::Ended => false,
            };
            waits && task.path.starts_with(bound.tasks)
        };
        let longest = self.tasks.iter().filter(starving).min_by_key(|task| task.waits_since);
        let Some(task) = longest else {
            self.patience.fair = false;
            return;
        };
        let points = self.step - task.waits_since;
        self.patience.fair = points >= bound.points_max / 2;
        if points >= bound.points_max {
            let task = task.path.to_owned();
            self.over = Some(LifeEnd::Starved(Starved { task, points, tasks: self.wait_graph() }));
        }
    }
}
