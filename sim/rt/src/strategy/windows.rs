//! Preempts where optimistic engines break: between the steps of their protocols.
//!
//! A lost update needs a whole commit of one client between the snapshot and the validation of another; a read of half a
//! commit needs a read between two installs. Such windows are marked in the engine with `rt::probe::at`. Preempting
//! there and keeping the victim off for a while, long enough for another's commit, gets there in few lives.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::{Choice, Strategy};
use crate::life::{TaskId, below};
use crate::op::{FNV_START, OpKind, mix, stable_hash};

/// Prefers to preempt in windows of protocols, and keeps the victim off for a while. Which windows, how often and for how
/// long is drawn anew for every life.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    /// Labels that count as windows; all if empty.
    labels: Vec<String>,
    /// Windows are hot in this life if their hash with this has its lowest bits zero.
    salt: u64,
    cold_bits: u32,
    /// In a hot window somebody is preempted in one of so many cases, elsewhere in one of so many.
    one_in_hot: u64,
    one_in: u64,
    /// For how many steps a victim is kept off, on average.
    off_mean: u64,
    /// Until which step each task is kept off.
    off_until: Vec<u64>,
}

impl Windows {
    /// Takes the windows with these labels; all that there are if the list is empty.
    pub fn new(labels: Vec<String>) -> Self {
        Self { labels, ..Self::default() }
    }

    fn is_hot(&self, choice: &Choice<'_>) -> bool {
        let op = choice.pending(choice.current);
        let counts = op.kind == OpKind::At
            && (self.labels.is_empty() || self.labels.iter().any(|label| label == op.label));
        counts && {
            let hash = mix(stable_hash(FNV_START, op.label.as_bytes()), self.salt);
            hash & ((1 << self.cold_bits) - 1) == 0
        }
    }

    /// One of those who are not kept off, but for the current task; anybody else if there is nobody like that.
    fn another(&self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        let free = |task: &&TaskId| **task != choice.current && self.off_until[task.index()] <= choice.step;
        match choice.runnable.iter().filter(free).count() as u64 {
            0 => choice.any_other(rng),
            count => {
                let index = below(rng, count) as usize;
                choice.runnable.iter().filter(free).nth(index).copied().unwrap_or(choice.current)
            }
        }
    }
}

impl Strategy for Windows {
    fn begin(&mut self, rng: &mut ChaCha8Rng) {
        self.off_until.clear();
        self.salt = rng.next_u64();
        self.cold_bits = below(rng, 3) as u32;
        self.one_in_hot = 1 << below(rng, 4);
        self.one_in = 16 << below(rng, 6);
        self.off_mean = 8 << below(rng, 7);
    }

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        self.off_until.resize(choice.tasks.len(), 0);
        if !choice.can_stay || choice.yields {
            return self.another(choice, rng);
        }
        if self.is_hot(choice) && below(rng, self.one_in_hot) == 0 {
            self.off_until[choice.current.index()] = choice.step + 1 + below(rng, self.off_mean * 2);
            return self.another(choice, rng);
        }
        if below(rng, self.one_in) == 0 { self.another(choice, rng) } else { choice.current }
    }
}
