//! Threads: tasks of the current life, or threads of the operating system outside of one.
#![expect(
    clippy::disallowed_methods,
    reason = "outside of a life this is the production runtime's door to threads"
)]

use std::cell::RefCell;
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
            Inner::Task { task, result } => result_of(task, &result),
        }
    }

    /// Returns whether the thread has ended, so that `join` would not wait.
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
        return Err(over());
    }
    if !life::before_spawn(name) {
        let thread = std::thread::Builder::new().name(name.to_owned());
        return thread.spawn(body).map(|handle| JoinHandle(Inner::Os(handle)));
    }
    let result = Arc::new(Slot::new(None));
    let task = life::spawn(name, Box::new(body_of_task(body, Arc::clone(&result))));
    Ok(JoinHandle(Inner::Task { task, result }))
}

/// Returns what a task runs: `body`, whose outcome goes into `slot` if a handle is left to ask for it.
fn body_of_task<T>(body: impl FnOnce() -> T, slot: Arc<Slot<T>>) -> impl FnOnce() {
    // A killed life drops the closures of tasks that never ran: what they own must not see that.
    let body = ManuallyDrop::new(body);
    move || {
        let outcome = life::catch(ManuallyDrop::into_inner(body));
        if Arc::strong_count(&slot) > 1 {
            *slot.lock() = Some(outcome);
        } else {
            // No handle is left to ask for it: it is dropped while the task still exists, as its
            // destructor may need one.
            drop(outcome);
        }
        life::task_ended();
    }
}

/// Runs `body`, which may start threads that borrow from their surroundings, and waits for all of these to
/// end.
///
/// # Panics
/// When a thread panicked that was not joined.
pub fn scope<'env, T>(body: impl for<'scope> FnOnce(&Scope<'scope, 'env>) -> T) -> T {
    if !life::is_inside() {
        return std::thread::scope(|os| body(&Scope(ScopeInner::Os(os))));
    }
    shuttle::thread::scope(|tasks| {
        // Its destructor waits also while this task unwinds: what the others borrow is on this stack.
        let scope = Scope(ScopeInner::Life { tasks, started: Started::default() });
        body(&scope)
    })
}

/// Starts threads that may borrow from outside of the scope; see [`scope`].
#[derive(Debug)]
pub struct Scope<'scope, 'env>(ScopeInner<'scope, 'env>);

#[derive(Debug)]
enum ScopeInner<'scope, 'env> {
    Os(&'scope std::thread::Scope<'scope, 'env>),
    Life { tasks: &'scope shuttle::thread::Scope<'scope, 'env>, started: Started },
}

/// The tasks of a scope; waits for all of them when it is dropped.
#[derive(Debug, Default)]
struct Started(RefCell<Vec<TaskId>>);

impl Drop for Started {
    fn drop(&mut self) {
        for task in self.0.take() {
            life::join(task);
        }
    }
}

/// Waits for a thread of a [`Scope`] to end.
pub struct ScopedJoinHandle<'scope, T>(ScopedInner<'scope, T>);

enum ScopedInner<'scope, T> {
    Task { task: TaskId, result: Arc<Slot<T>> },
    Os(std::thread::ScopedJoinHandle<'scope, T>),
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a thread that ends within the scope.
    ///
    /// # Errors
    /// As [`spawn`].
    pub fn spawn<T: Send + 'scope>(
        &self,
        name: &str,
        body: impl FnOnce() -> T + Send + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        match &self.0 {
            ScopeInner::Os(scope) => {
                let thread = std::thread::Builder::new().name(name.to_owned());
                thread.spawn_scoped(scope, body).map(|handle| ScopedJoinHandle(ScopedInner::Os(handle)))
            }
            ScopeInner::Life { tasks, started } => {
                if life::is_over() {
                    return Err(over());
                }
                life::before_spawn(name);
                let result = Arc::new(Slot::new(None));
                let body = body_of_task(body, Arc::clone(&result));
                let task = life::spawn_with(name, || {
                    tasks.spawn(body);
                });
                started.0.borrow_mut().push(task);
                Ok(ScopedJoinHandle(ScopedInner::Task { task, result }))
            }
        }
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the thread to end and returns what it returned; the payload of its panic as an error.
    ///
    /// # Errors
    /// When the thread panicked.
    ///
    /// # Panics
    /// Outside of the life in which the thread was started.
    pub fn join(self) -> std::thread::Result<T> {
        match self.0 {
            ScopedInner::Os(handle) => handle.join(),
            ScopedInner::Task { task, result } => result_of(task, &result),
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ScopedInner::Os(handle) => handle.fmt(f),
            ScopedInner::Task { task, .. } => f.debug_tuple("ScopedJoinHandle").field(task).finish(),
        }
    }
}

fn result_of<T>(task: TaskId, result: &Slot<T>) -> std::thread::Result<T> {
    life::join(task);
    result.lock().take().expect("a task that has ended left its result")
}

fn over() -> io::Error {
    io::Error::other("the life is over: no task can be started any more")
}

/// Lets other threads run.
pub fn yield_now() {
    if !life::yield_now(Op::new(OpKind::Yield, "", 0)) {
        std::thread::yield_now();
    }
}

/// The number of stripes of a counter that many threads change at once. Few, so that tasks share some, too.
pub const STRIPES: usize = 2;

/// Returns the stripe of such a counter that this task changes.
pub fn stripe() -> usize {
    life::current_task().map_or(0, |task| task.index() % STRIPES)
}
