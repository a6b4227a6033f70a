//! What happens between the end of a life and the end of its last task.
//!
//! A life that is over is either left as it is, or its tasks are unwound one after the other so that they
//! give their memory back ([`Remains::Unwind`]): each is thrown a [`Killed`] at the point where it is, which
//! its own root catches. Its destructors may need what another task holds, or wait for another task's end:
//! then that one is unwound first, as far as it gets.
//!
//! Invariants:
//! * INV-AFTER-1: `on_end` has been called before the first destructor runs.
//! * INV-AFTER-2: nothing that tasks do here shows in the [`LifeOutcome`](super::LifeOutcome).
//! * INV-AFTER-3: no task is unwound while one unwinds from a panic of its own: a second panic on one stack
//!   aborts the process. Such a life leaks.

use std::panic::resume_unwind;

use super::core::{Core, Flow, Next};
use super::task::Status;
use super::{OnEnd, Remains, TaskId, bridge, with_core};

/// The payload that unwinds a task whose life is over.
pub(crate) struct Killed;

/// How far the afterlife is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The life is not over, or has only just ended.
    #[default]
    Before,
    /// Tasks are unwound.
    Unwinding { steps: u32 },
    /// Tasks that are left stay as they are.
    Abandoned,
}

/// The number of steps within which destructors must be done.
const STEPS_MAX: u32 = 100_000;

/// Leaves the life, which is over, for good.
#[cold]
pub(crate) fn leave() -> ! {
    enter();
    die_if_due();
    loop {
        bridge::suspend();
    }
}

/// Notes, the first time, that the life is over.
pub(crate) fn enter() {
    let on_end = with_core(Core::enter_afterlife).flatten();
    if let Some(OnEnd(on_end)) = on_end {
        on_end();
    }
}

/// Unwinds the current task if it is its turn.
#[inline]
pub(crate) fn die_if_due() {
    if with_core(Core::is_due).unwrap_or(false) {
        resume_unwind(Box::new(Killed));
    }
}

impl Core {
    /// Decides what the current task, whose life is over, does at a scheduling point.
    #[cold]
    pub(super) fn step_after(&mut self) -> Flow {
        if let Stage::Unwinding { steps } = &mut self.stage
            && self.tasks[self.current.index()].dies
        {
            *steps += 1;
            if *steps < STEPS_MAX {
                return Flow::Stay;
            }
            self.stage = Stage::Abandoned;
        }
        Flow::Leave
    }

    /// Decides the same where the task has to wait: others are unwound meanwhile, and time passes.
    #[cold]
    pub(super) fn wait_after(&mut self, deadline: Option<u64>) -> Flow {
        match self.step_after() {
            Flow::Stay => {
                self.now = self.now.max(deadline.unwrap_or(0));
                self.tasks[self.current.index()].timed_out = deadline.is_some();
                Flow::Switch
            }
            leave => leave,
        }
    }

    pub(super) fn next_after_end(&mut self) -> Next {
        let Stage::Unwinding { .. } = self.stage else { return Next::Stop };
        let count = self.tasks.len();
        let circle = (1..=count).map(|distance| (self.current.index() + distance) % count);
        let next = circle.into_iter().find(|index| self.tasks[*index].status != Status::Ended);
        match next {
            Some(index) => {
                self.current = TaskId(index as u16);
                Next::Run(self.current)
            }
            None => Next::Stop,
        }
    }

    fn enter_afterlife(&mut self) -> Option<OnEnd> {
        if self.entered || self.over.is_none() {
            return None;
        }
        self.entered = true;
        self.unfinished = self.tasks.iter().filter(|task| task.status != Status::Ended).count();
        if self.settings.remains == Remains::Unwind && !std::thread::panicking() {
            self.stage = Stage::Unwinding { steps: 0 };
        }
        self.settings.on_end.clone()
    }

    fn is_due(&mut self) -> bool {
        let me = &mut self.tasks[self.current.index()];
        let is_due = matches!(self.stage, Stage::Unwinding { .. }) && !me.dies;
        me.dies |= is_due;
        is_due
    }
}
