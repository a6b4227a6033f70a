//! Messages of workers: JSON lines, which are also the format of `sweep --out`.

use serde::{Deserialize, Serialize};
use stormproof_reports::SpeedPoint;

use crate::digest::DigestValue;
use crate::finding::Finding;
use crate::stats::Stats;

/// One line of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// A seed is done.
    Seed(SeedLine),
    /// A batch is done; its stats counts all its seeds.
    Batch(BatchLine),
    /// A run without a verdict. Written by the coordinator when a worker died.
    Failed(FailedLine),
    /// The end of the campaign. Written by the coordinator, last.
    End(EndLine),
}

/// A seed is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedLine {
    /// The seed.
    pub seed: u64,
    /// Of the whole trace.
    pub digest: DigestValue,
    /// Of the switches only.
    pub interleaving: DigestValue,
    /// The workload.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload: String,
    /// Its violations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Why the run itself failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A batch is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchLine {
    /// All its seeds.
    pub stats: Stats,
    /// Resident memory of the worker, in KiB; 0 where that is not known.
    pub rss_kib: u64,
}

/// A run without a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedLine {
    /// Its seed.
    pub seed: u64,
    /// What happened.
    pub why: String,
}

/// The end of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndLine {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Workers at a time.
    pub jobs: u64,
    /// The command.
    pub command: String,
    /// Which part of the seeds; empty for all.
    pub shard: String,
    /// Largest resident memory of a worker, in KiB.
    pub rss_kib_max: u64,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Its progress over time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<SpeedPoint>,
}
