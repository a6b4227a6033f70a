//! When a client works and when it rests: bursts of actions with long pauses between, or evenly spaced.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A rhythm: `length` actions in a row, then a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    /// Actions in a row; 0 never pauses.
    pub length: u32,
    /// The longest pause; it is drawn evenly up to it.
    pub pause_micros_max: u64,
}

impl Burst {
    /// Never pauses.
    pub const NONE: Self = Self { length: 0, pause_micros_max: 0 };

    /// Returns the pause after action number `done` (from 1), if there is one.
    pub fn pause(&self, done: u32, rng: &mut ChaCha8Rng) -> Option<u64> {
        let due = self.length > 0 && self.pause_micros_max > 0 && done.is_multiple_of(self.length);
        due.then(|| rng.random_range(1..=self.pause_micros_max))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::{Burst, ChaCha8Rng};

    #[test]
    fn a_pause_comes_after_each_burst_and_nowhere_else() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let burst = Burst { length: 3, pause_micros_max: 10 };
        let pauses: Vec<_> = (1..=6).map(|done| burst.pause(done, &mut rng).is_some()).collect();
        assert_eq!(pauses, [false, false, true, false, false, true]);
        assert_eq!(Burst::NONE.pause(3, &mut rng), None);
    }
}
