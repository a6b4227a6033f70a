//! Work in the background: sweeping expired keys, collecting old versions, handing out metrics.

use std::time::Duration;

use rt::sync::{Arc, Condvar, Mutex};
use rt::thread::JoinHandle;

use super::measure::measure;
use super::retention::{Retention, forget_old_runs};
use super::sweep::sweep;
use crate::error::{Error, Result};
use crate::striped::Stripe;
use crate::txn::Coordinator;

/// A thread that works from time to time, until it is stopped.
#[derive(Debug)]
pub(super) struct Maintenance {
    signal: Arc<Signal>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Signal {
    stopping: Mutex<bool>,
    wake: Condvar,
}

impl Maintenance {
    pub(super) fn start(
        coordinator: &Arc<Coordinator>,
        interval: Duration,
        retention: Retention,
    ) -> Result<Self> {
        let signal = Arc::new(Signal {
            stopping: Mutex::new("maintenance.stopping", false),
            wake: Condvar::new("maintenance.wake"),
        });
        let (coordinator, signals) = (Stripe::new(coordinator), Arc::clone(&signal));
        let thread = rt::thread::spawn("stormproof-maintenance", move || {
            while !signals.wait(interval) {
                work(&coordinator, retention);
            }
        })
        .map_err(|error| Error::io("starting a thread", "maintenance", error))?;
        Ok(Self { signal, thread })
    }

    pub(super) fn stop(self) {
        *self.signal.stopping.lock() = true;
        self.signal.wake.notify_all();
        // A panic of the thread has been reported where it happened.
        let _ = self.thread.join();
    }
}

impl Signal {
    /// Waits for the next turn; returns whether to stop.
    fn wait(&self, interval: Duration) -> bool {
        let deadline = rt::time::now().saturating_add(interval);
        let mut stopping = self.stopping.lock();
        while !*stopping {
            if self.wake.wait_until(&mut stopping, deadline) {
                break;
            }
        }
        *stopping
    }
}

fn work(coordinator: &Arc<Stripe<Coordinator>>, retention: Retention) {
    // What can't be committed now is tried again the next time.
    let _ = sweep(coordinator);
    let _ = forget_old_runs(coordinator, retention);
    coordinator.committer.collect_all(&coordinator.store, true);
    measure(coordinator).record();
}
