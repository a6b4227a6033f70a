//! What all handles of a database share, and its end: when it is closed, or the last handle is dropped.

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

/// What all handles of a database share. Closes the database when the last handle is dropped.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) recovery: RecoveryReport,
    /// What transactions and snapshots hold the database by.
    pub(super) transactions: StripedArc<Coordinator>,
    pub(super) snapshots: StripedArc<Store>,
    background: Background,
    close_timeout: Duration,
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
        }
    }

    pub(super) fn close(&self) -> Result<()> {
        self.check_process()?;
        if !self.coordinator.is_open() {
            return Ok(());
        }
        self.coordinator.begin_closing();
        let deadline = rt::time::now().saturating_add(self.close_timeout);
        while self.coordinator.store.snapshots.in_use() > 0 && rt::time::now() < deadline {
            rt::time::sleep(Duration::from_millis(1));
        }
        self.stop()
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
        // The group under way is synced before the log closes behind it.
        drop(self.coordinator.committer.between_groups());
        let closed = self.coordinator.store.log.as_ref().map_or(Ok(()), |log| log.close());
        // Last: it ends when it sees that the log has closed.
        let checkpointer = self.background.checkpointer.lock().take();
        if let Some(checkpointer) = checkpointer {
            // A panic has been reported where it happened.
            let _ = checkpointer.join();
        }
        closed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // No caller is left to hear of an error: closing explicitly returns it.
        let _ = self.stop();
    }
}
