//! Who runs next: a trait, and one strategy per file.
//!
//! A strategy is asked whenever more than one task can run. All its randomness comes from the stream that it
//! is given.
//!
//! Not its job: spurious wake-ups, timeouts and stalls, which the life draws by itself.

use std::any::Any;
use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

pub use crate::life::stream;
use crate::life::{PointKey, Task, TaskId, below};
use crate::op::{FNV_START, Op, OpTable, mix, stable_hash, stable_op_hash};

mod kind;

mod partial_order;
mod pct;
mod round_robin;
mod sticky;
mod uniform;
mod walk;
mod windows;

mod bounded;
mod directed;
mod exhaustive;
mod replay;
mod reseeded;

pub use bounded::Bounded;
pub use directed::Directed;
pub use exhaustive::Exhaustive;
pub use kind::Kind;
pub use partial_order::PartialOrder;
pub use pct::Pct;
pub use replay::Replay;
pub use reseeded::Reseeded;
pub use round_robin::RoundRobin;
pub use sticky::Sticky;
pub use uniform::Uniform;
pub use walk::Walk;
pub use windows::Windows;

/// Decides which task runs next.
pub trait Strategy: Any + Debug + Send {
    /// Begins a new life.
    fn begin(&mut self, rng: &mut ChaCha8Rng);

    /// Decides which task runs next: one of [`Choice::runnable`]. For anything else the life takes
    /// [`Choice::default`].
    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId;

    /// Ends a life; `tasks` are all that it had.
    #[expect(private_interfaces, reason = "only strategies of this crate learn from lives")]
    fn end(&mut self, _tasks: &[Task]) {}

    /// Returns the strategy's report on the life that has ended.
    fn report(&self) -> Report {
        Report::default()
    }
}

/// A strategy's report on a life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Where and how the life first differed from the one that was to be replayed.
    pub diverged: Option<String>,
    /// Which of the points that it was to act at were never met.
    pub unmet: Vec<PointKey>,
}

/// The situation in which a strategy chooses.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// The number of this scheduling point in the life.
    pub step: u64,
    /// Who has run until now.
    pub current: TaskId,
    /// Whether that task can go on. If so it is in `runnable`.
    pub can_stay: bool,
    /// Whether it can, but would rather let others run (it yields, or polls).
    pub yields: bool,
    /// Whether it is in the middle of its operation, having found that it has to wait.
    pub blocked: bool,
    /// Those that can run, in the order in which they were started. At least two.
    pub runnable: &'a [TaskId],
    pub(crate) tasks: &'a [Task],
    pub(crate) ops: &'a OpTable,
}

impl Choice<'_> {
    /// Returns what a task will do when it runs; for the current task, what it is about to do.
    pub fn pending(&self, task: TaskId) -> Op {
        self.tasks[task.index()].pending
    }

    /// Returns how many scheduling points a task has come to.
    pub fn steps_of(&self, task: TaskId) -> u64 {
        self.tasks[task.index()].steps
    }

    /// Returns a task's path (see [`PointKey::task`]).
    pub fn path(&self, task: TaskId) -> &str {
        self.tasks[task.index()].path
    }

    /// Returns where the current task is.
    pub fn point(&self) -> PointKey {
        let me = &self.tasks[self.current.index()];
        let name = self.ops.name(me.pending_id);
        let op = crate::life::op_text(name.kind, name.label, self.blocked);
        PointKey { task: me.path.to_string(), op, nth: me.nth(self.blocked) }
    }

    /// Returns the choice without preemption: the current task, or the one after it in order if it can't or
    /// would rather not go on.
    pub fn default(&self) -> TaskId {
        if self.can_stay && !self.yields { self.current } else { self.next() }
    }

    /// Returns the next one after the current task in the circle of those that can run.
    pub fn next(&self) -> TaskId {
        crate::life::next_after(self.runnable, self.current)
    }

    /// Draws any task but the current one, with the same probability.
    pub(crate) fn any_other(&self, rng: &mut ChaCha8Rng) -> TaskId {
        let runnable = self.runnable;
        match runnable.binary_search(&self.current) {
            Err(_) => runnable[below(rng, runnable.len() as u64) as usize],
            Ok(mine) => {
                let index = below(rng, runnable.len() as u64 - 1) as usize;
                runnable[index + usize::from(index >= mine)]
            }
        }
    }

    /// Returns the task of a path, if it can run.
    pub(crate) fn runnable_by_hash(&self, path_hash: u64) -> Option<TaskId> {
        self.runnable.iter().copied().find(|task| self.tasks[task.index()].path_hash == path_hash)
    }

    pub(crate) fn point_hash(&self) -> u64 {
        let me = &self.tasks[self.current.index()];
        point_hash(me.path_hash, self.ops.name(me.pending_id).hash, me.nth(self.blocked), self.blocked)
    }
}

impl Debug for Choice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Choice")
            .field("step", &self.step)
            .field("point", &self.point())
            .field("can_stay", &self.can_stay)
            .field("runnable", &self.runnable)
            .finish_non_exhaustive()
    }
}

pub(crate) fn path_hash(path: &str) -> u64 {
    stable_hash(FNV_START, path.as_bytes())
}

pub(crate) fn point_hash(path_hash: u64, op_hash: u64, nth: u32, blocked: bool) -> u64 {
    mix(mix(path_hash, op_hash), u64::from(nth) << 1 | u64::from(blocked))
}

pub(crate) fn point_hash_of(key: &PointKey) -> u64 {
    let (blocked, op) = match key.op.strip_prefix("blocked ") {
        Some(op) => (true, op),
        None => (false, key.op.as_str()),
    };
    let (verb, label) = op.split_once(' ').unwrap_or((op, ""));
    point_hash(path_hash(&key.task), stable_op_hash(verb, label), key.nth, blocked)
}
