//! Chances as integers, so that plans compare, print and serialise exactly.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// A chance in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Odds(u32);

impl Odds {
    /// Does not happen.
    pub const NEVER: Self = Self(0);
    /// Always happens.
    pub const ALWAYS: Self = Self(1_000_000);

    /// `n` in a hundred; more than a hundred is always.
    pub const fn percent(n: u32) -> Self {
        Self::per_million(n.saturating_mul(10_000))
    }

    /// `n` in a thousand; more than a thousand is always.
    pub const fn per_mille(n: u32) -> Self {
        Self::per_million(n.saturating_mul(1_000))
    }

    /// `n` in a million; more than a million is always.
    pub const fn per_million(n: u32) -> Self {
        if n > Self::ALWAYS.0 { Self::ALWAYS } else { Self(n) }
    }

    /// In millionths.
    pub const fn as_millionths(self) -> u32 {
        self.0
    }

    /// Returns whether a word drawn uniformly from all of `u64` hits.
    pub(crate) fn hit(self, word: u64) -> bool {
        // Multiply-shift: maps the word to 0..1,000,000 without a division.
        let scaled = (u128::from(word) * u128::from(Self::ALWAYS.0)) >> 64;
        scaled < u128::from(self.0)
    }

    /// Draws; takes a word of the stream only when there is something to decide.
    pub(crate) fn draw(self, rng: &mut impl Rng) -> bool {
        match self {
            Self::NEVER => false,
            Self::ALWAYS => true,
            Self(_) => self.hit(rng.next_u64()),
        }
    }
}

/// Picks an index by weight; 0 if all weights are 0.
pub(crate) fn pick(rng: &mut impl Rng, weights: &[u32]) -> usize {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if total == 0 {
        return 0;
    }
    let mut left = rng.random_range(0..total);
    for (index, weight) in weights.iter().enumerate() {
        match left.checked_sub(u64::from(*weight)) {
            Some(rest) => left = rest,
            None => return index,
        }
    }
    unreachable!("the draw is below the sum of the weights")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::stream;

    #[test]
    fn a_tenth_hits_about_a_tenth_of_the_time() {
        let mut rng = stream(1, "test");
        let hits = (0..10_000).filter(|_| Odds::percent(10).draw(&mut rng)).count();
        assert!((900..1100).contains(&hits), "{hits}");
    }

    #[test]
    fn a_weight_of_zero_is_never_picked() {
        let mut rng = stream(1, "test");
        assert!((0..1000).all(|_| pick(&mut rng, &[0, 1, 0, 3, 0]) % 2 == 1));
    }
}
