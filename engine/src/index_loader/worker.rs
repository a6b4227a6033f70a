//! A thread that fills one part of the index.

use std::collections::VecDeque;

use rt::sync::{Arc, Condvar, Mutex};
use rt::thread::JoinHandle;

use super::batch::Batch;
use super::no_thread;
use super::part::Part;
use super::sorted::Sorted;
use crate::error::{Error, Result};

/// Batches that may wait: memory must not grow with the log when reading is faster.
const BATCHES_MAX: usize = 8;

/// A thread that fills one part.
#[derive(Debug)]
pub(super) struct Worker {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<Result<Sorted>>>,
}

#[derive(Debug)]
struct Inbox {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// No more batches will come.
    ended: bool,
    /// The worker failed and takes no more batches.
    failed: bool,
}

impl Worker {
    pub(super) fn start(part: Part) -> Result<Self> {
        let inbox = Arc::new(Inbox {
            queue: Mutex::new("restore.queue", Queue::default()),
            changed: Condvar::new("restore.changed"),
        });
        let body = Arc::clone(&inbox);
        let thread = rt::thread::spawn("restore", move || body.fill(part)).map_err(no_thread)?;
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// Gives the worker a batch, waiting while it has too many. After a failure, which [`join`](Self::join)
    /// returns, batches are dropped.
    pub(super) fn give(&self, batch: Batch) {
        let mut queue = self.inbox.queue.lock();
        while queue.batches.len() >= BATCHES_MAX && !queue.failed {
            self.inbox.changed.wait(&mut queue);
        }
        queue.batches.push_back(batch);
        drop(queue);
        self.inbox.changed.notify_all();
    }

    /// Says that no more batches will come.
    pub(super) fn end(&self) {
        self.inbox.queue.lock().ended = true;
        self.inbox.changed.notify_all();
    }

    /// Waits for the full part.
    ///
    /// # Errors
    /// The first error of a batch.
    pub(super) fn join(&mut self) -> Result<Sorted> {
        let thread = self.thread.take().ok_or(Error::Closed)?;
        // A panic has been reported where it happened.
        thread.join().unwrap_or(Err(Error::Closed))
    }
}

impl Drop for Worker {
    /// Ends the thread when reading failed, so that none is left running.
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Inbox {
    fn fill(&self, mut part: Part) -> Result<Sorted> {
        while let Some(batch) = self.take() {
            if let Err(error) = batch.restore_into(&mut part) {
                self.queue.lock().failed = true;
                self.changed.notify_all();
                return Err(error);
            }
        }
        Ok(part.finish())
    }

    fn take(&self) -> Option<Batch> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(batch) = queue.batches.pop_front() {
                drop(queue);
                self.changed.notify_all();
                return Some(batch);
            }
            if queue.ended {
                return None;
            }
            self.changed.wait(&mut queue);
        }
    }
}
