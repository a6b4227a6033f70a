//! The thread that makes commits durable in the modes that do not wait: as soon as there is something (Pipelined),
//! or in time before the promised interval or number is used up (Batched, Async), also when the database is idle.

use rt::time::Instant;

use super::Durability;
use crate::telemetry::event;
use crate::wal::{Log, State};

/// Runs until the log closes.
pub(crate) fn run(log: &Log) {
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
        // Who committed learns of a failure through the ticket, or at the next commit.
        if let Err(error) = log.flush_once() {
            event!(WARN, %error, "the log could not be written or synced");
            rt::reached!("background flush failed");
        }
    }
}

impl Log {
    /// When the flusher has to flush what is pending; `None` if nothing is.
    fn due(&self, state: &State) -> Option<Instant> {
        if state.pending.is_empty() || rt::mutant!(IdleDataNotSynced) {
            return None;
        }
        if let Some(retry_at) = state.retry_at {
            return Some(retry_at);
        }
        let half_full = state.pending.bytes.len() >= self.flush_bytes()
            || state.unsynced() >= self.durability().commits_max() / 2;
        if half_full || state.urgent {
            return Some(Instant::default());
        }
        match self.durability() {
            Durability::Strict => None,
            Durability::Pipelined => Some(Instant::default()),
            // Half of the interval is left for the sync, so that commits seldom wait for it.
            Durability::Batched { interval, .. } | Durability::Async { interval } => {
                Some(state.pending.oldest.map_or(Instant::default(), |at| at.saturating_add(interval / 2)))
            }
        }
    }

    /// Whether the flusher has to be woken, as it may sleep for longer than it should after a group was appended.
    pub(crate) fn due_earlier(&self, state: &State) -> bool {
        match self.durability() {
            Durability::Strict => false,
            Durability::Pipelined => true,
            Durability::Batched { .. } | Durability::Async { .. } => {
                state.pending.bytes.len() >= self.flush_bytes()
                    || state.unsynced() >= self.durability().commits_max() / 2
                    || state.flusher_deadline.is_none()
            }
        }
    }
}
