//! Closing the database: when somebody asks for it, or when the last handle goes.

use std::time::Duration;

use rt::sync::atomic::Ordering;
use rt::sync::{Arc, Mutex};
use rt::thread::JoinHandle;

use super::inner::{CLOSED, CLOSING, Inner, OPEN};
use super::lease::Leases;
use crate::error::Result;
use crate::maintenance::Maintenance;

/// Closes the database when the last handle goes.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) inner: Arc<Inner>,
    pub(super) leases: Leases,
    maintenance: Mutex<Option<Maintenance>>,
    checkpointer: Mutex<Option<JoinHandle<()>>>,
}

impl Handle {
    pub(super) fn new(
        inner: Arc<Inner>,
        maintenance: Maintenance,
        checkpointer: Option<JoinHandle<()>>,
    ) -> Self {
        Self {
            leases: Leases::new(&inner),
            inner,
            maintenance: Mutex::new("maintenance.handle", Some(maintenance)),
            checkpointer: Mutex::new("checkpointer.handle", checkpointer),
        }
    }

    pub(super) fn close(&self) -> Result<()> {
        let inner = &self.inner;
        if inner.state.load(Ordering::SeqCst) != OPEN {
            return Ok(());
        }
        inner.state.store(CLOSING, Ordering::SeqCst);
        let deadline = rt::time::now().saturating_add(inner.close_timeout);
        while inner.snapshots.in_use() > 0 && rt::time::now() < deadline {
            rt::time::sleep(Duration::from_millis(1));
        }
        self.stop()
    }

    /// Ends background work and commits.
    fn stop(&self) -> Result<()> {
        let maintenance = self.maintenance.lock().take();
        if let Some(maintenance) = maintenance {
            maintenance.stop();
        }
        self.inner.state.store(CLOSED, Ordering::SeqCst);
        if let Some(recording) = &self.inner.recording {
            recording.flush();
        }
        // Whoever leads a group now has it synced before the log closes behind it.
        drop(self.inner.committer.protocol());
        let closed = self.inner.log.as_ref().map_or(Ok(()), |log| log.close());
        let checkpointer = self.checkpointer.lock().take();
        if let Some(checkpointer) = checkpointer {
            // It has seen the log close. A panic has been reported where it happened.
            let _ = checkpointer.join();
        }
        closed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to hear of an error: whoever wants to know closes explicitly.
        let _ = self.stop();
    }
}
