//! Which seeds a campaign runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seeds `start..end`, `end` excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedRange {
    /// First seed.
    pub start: u64,
    /// First seed behind the range.
    pub end: u64,
}

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no range of seeds: write first..end, as in 0..10000 (end excluded)");
        let (start, end) = text.split_once("..").ok_or_else(wrong)?;
        let (start, end) = (start.parse().map_err(|_| wrong())?, end.parse().map_err(|_| wrong())?);
        if start < end { Ok(Self { start, end }) } else { Err(wrong()) }
    }
}

/// Part `index` of `count` parts of the seeds: the ones whose distance from the first seed leaves `index`
/// when divided by `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    /// How many parts.
    pub count: u64,
}

impl Shard {
    /// All seeds.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no shard: write index/count with the index from 0, as in 0/8 … 7/8");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count) = (index.parse().map_err(|_| wrong())?, count.parse().map_err(|_| wrong())?);
        if index < count { Ok(Self { index, count }) } else { Err(wrong()) }
    }
}

/// Hands out seeds in order.
#[derive(Clone, Debug)]
pub struct SeedSource {
    next: Option<u64>,
    end: Option<u64>,
    step: u64,
    /// Seeds that a dead worker left undone.
    returned: Vec<u64>,
}

impl SeedSource {
    /// The shard's part of a range.
    pub fn range(range: SeedRange, shard: Shard) -> Self {
        let next = range.start.checked_add(shard.index);
        Self { next, end: Some(range.end), step: shard.count, returned: Vec::new() }
    }

    /// Without end, from `start` on.
    pub fn from(start: u64, shard: Shard) -> Self {
        Self { next: start.checked_add(shard.index), end: None, step: shard.count, returned: Vec::new() }
    }

    /// Up to `count` seeds that were not handed out before; none when there are no more.
    pub fn take(&mut self, count: usize) -> Vec<u64> {
        let mut seeds = Vec::with_capacity(count);
        while seeds.len() < count {
            if let Some(seed) = self.returned.pop() {
                seeds.push(seed);
                continue;
            }
            match self.next {
                Some(seed) if self.end.is_none_or(|end| seed < end) => {
                    seeds.push(seed);
                    self.next = seed.checked_add(self.step);
                }
                _ => break,
            }
        }
        seeds
    }

    /// Takes back what was handed out and not run.
    pub fn give_back(&mut self, seeds: &[u64]) {
        self.returned.extend(seeds.iter().rev());
    }

    /// How many seeds there are in all; `None` without end.
    pub fn total(&self) -> Option<u64> {
        let left = match (self.next, self.end) {
            (_, None) => return None,
            (None, _) => 0,
            (Some(next), Some(end)) => end.saturating_sub(next).div_ceil(self.step),
        };
        Some(left + self.returned.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::{SeedRange, SeedSource, Shard};

    #[test]
    fn shards_split_a_range_without_gap_or_overlap() {
        let range: SeedRange = "10..31".parse().unwrap();
        let mut all: Vec<u64> = (0..4)
            .flat_map(|index| {
                let mut source = SeedSource::range(range, Shard { index, count: 4 });
                let total = source.total().unwrap();
                let seeds = source.take(100);
                assert_eq!(seeds.len() as u64, total);
                seeds
            })
            .collect();
        all.sort_unstable();
        assert_eq!(all, (10..31).collect::<Vec<_>>());
    }

    #[test]
    fn a_seed_that_a_dead_worker_left_is_run_by_another() {
        let mut source = SeedSource::range(SeedRange { start: 0, end: 5 }, Shard::WHOLE);
        let taken = source.take(4);
        source.give_back(&taken[1..]);
        assert_eq!(source.take(10), [1, 2, 3, 4]);
        assert!(source.take(1).is_empty());
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in ["5", "5..5", "9..1", "a..b"] {
            assert!(text.parse::<SeedRange>().unwrap_err().contains("0..10000"));
        }
        for text in ["1", "4/4", "x/2"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("0/8"));
        }
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3/8");
    }
}
