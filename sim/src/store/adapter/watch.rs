//! Watches of the engine: blocking ones, and ones that are polled as by an executor.

use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use stormproof_rt::sync::Arc;
use stormproof_workloads::store::{Result, StoreWatch, Watched, WatchedCommit};

use super::convert::{bytes, error};
use super::engine::runtime::sync::{Condvar, Mutex};
use super::engine::runtime::time;
use super::engine::{self, Error, Version};

/// A watch of the engine.
pub(super) struct EngineWatch {
    pub(super) watch: engine::Watch,
    pub(super) polled: bool,
}

impl EngineWatch {
    /// Polls as an executor does, until `timeout` has passed.
    fn poll_until(&mut self, timeout: Duration) -> engine::Result<Option<engine::WatchedCommit>> {
        let deadline = time::now().saturating_add(timeout);
        let signal =
            Arc::new(Signal { woken: Mutex::new("watcher.woken", false), wake: Condvar::new("watcher") });
        let waker = Waker::from(Arc::clone(&signal));
        loop {
            match self.watch.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(Err(error))) => return Err(error),
                Poll::Ready(Some(Ok(commit))) => return Ok(Some(commit)),
                // After an error the stream has ended, and this returns the error again.
                Poll::Ready(None) => return self.watch.try_next(),
                Poll::Pending => {}
            }
            if !signal.wait_until(deadline) {
                return Ok(None);
            }
        }
    }
}

impl StoreWatch for EngineWatch {
    fn next(&mut self, timeout: Duration) -> Result<Watched> {
        let found = if self.polled { self.poll_until(timeout) } else { self.watch.next_timeout(timeout) };
        match found {
            Ok(None) => Ok(Watched::Quiet),
            Ok(Some(commit)) => {
                let write = |write: engine::WatchedWrite| {
                    Ok((write.key.user_key().to_vec(), write.value.as_ref().map(bytes).transpose()?))
                };
                let writes = commit.writes.into_iter().map(write).collect::<Result<_>>()?;
                Ok(Watched::Commit(WatchedCommit { version: commit.version.get(), writes }))
            }
            Err(Error::WatchBehind { read_at, .. }) => Ok(Watched::Behind { read_at: read_at.get() }),
            Err(failed) => Err(error(failed)),
        }
    }

    fn skip_to(&mut self, version: u64) -> Result<()> {
        self.watch.skip_to(Version::new(version)).map_err(error)
    }

    fn position(&self) -> u64 {
        self.watch.position().get()
    }
}

/// Wakes a thread that polls.
struct Signal {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl Signal {
    /// Waits for a wake-up; returns whether it came before the deadline.
    fn wait_until(&self, deadline: time::Instant) -> bool {
        let mut woken = self.woken.lock();
        while !std::mem::take(&mut *woken) {
            if time::now() >= deadline {
                return false;
            }
            self.wake.wait_until(&mut woken, deadline);
        }
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.wake.notify_one();
    }
}
