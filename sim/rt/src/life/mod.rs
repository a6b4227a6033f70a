//! One life of a program: from its first step to its end, its crash or the limit of its steps.
//!
//! [`run`] starts the program's main task in a fresh life on the calling OS thread, and returns a
//! [`LifeOutcome`] that says how it ended and what was decided on the way. Everything else in here serves
//! that; what is public beside it are the plain data that go in ([`Settings`]) and come out.
//!
//! The rest of the crate reaches the current life through the functions at the end of this file. They keep
//! the life borrowed only while they compute, never across a switch.

mod afterlife;
mod bridge;
mod chance;
mod core;
mod injected_event;
mod outcome;
mod panic_hook;
mod run;
mod schedule;
mod settings;
mod starvation;
mod task;
mod trail;
mod wait_graph;
mod waits;
mod watch;

pub use injected_event::{InjectedEvent, InjectedEvents};
pub use outcome::{LifeEnd, LifeOutcome, Panic, Starved, StepLimit};
pub use run::{run, run_with};
pub use schedule::{Decision, Decisions, ForcedSwitch, PointKey, Schedule};
pub use settings::{Cancel, KillAt, OnEnd, Progress, Remains, Settings, Starvation};
pub(crate) use task::Task;
pub use task::TaskId;
pub use wait_graph::{WaitGraph, Waiting};
pub use watch::{Step, Watch, Watcher};

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use self::core::stream;
use self::core::{Core, Flow};
pub(crate) use self::core::{below, next_after};
use crate::op::{Op, OpKind};
use crate::time::Instant;
pub(crate) use schedule::op_text;

thread_local! {
    /// The life that runs on this OS thread.
    static CORE: RefCell<Option<Box<Core>>> = const { RefCell::new(None) };
}

/// How many lives run in this process. While it is none, as in production, an operation costs no more than to
/// see that.
#[expect(
    clippy::disallowed_types,
    reason = "a thread in a life sees its own count, so nothing depends on others"
)]
static RUNNING: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Counts a life as running for as long as it exists.
pub(super) struct RunningLife(());

impl RunningLife {
    pub(super) fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for RunningLife {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns whether no life runs on any OS thread.
#[inline]
fn is_quiet() -> bool {
    RUNNING.load(Ordering::Relaxed) == 0
}

/// Returns whether a life runs on this OS thread.
#[inline]
pub fn is_inside() -> bool {
    !is_quiet() && CORE.with_borrow(Option::is_some)
}

/// Returns whether the current life is over, and this is its afterlife (see [`Remains::Unwind`]).
#[inline]
pub fn is_over() -> bool {
    with_core(|core| core.is_over()).unwrap_or(false)
}

/// Returns the number of the life that runs on this OS thread, which no other life of the process has; `None`
/// outside of one.
#[inline]
pub fn id() -> Option<u64> {
    with_core(|core| core.id)
}

/// Returns the path of the task that runs, by which traces name it; `None` outside of a life, and when it is
/// over.
pub fn task() -> Option<&'static str> {
    with_core(|core| (!core.is_over()).then(|| core.tasks[core.current.index()].path)).flatten()
}

/// Returns the task that runs; `None` outside of a life.
pub(crate) fn current_task() -> Option<TaskId> {
    with_core(|core| core.current)
}

/// Returns the current life; `None` outside of one.
#[inline]
pub(crate) fn with_core<T>(f: impl FnOnce(&mut Core) -> T) -> Option<T> {
    if is_quiet() {
        return None;
    }
    CORE.with_borrow_mut(|core| core.as_mut().map(|core| f(core)))
}

thread_local! {
    /// Whether the task that runs is inside of one step of several accesses.
    static INSIDE_STEP: Cell<bool> = const { Cell::new(false) };
}

/// Calls `accesses`, in which there are no scheduling points. They must take no lock: a task that waits for
/// one can't let others run.
pub(crate) fn without_points<R>(accesses: impl FnOnce() -> R) -> R {
    if is_quiet() {
        return accesses();
    }
    /// Ends the step, also when the accesses panic.
    struct Step(bool);

    impl Drop for Step {
        fn drop(&mut self) {
            INSIDE_STEP.set(self.0);
        }
    }

    let _step = Step(INSIDE_STEP.replace(true));
    accesses()
}

/// Passes a scheduling point before `op`; does nothing outside of a life. Returns whether this is a life.
#[inline]
pub(crate) fn point(op: Op) -> bool {
    if is_quiet() {
        return false;
    }
    if INSIDE_STEP.get() {
        return is_inside();
    }
    with_core(|core| core.step(op, false)).map(follow).is_some()
}

/// Passes a scheduling point at which the task would rather not go on. Returns whether this is a life.
pub(crate) fn yield_now(op: Op) -> bool {
    with_core(|core| core.step(op, true)).map(follow).is_some()
}

/// Notes that the current task holds the lock of `op`.
pub(crate) fn acquired(op: Op) {
    with_core(|core| core.acquired(&op));
}

/// Notes that the current task holds the lock of `op` no longer, and lets those that wait for it try again.
///
/// This is no scheduling point: a task that could run right after it can also run before this task's next
/// operation, and sees the same. A third of all points would be these, and lead to no new state.
#[inline]
pub(crate) fn released(op: Op) {
    with_core(|core| core.released(&op));
}

/// Waits until the lock of `op` is released.
pub(crate) fn block_on_lock(op: Op) {
    if let Some(flow) = with_core(|core| core.block_on_lock(op)) {
        follow(flow);
    }
}

/// Returns whether a writer waits for the read-write lock of `op`, so that readers have to queue behind it.
pub(crate) fn writer_waits(op: Op) -> bool {
    with_core(|core| core.writer_waits(&op)).unwrap_or(false)
}

/// Waits for a notification, a spurious one, or the deadline; returns whether it was the deadline.
pub(crate) fn block_on_condition(op: Op, deadline: Option<Instant>) -> bool {
    if let Some(flow) = with_core(|core| core.block_on_condition(op, deadline.map(Instant::as_nanos))) {
        follow(flow);
    }
    with_core(|core| core.timed_out()).unwrap_or(false)
}

/// Waits for time to pass. Returns whether this is a life.
pub(crate) fn sleep(duration: Duration) -> bool {
    let op = Op::new(OpKind::Sleep, "", 0);
    point(op);
    let deadline = |core: &Core| Instant::from_nanos(core.now()).saturating_add(duration).as_nanos();
    with_core(|core| core.block_until(op, deadline(core))).map(follow).is_some()
}

/// Passes the scheduling point before a task of this name is started. Returns whether this is a life.
pub(crate) fn before_spawn(name: &str) -> bool {
    let label = with_core(|core| core.intern(name));
    label.map(|label| point(Op::new(OpKind::Spawn, label, 0))).is_some()
}

/// Starts a task that runs `body`, which has to call [`task_ended`] last. The scheduling point before it is
/// the caller's: here nothing may be thrown.
pub(crate) fn spawn(name: &str, body: Box<dyn FnOnce() + Send>) -> TaskId {
    let stack_bytes = with_core(|core| core.settings.stack_bytes).unwrap_or_default();
    let task = register(name);
    bridge::spawn(task, body, stack_bytes);
    task
}

/// As [`spawn`], for a task that shuttle starts itself, in `start`.
pub(crate) fn spawn_with(name: &str, start: impl FnOnce()) -> TaskId {
    let task = register(name);
    start();
    task
}

fn register(name: &str) -> TaskId {
    with_core(|core| core.spawn(name)).expect("only threads of a life start tasks")
}

/// Waits for a task to end.
pub(crate) fn join(task: TaskId) {
    task_point(OpKind::Join, task);
    while let Some(Some(flow)) = with_core(|core| core.block_on_end(task)) {
        follow(flow);
    }
}

/// Returns whether a task has ended.
pub(crate) fn is_finished(task: TaskId) -> bool {
    task_point(OpKind::IsFinished, task);
    with_core(|core| core.is_finished(task)).unwrap_or(true)
}

/// Runs the body of the current task, unless the life is over, and notes a panic that comes out of it.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> std::thread::Result<T> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        afterlife::die_if_due();
        body()
    }));
    if let Err(payload) = &outcome
        && !payload.is::<afterlife::Killed>()
    {
        let panic = panic_hook::last(payload.as_ref());
        with_core(|core| core.task_panicked(panic));
    }
    outcome
}

/// Notes that the current task is about to end, and decides which task is next.
pub(crate) fn task_ended() {
    with_core(Core::task_ended);
    afterlife::enter();
}

/// Ends the life; see [`crate::probe::crash`].
pub(crate) fn crash() -> ! {
    let inside = with_core(Core::crash).is_some();
    assert!(inside, "crash() was called outside of a life, where there is nothing to end");
    afterlife::leave()
}

/// Tells the watcher of the current life the new value of an atomic integer.
#[inline]
pub(crate) fn saw(label: &'static str, value: impl FnOnce() -> u64) {
    with_core(|core| {
        if let Some(watch) = &core.settings.watch
            && !core.is_over()
        {
            watch.0.value(label, value());
        }
    });
}

fn task_point(kind: OpKind, task: TaskId) {
    if let Some(op) = with_core(|core| core.task_op(kind, task)) {
        point(op);
    }
}

#[inline]
fn follow(flow: Flow) {
    match flow {
        Flow::Stay => {}
        Flow::Switch => {
            bridge::suspend();
            afterlife::die_if_due();
        }
        Flow::Leave => afterlife::leave(),
    }
}
