//! The adapter to shuttle, which gives tasks their stacks and switches between them.
//!
//! Shuttle runs one OS thread's tasks as coroutines and asks a `Scheduler` for the next one. Ours answers
//! with what the life has decided already. Facts about shuttle-engine 0.1.7 that this relies on:
//! * When the scheduler returns `None`, the execution is abandoned: stacks are freed without unwinding, no
//!   destructor runs on them. Closures of tasks that never ran *are* dropped, hence the `ManuallyDrop` around
//!   ours.
//! * Switching to the task that runs already is free, so it is not even asked for it.
//! * While a task unwinds, shuttle wants to finish that before it abandons an execution; a panic out of the
//!   scheduler makes it abandon at once. The OS thread then counts as panicking for ever, see [`super::run`].
//! * Shuttle identifies tasks by the order in which they were started, as the life does.

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId as ShuttleId};
use shuttle::{Config, FailurePersistence, MaxSteps};
use shuttle_engine::runtime::execution::{Execution, ExecutionState};
use shuttle_engine::runtime::thread;
use shuttle_engine::runtime::thread::continuation::{CONTINUATION_POOL, ContinuationPool};

use super::core::Next;
use super::{TaskId, with_core};

thread_local! {
    /// Stacks that are free, by their size: kept from life to life, as making one is slow.
    static POOL: RefCell<(usize, Rc<ContinuationPool>)> = RefCell::new((0, Rc::new(ContinuationPool::new())));
}

/// Runs `main` and all that it starts until the life is over. Panics with a [`Stopped`] if the life was
/// abandoned while a task was unwinding.
pub(crate) fn execute(stack_bytes: usize, main: impl FnOnce() + Send + 'static) {
    let pool = POOL.with_borrow_mut(|(bytes, pool)| {
        if *bytes != stack_bytes {
            *bytes = stack_bytes;
            *pool = Rc::new(ContinuationPool::new());
        }
        Rc::clone(pool)
    });
    let mut config = Config::new();
    config.stack_size = stack_bytes;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    CONTINUATION_POOL.set(&pool, || {
        let execution = Execution::new(Rc::new(RefCell::new(Bridge)), Schedule::new(0));
        execution.run(&config, main, Location::caller());
    });
}

/// Runs an empty program outside of any life, which makes shuttle install its panic hook.
pub(crate) fn run_nothing() {
    execute(64 << 10, || {});
}

/// Gives `task`, the newest one of the life, a stack and `body` to run on it. Does not switch.
pub(crate) fn spawn(task: TaskId, body: Box<dyn FnOnce() + Send>, stack_bytes: usize) {
    let id = ExecutionState::spawn_thread(body, stack_bytes, None, None, Location::caller());
    assert_eq!(usize::from(id), task.index(), "shuttle counts tasks as the life does");
}

/// Switches to the task that the life has chosen, and comes back when that is this one.
#[inline]
pub(crate) fn suspend() {
    thread::switch();
}

/// The payload with which a life is abandoned while a task unwinds.
pub(crate) struct Stopped;

#[derive(Debug)]
struct Bridge;

impl Scheduler for Bridge {
    fn new_execution(&mut self) -> Option<Schedule> {
        Some(Schedule::new(0))
    }

    fn next_task(
        &mut self,
        _runnable: &[&Task],
        _current: Option<ShuttleId>,
        _is_yielding: bool,
    ) -> Option<ShuttleId> {
        match with_core(|core| core.take_next()) {
            Some(Next::Run(task)) => Some(ShuttleId::from(task.index())),
            Some(Next::Stop) if std::thread::panicking() => std::panic::resume_unwind(Box::new(Stopped)),
            Some(Next::Stop) => None,
            // Outside of a life there is `run_nothing` only.
            None => Some(ShuttleId::from(0)),
        }
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}
