//! Random bits from a seed, the same in every run.

use std::sync::PoisonError;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use stormproof_env::Entropy;

use crate::streams::stream;

/// Random bits from a seed: ChaCha8, stream `entropy`. The order of calls decides which caller gets which
/// bits, so runs repeat under a simulated scheduler.
#[derive(Debug)]
pub struct SimEntropy {
    #[expect(
        clippy::disallowed_types,
        reason = "part of the simulated world: it must not be a scheduling point, and is never held across one"
    )]
    rng: std::sync::Mutex<ChaCha8Rng>,
}

impl SimEntropy {
    /// Creates the source of the bits of this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: stream(seed, "entropy").into() }
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_does_not() {
        let draw = |seed| SimEntropy::new(seed).next_u64();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
