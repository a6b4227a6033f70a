//! What the contention measurement puts on a database, and what it measures there.

use serde::Serialize;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Load {
    /// All add one to the same key.
    HotSpot,
    /// The same, with a yield between read and write.
    HotSpotYielding,
    /// Each works on keys of its own, and one transaction in twenty reads and writes what all share.
    Agents,
}

/// What one load did with one number of threads.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) load: Load,
    pub(crate) threads: usize,
    pub(crate) per_second: f64,
    /// Aborted attempts per commit.
    pub(crate) retries: f64,
    /// The most attempts that one transaction took.
    pub(crate) attempts_max: u32,
    /// What 99 % of transactions took at most, retries included, in µs.
    pub(crate) p99_us: f64,
    /// What the slowest took, in µs.
    pub(crate) worst_us: f64,
}
