//! Several futures that take turns on one thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Wake, Waker};

use rt::sync::{Arc, Condvar, Mutex};

/// Runs several futures on the thread that calls [`block_on`](Self::block_on). Clones are the same set, so
/// that futures can start others.
///
/// ```
/// use std::time::Duration;
/// use stormproof::runtime::{LocalSet, sync::mpsc::channel, time::timer};
///
/// let set = LocalSet::new();
/// let (sender, receiver) = channel("results");
/// let worker = set.spawn_local(async move {
///     timer(Duration::from_millis(1)).await;
///     sender.send("done")
/// });
/// let result = set.block_on(async move {
///     let result = receiver.receive().await;
///     worker.await.map(|()| result)
/// });
/// assert_eq!(result, Ok(Some("done")));
/// ```
#[derive(Clone, Default)]
pub struct LocalSet {
    tasks: Rc<RefCell<Tasks>>,
    ready: Arc<Ready>,
}

#[derive(Default)]
struct Tasks {
    last: u64,
    waiting: BTreeMap<u64, Pin<Box<dyn Future<Output = ()>>>>,
}

/// The future of [`LocalSet::block_on`] itself.
const MAIN: u64 = 0;

impl LocalSet {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a future, which runs while [`block_on`](Self::block_on) does. The handle is a future of what it
    /// returns; the future goes on without it.
    pub fn spawn_local<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> LocalHandle<T> {
        let slot = Rc::new(RefCell::new(Slot { output: None, waker: None }));
        let handle = LocalHandle(Rc::clone(&slot));
        let task = async move {
            let output = future.await;
            let waker = {
                let mut slot = slot.borrow_mut();
                slot.output = Some(output);
                slot.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        let mut tasks = self.tasks.borrow_mut();
        tasks.last += 1;
        let id = tasks.last;
        tasks.waiting.insert(id, Box::pin(task));
        drop(tasks);
        self.ready.push(id);
        handle
    }

    /// Runs a future to its end on this thread, and the others of the set meanwhile. Those that are not done
    /// then go on with the next call.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        self.ready.push(MAIN);
        loop {
            let id = self.ready.next();
            let waker = Waker::from(Arc::new(TaskWaker { id, ready: Arc::clone(&self.ready) }));
            let mut context = Context::from_waker(&waker);
            if id == MAIN {
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return output;
                }
                continue;
            }
            // Taken out while it runs: it may start others.
            let task = self.tasks.borrow_mut().waiting.remove(&id);
            let Some(mut task) = task else { continue };
            if task.as_mut().poll(&mut context).is_pending() {
                self.tasks.borrow_mut().waiting.insert(id, task);
            }
        }
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSet")
            .field("waiting", &self.tasks.borrow().waiting.len())
            .finish_non_exhaustive()
    }
}

/// A future of what another future of a [`LocalSet`] returns.
pub struct LocalHandle<T>(Rc<RefCell<Slot<T>>>);

struct Slot<T> {
    output: Option<T>,
    waker: Option<Waker>,
}

impl<T> Future for LocalHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.borrow_mut();
        match slot.output.take() {
            Some(output) => Poll::Ready(output),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for LocalHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHandle").field("is_done", &self.0.borrow().output.is_some()).finish()
    }
}

/// Futures that were woken, in order.
struct Ready {
    queue: Mutex<VecDeque<u64>>,
    changed: Condvar,
}

impl Default for Ready {
    fn default() -> Self {
        let (queue, changed) = (VecDeque::new(), Condvar::new("local_set.changed"));
        Self { queue: Mutex::new("local_set.ready", queue), changed }
    }
}

impl Ready {
    fn push(&self, id: u64) {
        let mut queue = self.queue.lock();
        // Woken twice, it runs once: one poll takes everything into account.
        if !queue.contains(&id) {
            queue.push_back(id);
        }
        drop(queue);
        self.changed.notify_one();
    }

    fn next(&self) -> u64 {
        let mut queue = self.queue.lock();
        loop {
            if let Some(id) = queue.pop_front() {
                return id;
            }
            self.changed.wait(&mut queue);
        }
    }
}

struct TaskWaker {
    id: u64,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::LocalSet;
    use crate::Database;
    use crate::runtime::sync::mpsc::channel;
    use crate::runtime::time::timer;

    #[test]
    fn futures_that_wait_for_tickets_timers_and_channels_take_turns() {
        rt::check(|| {
            let set = LocalSet::new();
            let (sender, receiver) = channel("test.channel");
            let db = Database::open_in_memory().unwrap();
            let run = db.begin_run().unwrap();
            for number in 0..3_u64 {
                let (sender, db, inner) = (sender.clone(), db.clone(), set.clone());
                set.spawn_local(async move {
                    timer(Duration::from_micros(number)).await;
                    let ticket = inner.spawn_local(async move {
                        let mut txn = db.begin_transaction(run)?;
                        txn.put(format!("key/{number}"), number)?;
                        txn.commit()?.ticket().clone().await
                    });
                    ticket.await.expect("it commits");
                    sender.send(number).expect("it is received");
                });
            }
            drop(sender);
            let mut received = set.block_on(async {
                let mut received = Vec::new();
                while let Some(number) = receiver.receive().await {
                    received.push(number);
                }
                received
            });
            received.sort_unstable();
            assert_eq!(received, [0, 1, 2]);
        });
    }
}
