//! A channel with any number of senders and one receiver.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rt::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Makes a channel without a bound; `label` names it in simulations.
///
/// ```
/// use stormproof::runtime::sync::mpsc::channel;
///
/// let (sender, receiver) = channel("jobs");
/// sender.send(6)?;
/// assert_eq!(stormproof::runtime::block_on(receiver.receive()), Some(6));
/// sender.send(7)?;
/// drop(sender);
/// assert_eq!(receiver.recv(), Some(7));
/// assert_eq!((receiver.recv(), receiver.try_recv()), (None, None));
/// # Ok::<(), stormproof::runtime::sync::mpsc::SendError<i32>>(())
/// ```
pub fn channel<T>(label: &'static str) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), senders: 1, is_received: true, waker: None };
    let shared = Arc::new(Shared { state: Mutex::new(label, state), changed: Condvar::new(label) });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// Sends; clones send into the same channel.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// Receives what was sent, in order.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

/// Waits for the next item of a channel: see [`Receiver::receive`].
#[derive(Debug)]
#[must_use = "a future does nothing before it is awaited"]
pub struct Receive<'a, T>(&'a Receiver<T>);

/// The receiver is gone; holds what was to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the receiver of the channel is gone: nothing sent can arrive any more")
    }
}

impl<T: fmt::Debug> std::error::Error for SendError<T> {}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    senders: usize,
    is_received: bool,
    /// Of a future that waits for an item.
    waker: Option<Waker>,
}

impl<T> Shared<T> {
    /// Wakes the receiver, whichever way it waits.
    fn changed(&self, mut state: MutexGuard<'_, State<T>>) {
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Sender<T> {
    /// Sends an item; never waits.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        let mut state = self.0.state.lock();
        if !state.is_received {
            return Err(SendError(item));
        }
        state.items.push_back(item);
        self.0.changed(state);
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// Waits for the next item; `None` when there is none and all senders are gone.
    pub fn recv(&self) -> Option<T> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.senders == 0 {
                return None;
            }
            self.0.changed.wait(&mut state);
        }
    }

    /// As [`recv`](Self::recv), for futures.
    pub const fn receive(&self) -> Receive<'_, T> {
        Receive(self)
    }

    /// Returns the next item, if it is there.
    pub fn try_recv(&self) -> Option<T> {
        self.0.state.lock().items.pop_front()
    }
}

impl<T> Future for Receive<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.0.state.lock();
        match state.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if state.senders == 0 => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.senders -= 1;
        self.0.changed(state);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.state.lock().is_received = false;
    }
}

#[cfg(test)]
mod tests {
    use super::channel;

    #[test]
    fn all_that_several_threads_send_arrives_and_then_the_channel_ends() {
        rt::check(|| {
            let (sender, receiver) = channel("test.channel");
            let threads: Vec<_> = (0..3_u32)
                .map(|number| {
                    let sender = sender.clone();
                    rt::thread::spawn(&format!("sender-{number}"), move || sender.send(number))
                })
                .collect();
            drop(sender);
            let mut received: Vec<u32> = std::iter::from_fn(|| receiver.recv()).collect();
            received.sort_unstable();
            assert_eq!(received, [0, 1, 2]);
            for thread in threads {
                thread.expect("a thread starts").join().expect("no panic").expect("it was received");
            }
        });
    }

    #[test]
    fn nothing_is_sent_to_a_receiver_that_is_gone() {
        let (sender, receiver) = channel("test.channel");
        drop(receiver);
        assert_eq!(sender.send(1).map_err(|error| error.0), Err(1));
    }
}
