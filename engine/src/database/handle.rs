//! The state that all handles of a database share, and how it ends: by a close, or when the last handle is
//! dropped.

use std::time::Duration;

use env::ProcessId;
use rt::sync::{Arc, Mutex};
use rt::thread::JoinHandle;

use super::checkpoints::Checkpoints;
use super::maintenance::Maintenance;
use crate::error::{Error, Result};
use crate::recovery::RecoveryReport;
use crate::store::Store;
use crate::striped::StripedArc;
use crate::txn::Coordinator;

/// The state that all handles of a database share. Closes the database when the last handle is dropped.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) recovery: RecoveryReport,
    /// The reference that transactions and snapshots hold.
    pub(super) transactions: StripedArc<Coordinator>,
    pub(super) snapshots: StripedArc<Store>,
    background: Background,
    close_timeout: Duration,
    /// The result of the close, once the database is closed.
    closed: Mutex<Option<Result<()>>>,
}

/// The threads that work for the database.
#[derive(Debug)]
pub(super) struct Background {
    maintenance: Mutex<Option<Maintenance>>,
    checkpointer: Mutex<Option<JoinHandle<()>>>,
    /// The process that they are threads of.
    process: ProcessId,
}

impl Background {
    pub(super) fn new(maintenance: Maintenance, checkpointer: Option<JoinHandle<()>>) -> Self {
        Self {
            maintenance: Mutex::new("maintenance.handle", Some(maintenance)),
            checkpointer: Mutex::new("checkpointer.handle", checkpointer),
            process: ProcessId::current(),
        }
    }
}

impl Handle {
    pub(super) fn new(
        coordinator: Arc<Coordinator>,
        checkpoints: Arc<Checkpoints>,
        background: Background,
        recovery: RecoveryReport,
        close_timeout: Duration,
    ) -> Self {
        Self {
            transactions: StripedArc::new(&coordinator),
            snapshots: StripedArc::new(&coordinator.store),
            coordinator,
            checkpoints,
            recovery,
            background,
            close_timeout,
            closed: Mutex::new("handle.closed", None),
        }
    }

    pub(super) fn close(&self) -> Result<()> {
        self.check_process()?;
        self.coordinator.hooks.check_life()?;
        // Held to the end: a second caller returns when the first has made everything durable, and with its
        // answer.
        let mut closed = self.closed.lock();
        if let Some(closed) = &*closed {
            return closed.clone();
        }
        self.coordinator.begin_closing();
        let deadline = rt::time::now().saturating_add(self.close_timeout);
        while self.coordinator.store.snapshots.in_use() > 0 && rt::time::now() < deadline {
            rt::time::sleep(Duration::from_millis(1));
        }
        closed.insert(self.stop()).clone()
    }

    /// Checks that this is the process that opened the database: a forked child has no threads to wait for,
    /// and locks may be held for good there by those of the parent.
    fn check_process(&self) -> Result<()> {
        if self.background.process.is_current() { Ok(()) } else { Err(Error::Forked) }
    }

    /// Ends background work and commits.
    fn stop(&self) -> Result<()> {
        self.check_process()?;
        // First, as it commits: its sweep must not meet a closed database.
        let maintenance = self.background.maintenance.lock().take();
        if let Some(maintenance) = maintenance {
            maintenance.stop();
        }
        self.coordinator.close();
        let closed = {
            // Held while the log closes: a group that came between would be admitted and appended to a log
            // that has written for the last time, or be refused after it was written.
            let mut after_the_last_group = self.coordinator.committer.between_groups();
            let closed = self.coordinator.store.log.as_ref().map_or(Ok(()), |log| log.close());
            // After the last sync, as watches of durable commits still get what it made durable.
            after_the_last_group.watchers.close();
            closed
        };
        // Last: it ends when it sees that the log has closed.
        let checkpointer = self.background.checkpointer.lock().take();
        if let Some(checkpointer) = checkpointer {
            // A panic has been reported where it happened.
            let _ = checkpointer.join();
        }
        if closed.is_ok() {
            self.coordinator.hooks.closed();
        }
        closed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // In another life than that of its own threads they can't be waited for.
        if self.closed.get_mut().is_none() && self.coordinator.hooks.check_life().is_ok() {
            // No caller is left to hear of an error: closing explicitly returns it.
            let _ = self.stop();
        }
    }
}
