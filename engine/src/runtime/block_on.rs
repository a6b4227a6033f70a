//! Waits for a future on the calling thread.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use rt::sync::{Arc, Condvar, Mutex};
use rt::time::Instant;

/// Runs a future to its end on this thread: a ticket, say, or one of the application's own. Other threads run
/// meanwhile, in simulations too.
///
/// ```
/// use stormproof::{Database, runtime::block_on};
///
/// let db = Database::open_in_memory()?;
/// let run = db.begin_run()?;
/// db.put(run, "key", 1_u64)?;
/// assert_eq!(block_on(async { db.get::<u64>("key") })?, Some(1));
/// # Ok::<(), stormproof::Error>(())
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let wait = |signal: &Signal| {
        signal.wait();
        true
    };
    poll_to_end(future, wait).expect("a wait without a deadline is never given up")
}

/// Runs a future on this thread until its end or until `deadline`, whichever comes first.
pub(crate) fn block_on_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    poll_to_end(future, |signal| signal.wait_until(deadline))
}

/// Polls a future until its end, and waits for its wake-up in between; `None` as soon as `wait` returns that
/// none came.
fn poll_to_end<F: Future>(future: F, wait: impl Fn(&Signal) -> bool) -> Option<F::Output> {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if !wait(&signal) {
            return None;
        }
    }
}

/// A wake-up signal, which is remembered if it comes before the wait.
struct Signal {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Default for Signal {
    fn default() -> Self {
        Self { woken: Mutex::new("block_on.woken", false), changed: Condvar::new("block_on.changed") }
    }
}

impl Signal {
    fn wait(&self) {
        let mut woken = self.woken.lock();
        while !std::mem::take(&mut *woken) {
            self.changed.wait(&mut woken);
        }
    }

    /// Waits for the wake-up; returns whether it came before the deadline.
    fn wait_until(&self, deadline: Instant) -> bool {
        let mut woken = self.woken.lock();
        while !std::mem::take(&mut *woken) {
            if rt::time::now() >= deadline {
                return false;
            }
            self.changed.wait_until(&mut woken, deadline);
        }
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use rt::sync::{Arc, Mutex};

    use super::block_on;

    #[test]
    fn a_future_that_another_thread_completes_is_waited_for() {
        rt::check(|| {
            let shared = Arc::new(Mutex::new("test.shared", (false, None::<std::task::Waker>)));
            let completer = Arc::clone(&shared);
            let thread = rt::thread::spawn("completer", move || {
                let waker = {
                    let mut shared = completer.lock();
                    shared.0 = true;
                    shared.1.take()
                };
                if let Some(waker) = waker {
                    waker.wake();
                }
            });
            block_on(std::future::poll_fn(|context| {
                let mut shared = shared.lock();
                if shared.0 {
                    return Poll::Ready(());
                }
                shared.1 = Some(context.waker().clone());
                Poll::Pending
            }));
            thread.expect("a thread starts").join().expect("it does not panic");
        });
    }
}
