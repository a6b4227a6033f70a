//! Zipf-distributed ranks: rank `k` (from 0) is drawn with a weight of `1 / (k + 1)^s`.
//!
//! The weights are summed once and searched by halves; no call of `pow`, whose last bit differs between
//! machines. So `s` is a number of quarters, made of roots and products, which are exactly rounded
//! everywhere.
//!
//! Source: G. K. Zipf, Human Behavior and the Principle of Least Effort (1949); inversion by table.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Draws ranks `0..n`, low ones more often.
#[derive(Clone, Debug)]
pub struct Zipf {
    cumulated: Vec<f64>,
}

impl Zipf {
    /// `n` ranks (at least one) with an exponent of `quarters / 4`: 0 is uniform, 4 is the classical one.
    pub fn new(n: u32, quarters: u32) -> Self {
        let mut total = 0.0;
        let cumulated = (1..=n.max(1))
            .map(|rank| {
                let root = f64::from(rank).sqrt().sqrt();
                total += (0..quarters).fold(1.0, |weight, _| weight / root);
                total
            })
            .collect();
        Self { cumulated }
    }

    /// Draws a rank.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        let total = self.cumulated.last().copied().unwrap_or(0.0);
        // 53 bits are all that a double holds.
        let point = (rng.random::<u64>() >> 11) as f64 / (1_u64 << 53) as f64 * total;
        let rank = self.cumulated.partition_point(|&cumulated| cumulated <= point);
        u32::try_from(rank.min(self.cumulated.len() - 1)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::{ChaCha8Rng, Zipf};

    fn counts(quarters: u32) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let zipf = Zipf::new(10, quarters);
        let mut counts = vec![0; 10];
        for _ in 0..10_000 {
            counts[zipf.draw(&mut rng) as usize] += 1;
        }
        counts
    }

    #[test]
    fn exponent_zero_is_uniform() {
        assert!(counts(0).iter().all(|&count| (850..1_150).contains(&count)), "{:?}", counts(0));
    }

    #[test]
    fn exponent_one_halves_the_second_rank() {
        let counts = counts(4);
        // 1 / H(10) is 0.341.
        assert!((3_250..3_600).contains(&counts[0]), "{counts:?}");
        assert!((1_550..1_850).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn one_rank_is_always_drawn() {
        assert_eq!(Zipf::new(0, 4).draw(&mut ChaCha8Rng::seed_from_u64(1)), 0);
    }
}
