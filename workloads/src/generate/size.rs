//! Sizes of values: mostly small, seldom large, as agents write them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Sizes from 0 up to a largest one; each power of two as likely as the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// The largest.
    pub bytes_max: usize,
}

impl Sizes {
    /// What a store has to take: up to 1 MiB.
    pub const WHOLE: Self = Self { bytes_max: 1 << 20 };

    /// Draws a size.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        let powers = usize::BITS - self.bytes_max.leading_zeros();
        let power = rng.random_range(0..=powers);
        let below = 1_u64 << power;
        usize::try_from(rng.random_range(0..below)).unwrap_or(usize::MAX).min(self.bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::{ChaCha8Rng, Sizes};

    #[test]
    fn sizes_reach_from_nothing_to_the_largest_mebibyte() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let sizes: Vec<_> = (0..10_000).map(|_| Sizes::WHOLE.draw(&mut rng)).collect();
        assert!(sizes.contains(&0));
        assert!(sizes.iter().any(|&size| size > 1 << 19));
        assert!(sizes.iter().all(|&size| size <= 1 << 20));
        assert_eq!(Sizes { bytes_max: 0 }.draw(&mut rng), 0);
    }
}
