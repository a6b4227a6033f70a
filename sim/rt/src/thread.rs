//! Threads: tasks of the current life, or threads of the operating system outside of one.
#![expect(
    clippy::disallowed_methods,
    reason = "outside of a life this is the production runtime's door to threads"
)]

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::life::{self, TaskId};
use crate::op::{Op, OpKind};

/// Waits for a thread to end.
pub struct JoinHandle<T>(Inner<T>);

enum Inner<T> {
    Task { task: TaskId, result: Arc<Slot<T>> },
    Os(std::thread::JoinHandle<T>),
}

#[expect(clippy::disallowed_types, reason = "no task switches while it is locked")]
type Slot<T> = parking_lot::Mutex<Option<std::thread::Result<T>>>;

impl<T> JoinHandle<T> {
    /// Waits for the thread to end and returns what it returned; the payload of its panic as an error.
    ///
    /// # Errors
    /// When the thread panicked.
    ///
    /// # Panics
    /// Outside of the life in which the thread was started.
    pub fn join(self) -> std::thread::Result<T> {
        match self.0 {
            Inner::Os(handle) => handle.join(),
            Inner::Task { task, result } => {
                life::join(task);
                let result = result.lock().take();
                result.expect("a task that has ended left its result")
            }
        }
    }

    /// Whether the thread has ended, so that `join` would not wait.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Inner::Os(handle) => handle.is_finished(),
            Inner::Task { task, .. } => life::is_finished(*task),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Os(handle) => handle.fmt(f),
            Inner::Task { task, .. } => f.debug_tuple("JoinHandle").field(task).finish(),
        }
    }
}

/// Starts a thread; `name` shows in debuggers and simulations.
///
/// # Errors
/// When the operating system refuses; inside of a life, when that is over.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    if life::is_over() {
        return Err(io::Error::other("the life is over: no task can be started any more"));
    }
    if !life::before_spawn(name) {
        let thread = std::thread::Builder::new().name(name.to_owned());
        return thread.spawn(body).map(|handle| JoinHandle(Inner::Os(handle)));
    }
    let result = Arc::new(Slot::new(None));
    let slot = Arc::clone(&result);
    // A killed life drops the closures of tasks that never ran: what they own must not see that.
    let body = ManuallyDrop::new(body);
    let task = life::spawn(
        name,
        Box::new(move || {
            let outcome = life::catch(ManuallyDrop::into_inner(body));
            if Arc::strong_count(&slot) > 1 {
                *slot.lock() = Some(outcome);
            } else {
                // No handle is left to ask for it: it is dropped while the task still exists, as its
                // destructor may need one.
                drop(outcome);
            }
            life::task_ended();
        }),
    );
    Ok(JoinHandle(Inner::Task { task, result }))
}

/// Lets other threads run.
pub fn yield_now() {
    if !life::yield_now(Op::new(OpKind::Yield, "", 0)) {
        std::thread::yield_now();
    }
}

/// Into how many parts counters are split that many threads change at once. Few, so that tasks meet in one,
/// too.
pub const STRIPES: usize = 2;

/// The part of such a counter that this task changes.
pub fn stripe() -> usize {
    life::current_task().map_or(0, |task| task.index() % STRIPES)
}
