//! The settings of a life.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InjectedEvents, PointKey, Watch};
use crate::mutants::MutantSet;
use crate::time::Instant;

/// When a life is killed from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillAt {
    /// At this scheduling point of the life, counted from 1.
    Step(u64),
    /// When a task comes to this point. Survives changes of the code elsewhere.
    Point(PointKey),
}

/// The settings of a life. All randomness comes from the seed, in sub-streams that do not influence each
/// other.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides all that is random, the strategy's draws included.
    pub seed: u64,
    /// Kills the life there, if it gets that far.
    pub kill: Option<KillAt>,
    /// The deliberate bugs that are switched on.
    pub mutants: MutantSet,
    /// The number of scheduling points at which the life ends with
    /// [`LifeEnd::StepLimit`](super::LifeEnd::StepLimit).
    pub steps_max: u64,
    /// The number of points in a row, while others could run, after which a task is taken to yield: a loop
    /// that waits for another task must not wait for ever.
    pub steps_in_a_row_max: u32,
    /// Whose waiting is watched, and for how long it may last; see [`Starvation`].
    pub starvation: Option<Starvation>,
    /// What counts as progress, and for how long a life may make none; see [`Progress`].
    pub progress: Option<Progress>,
    /// Whether to record [`LifeOutcome::trail`](super::LifeOutcome::trail).
    pub trail: bool,
    /// Whether a panic that comes out of any task ends the life. If not, only one of the main task does.
    pub panic_ends_life: bool,
    /// What time it is when the life begins.
    pub start: Instant,
    /// Virtual time per scheduling point.
    pub step_nanos: u64,
    /// Where spurious wake-ups, early timeouts and stalls come from: the rates below, or a list.
    pub injected_events: InjectedEvents,
    /// How many of 1,000 waits on a condition variable end spuriously.
    pub spurious_wakeups_per_mille: u16,
    /// How many of 1,000 sleeps and waits with a timeout may run out although others can still run: choosing
    /// such a task makes time jump to its deadline, as if all others had been slow.
    pub early_timeouts_per_mille: u16,
    /// How many of 1,000,000 scheduling points the whole process stalls at, so that time jumps.
    pub stalls_per_million: u32,
    /// How long such a stall is at most.
    pub stall_max: Duration,
    /// Stack of each task.
    pub stack_bytes: usize,
    /// What becomes of tasks that had not ended.
    pub remains: Remains,
    /// Called once, at the moment at which the life is over, before anything else happens. This is where a
    /// simulator closes its world: whatever runs afterwards ([`Remains::Unwind`]) must change nothing any
    /// more.
    pub on_end: Option<OnEnd>,
    /// Observes the life, for reports.
    pub watch: Option<Watch>,
    /// Asked now and then whether to give the life up, which ends it with
    /// [`LifeEnd::Cancelled`](super::LifeEnd::Cancelled). A life that is not given up is the same with it and
    /// without.
    pub cancel: Option<Cancel>,
}

/// A bound on waiting. A task that waits for a lock or a notification, without a timeout, while others go on
/// for `points_max` scheduling points ends the life with [`LifeEnd::Starved`](super::LifeEnd::Starved), once
/// tasks have taken turns for half of that time, whatever the strategy says, and what was released has gone
/// to the one that waited longest: then it is not the schedule that starves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starvation {
    /// Tasks whose path begins so are watched. Others may wait for work as long as they like.
    pub tasks: &'static str,
    /// Scheduling points of all tasks together.
    pub points_max: u64,
}

/// A bound on making no progress (livelock). A life in which `count` stays the same for `points_max`
/// scheduling points ends with [`LifeEnd::StepLimit`](super::LifeEnd::StepLimit). During the second half of
/// that time tasks take turns, so that it is not the schedule that gets nowhere.
#[derive(Clone)]
pub struct Progress {
    /// Counts what the life has achieved, and decides nothing. Asked now and then.
    pub count: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Scheduling points of all tasks together.
    pub points_max: u64,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("points_max", &self.points_max).finish_non_exhaustive()
    }
}

/// What becomes of tasks that had not ended when the life did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remains {
    /// They are forgotten as they are, and all the memory that they own is lost for good: no code of the
    /// program runs any more.
    #[default]
    Leak,
    /// Their stacks are unwound as by a panic, so that destructors give their memory back. Rules of this
    /// afterlife: locks work, time passes for those that wait for it, nothing is counted or decided, no task
    /// can be started, and waits for notifications return at once. Destructors that panic abort the process,
    /// as they do in any panic; those that never end are given up, and leak.
    Unwind,
}

/// A callback of [`Settings::on_end`].
#[derive(Clone)]
pub struct OnEnd(pub Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for OnEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnEnd")
    }
}

/// A callback of [`Settings::cancel`], the one thing of a life that may observe the real world: what it says
/// decides whether there is an outcome, and never which.
#[derive(Clone)]
pub struct Cancel(pub Arc<dyn Fn() -> bool + Send + Sync>);

impl Cancel {
    /// Returns whether to give up.
    pub fn is_wanted(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancel")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            kill: None,
            mutants: MutantSet::NONE,
            steps_max: 1_000_000,
            steps_in_a_row_max: 10_000,
            starvation: None,
            progress: None,
            trail: false,
            panic_ends_life: true,
            start: Instant::from_nanos(0),
            step_nanos: 100,
            injected_events: InjectedEvents::Random,
            spurious_wakeups_per_mille: 20,
            early_timeouts_per_mille: 50,
            stalls_per_million: 0,
            stall_max: Duration::from_millis(100),
            stack_bytes: 256 << 10,
            remains: Remains::Leak,
            on_end: None,
            watch: None,
            cancel: None,
        }
    }
}
