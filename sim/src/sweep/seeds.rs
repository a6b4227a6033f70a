//! Which seeds a campaign runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seeds `start..end`, `end` excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedRange {
    /// First seed.
    pub start: u64,
    /// First seed after the range.
    pub end: u64,
}

/// Seeds of a campaign: ranges that don't overlap, in order.
///
/// As text: seeds and ranges, separated by commas, as in `7`, `0..60`, `0..=59` or `3,10..20`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SeedSet(Vec<SeedRange>);

impl SeedSet {
    /// Returns how many seeds there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns whether there is none; sets that were parsed have at least one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Creates a set of ranges; those that overlap or touch are joined.
    fn of(mut ranges: Vec<SeedRange>) -> Self {
        ranges.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<SeedRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Self(joined)
    }
}

impl FromStr for SeedSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ranges: Result<Vec<SeedRange>, String> =
            text.split(',').map(|part| part.trim().parse()).collect();
        ranges.map(Self::of)
    }
}

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` names no seeds: write a seed (7), a range without its end (0..10000) or with it (0..=9999), all from one on (5..), or \
                 several of them with commas between"
            )
        };
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let after = |last: u64| last.checked_add(1).ok_or_else(wrong);
        let (start, end) = match (text.split_once("..="), text.split_once("..")) {
            (Some((start, last)), _) => (number(start)?, after(number(last)?)?),
            (None, Some((start, end))) => (number(start)?, number(end)?),
            (None, None) => {
                let seed = number(text)?;
                (seed, after(seed)?)
            }
        };
        if start < end { Ok(Self { start, end }) } else { Err(wrong()) }
    }
}

impl fmt::Display for SeedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, range) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            match range.end - range.start {
                1 => write!(f, "{comma}{}", range.start)?,
                _ => write!(f, "{comma}{}..{}", range.start, range.end)?,
            }
        }
        Ok(())
    }
}

impl From<SeedSet> for String {
    fn from(seeds: SeedSet) -> Self {
        seeds.to_string()
    }
}

impl TryFrom<String> for SeedSet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Part `index` of `count` parts of the seeds: every `count`-th seed, beginning with the one at `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
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

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Hands out seeds in order.
#[derive(Clone, Debug)]
pub struct SeedSource {
    /// What is left, first range last.
    ranges: Vec<SeedRange>,
    /// How many seeds of other shards come before the next seed of this one.
    skip: u64,
    step: u64,
    is_endless: bool,
    /// Seeds that a dead worker left undone.
    returned: Vec<u64>,
}

impl SeedSource {
    /// Returns the shard's part of a set of seeds.
    pub fn of(seeds: &SeedSet, shard: Shard) -> Self {
        let ranges = seeds.0.iter().rev().copied().collect();
        Self { ranges, skip: shard.index, step: shard.count, is_endless: false, returned: Vec::new() }
    }

    /// Returns the shard's part of `start..end`.
    pub fn of_range(start: u64, end: u64, shard: Shard) -> Self {
        Self {
            ranges: vec![SeedRange { start, end }],
            skip: shard.index,
            step: shard.count,
            is_endless: false,
            returned: Vec::new(),
        }
    }

    /// Creates a source without end, from `start` on.
    pub fn from(start: u64, shard: Shard) -> Self {
        Self { is_endless: true, ..Self::of_range(start, u64::MAX, shard) }
    }

    /// Takes up to `count` seeds; none when there are no more.
    pub fn take(&mut self, count: usize) -> Vec<u64> {
        let mut seeds = Vec::with_capacity(count);
        while seeds.len() < count {
            match self.returned.pop().or_else(|| self.next()) {
                Some(seed) => seeds.push(seed),
                None => break,
            }
        }
        seeds
    }

    /// Takes back seeds that were handed out and not run.
    pub fn give_back(&mut self, seeds: &[u64]) {
        self.returned.extend(seeds.iter().rev());
    }

    /// Returns how many seeds are left in all; `None` without end.
    pub fn total(&self) -> Option<u64> {
        let left: u64 = self.ranges.iter().map(|range| range.end - range.start).sum();
        let own = left.saturating_sub(self.skip).div_ceil(self.step);
        (!self.is_endless).then_some(own + self.returned.len() as u64)
    }

    fn next(&mut self) -> Option<u64> {
        loop {
            let range = self.ranges.last_mut()?;
            let length = range.end - range.start;
            if self.skip < length {
                let seed = range.start + self.skip;
                range.start = seed + 1;
                self.skip = self.step - 1;
                return Some(seed);
            }
            self.skip -= length;
            self.ranges.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SeedSet, SeedSource, Shard};

    fn seeds(text: &str) -> Vec<u64> {
        SeedSource::of(&text.parse().expect("seeds"), Shard::WHOLE).take(1_000)
    }

    #[test]
    fn shards_split_seeds_without_gap_or_overlap() {
        for text in ["10..31", "3,10..20,40..=52", "0..3,5,7,9"] {
            let set: SeedSet = text.parse().unwrap();
            let mut all: Vec<u64> = (0..4)
                .flat_map(|index| {
                    let mut source = SeedSource::of(&set, Shard { index, count: 4 });
                    let total = source.total().unwrap();
                    let seeds = source.take(100);
                    assert_eq!(seeds.len() as u64, total, "{text}, shard {index}");
                    assert_eq!(source.total(), Some(0));
                    seeds
                })
                .collect();
            all.sort_unstable();
            assert_eq!(all, seeds(text));
            assert_eq!(set.len(), all.len() as u64);
        }
    }

    #[test]
    fn seeds_are_named_one_by_one_by_ranges_and_by_lists() {
        assert_eq!(seeds("5"), [5]);
        assert_eq!(seeds("0..3"), [0, 1, 2]);
        assert_eq!(seeds("0..=3"), [0, 1, 2, 3]);
        assert_eq!(seeds("9, 2..4, 3..=5"), [2, 3, 4, 5, 9]);
        for text in ["5", "0..3", "2..6,9"] {
            assert_eq!(text.parse::<SeedSet>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_seed_that_a_dead_worker_left_is_run_by_another() {
        let mut source = SeedSource::of(&"0..5".parse().unwrap(), Shard::WHOLE);
        let taken = source.take(4);
        source.give_back(&taken[1..]);
        assert_eq!(source.take(10), [1, 2, 3, 4]);
        assert!(source.take(1).is_empty());
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in ["", "5..5", "9..1", "a..b", "1,,2", "0..=18446744073709551615"] {
            assert!(text.parse::<SeedSet>().unwrap_err().contains("0..10000"), "{text}");
        }
        for text in ["1", "4/4", "x/2"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("0/8"));
        }
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3/8");
    }
}
