//! A future that is ready after a while.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rt::sync::{Arc, Mutex};

/// Returns a future that is ready `duration` after it was first polled.
///
/// ```
/// use std::time::Duration;
/// use stormproof::runtime::{block_on, time};
///
/// let begun = time::now();
/// block_on(time::timer(Duration::from_millis(2)));
/// assert!(time::now().saturating_since(begun) >= Duration::from_millis(2));
/// ```
///
/// Each timer has a thread of its own, which ends when the time is up: it is made for few at a time.
pub fn timer(duration: Duration) -> Timer {
    Timer { duration, state: None }
}

/// A future that is ready after a while: see [`timer`].
#[derive(Debug)]
#[must_use = "a future does nothing before it is awaited"]
pub struct Timer {
    duration: Duration,
    state: Option<Arc<Mutex<State>>>,
}

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    waker: Option<Waker>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(state) = &self.state else {
            let state = State { is_over: false, waker: Some(context.waker().clone()) };
            let state = Arc::new(Mutex::new("timer.state", state));
            let (shared, duration) = (Arc::clone(&state), self.duration);
            let started = rt::thread::spawn("timer", move || {
                rt::time::sleep(duration);
                over(&shared);
            });
            if started.is_err() {
                // Without a thread the wait is still as long as it has to be.
                rt::time::sleep(duration);
                return Poll::Ready(());
            }
            self.state = Some(state);
            return Poll::Pending;
        };
        let mut state = state.lock();
        if state.is_over {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

fn over(state: &Mutex<State>) {
    let mut state = state.lock();
    state.is_over = true;
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
