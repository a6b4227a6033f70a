//! Preempts where bugs of optimistic engines are: between the steps of their protocols.
//!
//! A lost update needs a whole commit of one client between the snapshot and the validation of another; a
//! read of half a commit needs a read between two installs. Such windows are marked in the engine with
//! `rt::probe::at`. Preempting there and keeping the victim off for a while, long enough for another's
//! commit, gets there in few lives.
//!
//! How long that is, in scheduling points, is unknown. So in half of the lives a victim is kept off until
//! others have passed some windows a drawn number of times: that counts their transactions, whatever these
//! take.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::{Choice, Strategy};
use crate::life::{TaskId, below};
use crate::op::{FNV_START, OpKind, mix, stable_hash};

/// Prefers to preempt in windows of protocols, and keeps the victim off for a while. Which windows, how often
/// and for how long is drawn anew for every life.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    /// Labels that count as windows; all if empty.
    labels: Vec<String>,
    /// Windows are hot in this life if their hash with this has its lowest bits zero.
    salt: u64,
    cold_bits: u32,
    /// A preemption happens in one of this many cases in a hot window, and elsewhere.
    one_in_hot: u64,
    one_in: u64,
    /// For how many steps a victim is kept off, on average.
    off_mean: u64,
    /// Until which step each task is kept off.
    off_until: Vec<u64>,
    /// In some lives, until how many passes of milestones, on average; 0 in others.
    passes_mean: u64,
    /// Passes of windows that are milestones in this life.
    passes: u64,
    /// Until which of them each task is kept off.
    off_until_pass: Vec<u64>,
}

/// The most steps for which a task is kept off until others pass a milestone: they may be waiting for it.
const STEPS_MAX: u64 = 2_000;

impl Windows {
    /// Takes the windows with these labels; all that there are if the list is empty.
    pub fn new(labels: Vec<String>) -> Self {
        Self { labels, ..Self::default() }
    }

    fn is_hot(&mut self, choice: &Choice<'_>) -> bool {
        let op = choice.pending(choice.current);
        if op.kind != OpKind::At {
            return false;
        }
        let hash = mix(stable_hash(FNV_START, op.label.as_bytes()), self.salt);
        // One window in four is a milestone.
        self.passes += u64::from(hash >> 62 == 0);
        let counts = self.labels.is_empty() || self.labels.iter().any(|label| label == op.label);
        counts && hash & ((1 << self.cold_bits) - 1) == 0
    }

    /// Keeps the current task off for a while.
    fn keep_off(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) {
        let me = choice.current.index();
        if self.passes_mean == 0 {
            self.off_until[me] = choice.step + 1 + below(rng, self.off_mean * 2);
        } else {
            self.off_until[me] = choice.step + STEPS_MAX;
            self.off_until_pass[me] = self.passes + 1 + below(rng, self.passes_mean * 2);
        }
    }

    fn is_kept_off(&self, task: TaskId, step: u64) -> bool {
        let waits = self.passes_mean == 0 || self.passes < self.off_until_pass[task.index()];
        waits && step < self.off_until[task.index()]
    }

    /// Returns a task that is not kept off and is not the current one; any other if there is none.
    fn another(&self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        let free = |task: &&TaskId| **task != choice.current && !self.is_kept_off(**task, choice.step);
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
        self.off_until_pass.clear();
        self.passes = 0;
        self.passes_mean = if below(rng, 2) == 0 { 0 } else { 1 << below(rng, 4) };
    }

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        self.off_until.resize(choice.tasks.len(), 0);
        self.off_until_pass.resize(choice.tasks.len(), 0);
        let is_hot = self.is_hot(choice);
        if !choice.can_stay || choice.yields {
            return self.another(choice, rng);
        }
        if is_hot && below(rng, self.one_in_hot) == 0 {
            self.keep_off(choice, rng);
            return self.another(choice, rng);
        }
        if below(rng, self.one_in) != 0 {
            return choice.current;
        }
        if self.passes_mean > 0 {
            self.keep_off(choice, rng);
        }
        self.another(choice, rng)
    }
}
