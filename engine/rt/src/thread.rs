//! Threads.
#![expect(clippy::disallowed_methods, reason = "this is the door through which threads come in")]

use std::io;

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

    /// Whether the thread has ended, so that `join` would not wait.
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

/// Lets other threads run.
pub fn yield_now() {
    std::thread::yield_now();
}
