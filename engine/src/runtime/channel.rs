//! A channel with any number of senders and one receiver.

use std::collections::VecDeque;

use rt::sync::{Arc, Condvar, Mutex};

/// Makes a channel without a bound; `label` names it in simulations.
///
/// ```
/// use stormproof::runtime::sync::mpsc::channel;
///
/// let (sender, receiver) = channel("jobs");
/// sender.send(7)?;
/// drop(sender);
/// assert_eq!(receiver.recv(), Some(7));
/// assert_eq!((receiver.recv(), receiver.try_recv()), (None, None));
/// # Ok::<(), stormproof::runtime::sync::mpsc::SendError<i32>>(())
/// ```
pub fn channel<T>(label: &'static str) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), senders: 1, is_received: true };
    let shared = Arc::new(Shared { state: Mutex::new(label, state), changed: Condvar::new(label) });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// Sends; clones send into the same channel.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// Receives what was sent, in order.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

/// The receiver is gone; holds what was to be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receiver of the channel is gone: nothing sent can arrive any more")]
pub struct SendError<T>(pub T);

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
        drop(state);
        self.0.changed.notify_one();
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

    /// The next item, if it is there.
    pub fn try_recv(&self) -> Option<T> {
        self.0.state.lock().items.pop_front()
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
        self.0.state.lock().senders -= 1;
        self.0.changed.notify_one();
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
