//! Each task in turn, for a fixed number of scheduling points.

use rand_chacha::ChaCha8Rng;

use super::{Choice, Strategy};
use crate::life::TaskId;

/// Each task in turn, for a fixed number of scheduling points.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    quantum: u32,
    left: u32,
}

impl RoundRobin {
    /// Switches after `quantum` scheduling points; at least one.
    pub const fn new(quantum: u32) -> Self {
        Self { quantum, left: quantum }
    }
}

impl Strategy for RoundRobin {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {
        self.left = self.quantum;
    }

    fn choose(&mut self, choice: &Choice<'_>, _rng: &mut ChaCha8Rng) -> TaskId {
        if choice.can_stay && !choice.yields && self.left > 1 {
            self.left -= 1;
            choice.current
        } else {
            self.left = self.quantum;
            choice.next()
        }
    }
}
