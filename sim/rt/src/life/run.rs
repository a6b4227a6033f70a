//! Runs one life.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::core::Core;
use super::{CORE, LifeOutcome, RunningLife, Settings, bridge, catch, is_inside, panic_hook, task_ended};
use crate::op::OpTable;
use crate::strategy::Strategy;

thread_local! {
    /// Whether a life was abandoned on this OS thread while one of its tasks was unwinding. The standard
    /// library then takes the thread to be panicking for ever, so further lives run on threads of their own.
    static SPOILT: Cell<bool> = const { Cell::new(false) };
    /// The labels that this OS thread has seen: kept from life to life, as they are the same ones.
    static OPS: RefCell<OpTable> = RefCell::new(OpTable::default());
}

/// Runs one life: `body` is its main task.
///
/// # Panics
/// Inside of a life.
pub fn run(
    settings: Settings,
    strategy: Box<dyn Strategy>,
    body: impl FnOnce() + Send + 'static,
) -> LifeOutcome {
    assert!(!is_inside(), "a life runs inside of a life");
    panic_hook::install();
    if SPOILT.get() {
        on_fresh_thread(|| run_here(settings, strategy, body))
    } else {
        run_here(settings, strategy, body)
    }
}

/// As [`run`], with a strategy whose type comes back.
///
/// # Panics
/// As [`run`].
pub fn run_with<S: Strategy>(
    settings: Settings,
    strategy: S,
    body: impl FnOnce() + Send + 'static,
) -> (LifeOutcome, S) {
    let mut life = run(settings, Box::new(strategy), body);
    let strategy = std::mem::replace(&mut life.strategy, Box::new(crate::strategy::RoundRobin::new(1)));
    let strategy: Box<dyn Any> = strategy;
    (life, *strategy.downcast().expect("the strategy that went in comes out"))
}

fn run_here(
    settings: Settings,
    strategy: Box<dyn Strategy>,
    body: impl FnOnce() + Send + 'static,
) -> LifeOutcome {
    let stack_bytes = settings.stack_bytes;
    let _running = RunningLife::begin();
    let core = Core::new(settings, strategy, OPS.take());
    CORE.set(Some(Box::new(core)));
    let body = ManuallyDrop::new(body);
    let executed = catch_unwind(AssertUnwindSafe(|| {
        bridge::execute(stack_bytes, move || {
            drop(catch(ManuallyDrop::into_inner(body)));
            task_ended();
        });
    }));
    SPOILT.set(std::thread::panicking());
    let core = CORE.take().expect("the life is still there");
    let (life, ops) = core.into_life();
    OPS.set(ops);
    match executed {
        Err(payload) if !payload.is::<bridge::Stopped>() => resume_unwind(payload),
        _ => life,
    }
}

#[expect(clippy::disallowed_methods, reason = "the caller waits for the thread: nothing runs beside it")]
fn on_fresh_thread(run: impl FnOnce() -> LifeOutcome + Send) -> LifeOutcome {
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|payload| resume_unwind(payload))
}
