//! Work in the background: sweeping expired keys, collecting old versions, handing out metrics.

use std::time::Duration;

use rt::sync::Arc;
use rt::thread::JoinHandle;

use super::measure::measure;
use super::retention::{Retention, forget_old_runs};
use super::sweep::sweep;
use crate::error::{Error, Result};
use crate::mvcc::Turn;
use crate::store::Store;
use crate::striped::Stripe;
use crate::txn::Coordinator;

/// A thread that works from time to time, and packs leaves when commits ask for it, until it is stopped.
#[derive(Debug)]
pub(super) struct Maintenance {
    store: Arc<Store>,
    thread: JoinHandle<()>,
}

impl Maintenance {
    pub(super) fn start(
        coordinator: &Arc<Coordinator>,
        interval: Duration,
        retention: Retention,
        packs_beside_commits: bool,
    ) -> Result<Self> {
        let store = Arc::clone(&coordinator.store);
        if packs_beside_commits {
            store.index.packing.serve();
        }
        let coordinator = Stripe::new(coordinator);
        let thread = rt::thread::spawn("stormproof-maintenance", move || {
            serve(&coordinator, interval, retention);
        })
        .map_err(|error| Error::io("starting a thread", "maintenance", error))?;
        Ok(Self { store, thread })
    }

    pub(super) fn stop(self) {
        self.store.index.packing.stop();
        // A panic of the thread has been reported where it happened.
        let _ = self.thread.join();
    }
}

fn serve(coordinator: &Arc<Stripe<Coordinator>>, interval: Duration, retention: Retention) {
    let next = || rt::time::now().saturating_add(interval);
    let mut deadline = next();
    loop {
        match coordinator.store.index.packing.wait(deadline) {
            Turn::Pack(leaves) => pack(coordinator, &leaves),
            Turn::Due => {
                work(coordinator, retention);
                deadline = next();
            }
            Turn::Stop => return,
        }
    }
}

fn pack(coordinator: &Coordinator, leaves: &[u32]) {
    for number in leaves {
        coordinator.committer.pack_leaf(&coordinator.store, *number);
    }
    // What this thread has dropped is freed now, and not when it happens to read the next time.
    rt::lockfree::begin_epochs();
}

fn work(coordinator: &Arc<Stripe<Coordinator>>, retention: Retention) {
    // What can't be committed now is tried again the next time.
    let _ = sweep(coordinator);
    let _ = forget_old_runs(coordinator, retention);
    coordinator.committer.collect_all(&coordinator.store, true);
    measure(coordinator).record();
}
