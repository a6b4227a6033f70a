//! Partial-order sampling: random priorities for operations, drawn anew where operations race.
//!
//! Yuan, Yang, Gu: *Partial Order Aware Concurrency Sampling* (CAV 2018). Interleavings that differ only in
//! the order of operations that commute are one and the same to it, so it does not waste lives on them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::{Choice, Strategy};
use crate::life::TaskId;

/// Gives the pending operation of each task a random priority and runs the highest; the priorities of those
/// that race with it are drawn anew.
#[derive(Clone, Debug, Default)]
pub struct PartialOrder {
    /// For each task the priority of its pending operation, and how many steps it had when that was drawn.
    priorities: Vec<(u64, u64)>,
}

impl PartialOrder {
    /// Creates a sampler; there is nothing to set.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Strategy for PartialOrder {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {
        self.priorities.clear();
    }

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        self.priorities.resize(choice.tasks.len(), (0, u64::MAX));
        for task in choice.runnable {
            let steps = choice.steps_of(*task);
            if self.priorities[task.index()].1 != steps {
                self.priorities[task.index()] = (rng.next_u64(), steps);
            }
        }
        if choice.yields {
            // For this choice only: `u64::MAX` is no count of steps, so it is drawn anew at the next one.
            self.priorities[choice.current.index()] = (0, u64::MAX);
        }
        let highest = choice.runnable.iter().max_by_key(|task| self.priorities[task.index()].0);
        let to = highest.copied().unwrap_or(choice.current);
        let op = choice.pending(to);
        for other in choice.runnable {
            if *other != to && !choice.pending(*other).commutes_with(&op) {
                self.priorities[other.index()].0 = rng.next_u64();
            }
        }
        to
    }
}
