//! Threads.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the door through which threads come in"
)]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Waits for a thread to end.
#[derive(Debug)]
pub struct JoinHandle<T>(std::thread::JoinHandle<T>);

impl<T> JoinHandle<T> {
    /// Waits for the thread to end and returns what it returned; the payload of its panic as an error.
    ///
    /// # Errors
    /// When the thread panicked.
    pub fn join(self) -> std::thread::Result<T> {
        self.0.join()
    }

    /// Returns whether the thread has ended, so that `join` would not wait.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// Starts a thread; `name` shows in debuggers and simulations.
///
/// # Errors
/// When the operating system refuses.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(JoinHandle)
}

/// Runs `body`, which may start threads that borrow from their surroundings, and waits for all of these to
/// end.
///
/// # Panics
/// When a thread panicked that was not joined.
pub fn scope<'env, T>(body: impl for<'scope> FnOnce(&Scope<'scope, 'env>) -> T) -> T {
    std::thread::scope(|scope| body(&Scope(scope)))
}

/// Starts threads that may borrow from outside of the scope; see [`scope`].
#[derive(Debug)]
pub struct Scope<'scope, 'env>(&'scope std::thread::Scope<'scope, 'env>);

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
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn_scoped(self.0, body).map(ScopedJoinHandle)
    }
}

/// Waits for a thread of a [`Scope`] to end.
#[derive(Debug)]
pub struct ScopedJoinHandle<'scope, T>(std::thread::ScopedJoinHandle<'scope, T>);

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the thread to end and returns what it returned; the payload of its panic as an error.
    ///
    /// # Errors
    /// When the thread panicked.
    pub fn join(self) -> std::thread::Result<T> {
        self.0.join()
    }
}

/// Lets other threads run.
pub fn yield_now() {
    std::thread::yield_now();
}

/// The number of stripes of a counter that many threads change at once: each stripe has a cache line of its
/// own.
pub const STRIPES: usize = 8;

/// Returns the stripe of such a counter that this thread changes: threads that work at once mostly have
/// different ones.
#[inline]
pub fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    STRIPE.with(|stripe| *stripe)
}
