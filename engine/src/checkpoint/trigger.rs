//! The thread that writes checkpoints: after a number of bytes of log, or after some time if there is any
//! log. A call writes one on demand.

use std::time::Duration;

use rt::sync::Arc;
use rt::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::telemetry::event;
use crate::wal::Log;

/// Time between a checkpoint that failed and the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Starts the thread that calls `checkpoint` whenever it is time, until the log closes.
///
/// # Errors
/// When the thread can't be started.
pub(crate) fn spawn_checkpointer(
    log: &Arc<Log>,
    mut checkpoint: impl FnMut() -> Result<()> + Send + 'static,
) -> Result<JoinHandle<()>> {
    let body = Arc::clone(log);
    rt::thread::spawn("checkpointer", move || {
        let mut not_before = rt::time::now();
        while body.wait_for_checkpoint(not_before) {
            if let Err(error) = checkpoint() {
                event!(WARN, %error, "a checkpoint failed; the one before and its log stay, and another is tried");
                rt::reached!("background checkpoint failed");
                not_before = rt::time::now().saturating_add(RETRY_AFTER);
            } else {
                not_before = rt::time::now();
            }
        }
    })
    .map_err(|error| Error::Io {
        operation: "start the checkpointer",
        file: log.disk().describe(),
        source: Arc::new(error),
    })
}
