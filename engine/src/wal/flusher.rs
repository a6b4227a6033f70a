//! The thread that makes commits durable in the modes that do not wait: at once (Pipelined), or before the
//! promised interval or number of commits is used up (Batched, Async), also when the database is idle.

use rt::time::Instant;

use super::core::LogCore;
use super::state::LogState;
use crate::durability::Durability;
use crate::telemetry::event;

/// Runs until the log closes.
pub(super) fn run_flusher(log: &LogCore) {
    loop {
        {
            let mut state = log.state.lock();
            loop {
                if state.closing || state.poisoned().is_some() {
                    return;
                }
                let due = log.due(&state);
                if due.is_some_and(|due| due <= rt::time::now()) {
                    break;
                }
                state.flusher_waits = true;
                state.flusher_deadline = due;
                match due {
                    Some(due) => {
                        log.work.wait_until(&mut state, due);
                    }
                    None => log.work.wait(&mut state),
                }
                state.flusher_waits = false;
            }
        }
        // Committers learn of a failure from their tickets, or at the next commit.
        if let Err(error) = log.flush_once() {
            event!(WARN, %error, "the log could not be written or synced");
            rt::reached!("background flush failed");
        }
    }
}

impl LogCore {
    /// Returns when the flusher has to flush; `None` while nothing is pending.
    fn due(&self, state: &LogState) -> Option<Instant> {
        if state.pending.is_empty() || rt::mutant!(IdleDataNotSynced) {
            return None;
        }
        if let Some(retry_at) = state.retry_at {
            return Some(retry_at);
        }
        let half_full = state.pending.bytes.len() >= self.flush_bytes()
            || state.unsynced() >= self.options.durability.commits_max() / 2;
        if half_full || state.urgent {
            return Some(Instant::default());
        }
        match self.options.durability {
            Durability::Strict => None,
            Durability::Pipelined => Some(Instant::default()),
            // The other half is left for the sync: with less, commits would wait for it at the bound.
            Durability::Batched { interval, .. } | Durability::Async { interval } => {
                Some(state.pending.oldest.map_or(Instant::default(), |at| at.saturating_add(interval / 2)))
            }
        }
    }

    /// Returns whether an appended group is due before the flusher would wake by itself.
    pub(super) fn is_due_earlier(&self, state: &LogState) -> bool {
        match self.options.durability {
            Durability::Strict => false,
            Durability::Pipelined => true,
            Durability::Batched { .. } | Durability::Async { .. } => {
                state.pending.bytes.len() >= self.flush_bytes()
                    || state.unsynced() >= self.options.durability.commits_max() / 2
                    || state.flusher_deadline.is_none()
            }
        }
    }
}
