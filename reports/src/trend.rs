//! Campaigns over time, as data: whether failures come and go, and whether campaigns reach what they reached
//! before.

use serde::{Deserialize, Serialize};

use crate::{FailureTotal, Verdict};

/// Campaigns, oldest first, and what failed in them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trend {
    /// What this is, in a few words.
    pub title: String,
    /// The campaigns.
    pub campaigns: Vec<TrendPoint>,
    /// Failures by kind and shape, those that were seen last first.
    pub groups: Vec<FailureTotal>,
    /// Rare situations that none of the campaigns reached.
    pub marks_never_reached: Vec<String>,
}

/// One campaign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrendPoint {
    /// When it began, in seconds since 1970.
    pub unix_seconds: u64,
    /// The code.
    pub build: String,
    /// Its seeds and options, in words.
    pub what: String,
    /// What came out.
    pub verdict: Verdict,
    /// Seeds that were run.
    pub seeds: u64,
    /// Seeds that violated something.
    pub failing_seeds: u64,
    /// Distinct interleavings.
    pub interleavings: u64,
    /// Wall-clock seconds of its longest shard.
    pub seconds: f64,
    /// Seeds per second, of all its shards together.
    pub seeds_per_second: f64,
    /// Rare situations that it did not reach.
    pub marks_never_reached: Vec<String>,
    /// Why it proves nothing, if it does not.
    pub doubts: Vec<String>,
}

impl Trend {
    /// Returns the verdict of the newest campaign; the older ones are there for comparison.
    pub fn verdict(&self) -> Verdict {
        self.campaigns.last().map_or(Verdict::Failed, |campaign| campaign.verdict)
    }
}
