//! Bursts: a task runs for a while before another one does.

use rand_chacha::ChaCha8Rng;

use super::{Choice, Strategy};
use crate::life::{TaskId, below};

/// Lets a task go on for a random number of scheduling points, then any other task. Finds what needs long
/// undisturbed stretches of one task inside of another.
#[derive(Clone, Debug)]
pub struct Sticky {
    burst_mean: u32,
    left: u64,
}

impl Sticky {
    /// Bursts of `burst_mean` scheduling points on average; at least one.
    pub const fn new(burst_mean: u32) -> Self {
        Self { burst_mean, left: 0 }
    }

    fn draw_burst(&mut self, rng: &mut ChaCha8Rng) {
        self.left = 1 + below(rng, u64::from(self.burst_mean.max(1)) * 2 - 1);
    }
}

impl Strategy for Sticky {
    fn begin(&mut self, rng: &mut ChaCha8Rng) {
        self.draw_burst(rng);
    }

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        self.left -= 1;
        if choice.can_stay && !choice.yields && self.left > 0 {
            return choice.current;
        }
        self.draw_burst(rng);
        choice.any_other(rng)
    }
}
