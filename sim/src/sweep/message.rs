//! Messages of workers and of the coordinator: JSON lines, which are also the format of `sweep --out`.
//!
//! A file of results is: one [`Message::Start`], a [`Message::Canary`], seeds with their batches and failed
//! runs in any order, a [`Message::Example`] per kind of failure, and one [`Message::End`]. Its schema is
//! `sim/schemas/results.json`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stormproof_reports::SpeedPoint;

use super::seeds::{SeedSet, Shard};
use crate::build_id::BuildId;
use crate::digest::DigestValue;
use crate::finding::{Finding, Identity};
use crate::options::Options;
use crate::stats::Stats;

/// The version of the format of results. Files of other versions are refused.
pub const FORMAT: u32 = 2;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// What is to be run. Written by the coordinator, first.
    Start(Box<StartLine>),
    /// Whether a deliberate bug was found. Written by the coordinator.
    Canary(CanaryLine),
    /// A seed is done.
    Seed(SeedLine),
    /// A batch is done; its figures count all its seeds.
    Batch(BatchLine),
    /// A run without a verdict. Written by the coordinator when a worker died.
    Failed(FailedLine),
    /// Where the trace of a kind of failure is. Written by the coordinator.
    Example(ExampleLine),
    /// The end of the campaign. Written by the coordinator, last.
    End(EndLine),
}

/// What a campaign, or a shard of one, is to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartLine {
    /// [`FORMAT`].
    pub format: u32,
    /// The build of the code.
    pub build: BuildId,
    /// The seeds of the whole campaign.
    pub seeds: Seeds,
    /// Which part of them this is.
    pub shard: Shard,
    /// How many seeds the part has; `None` without end.
    pub planned: Option<u64>,
    /// What seeds may draw.
    pub options: Options,
    /// The command.
    pub command: String,
    /// When it began, in seconds since 1970.
    pub unix_seconds: u64,
}

/// The seeds of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seeds {
    /// These.
    Set(SeedSet),
    /// All from this one on, as many as time allows.
    From(u64),
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().strip_suffix("..").map(str::parse) {
            Some(Ok(first)) => Ok(Self::From(first)),
            _ => text.parse().map(Self::Set),
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(set) => set.fmt(f),
            Self::From(first) => write!(f, "{first}.."),
        }
    }
}

/// Whether a campaign is able to find a bug at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryLine {
    /// The deliberate bug that was searched for.
    pub mutant: String,
    /// Seeds that were run for it.
    pub seeds: u64,
    /// Whether it was found.
    pub found: bool,
}

/// The files of one example of a kind of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleLine {
    /// The seed.
    pub seed: u64,
    /// The kind of failure.
    pub identity: Identity,
    /// Its trace: relative to the folder of the results if it is in there.
    pub trace: PathBuf,
    /// Its shrunk trace, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shrunk: Option<PathBuf>,
    /// What is left in the shrunk trace, kind by kind: failures of the same shape are likely one bug.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shape: String,
    /// How many operations the shrunk trace has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<u64>,
}

/// A seed is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedLine {
    /// The seed.
    pub seed: u64,
    /// The digest of the whole run.
    pub digest: DigestValue,
    /// The digest of the switches only.
    pub interleaving: DigestValue,
    /// The workload.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload: String,
    /// The scheduling strategy of the first life.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub strategy: String,
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
    /// Seeds that were run: as many as there are lines of seeds.
    pub seeds: u64,
    /// Largest resident memory of a worker, in KiB.
    pub rss_kib_max: u64,
    /// Why no more seeds were run.
    pub ended: Ended,
    /// Its progress over time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<SpeedPoint>,
}

/// Why a campaign ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All its seeds were run.
    Done,
    /// Its time was up.
    TimeLimit,
    /// It was to stop at the first violation.
    FirstViolation,
    /// A signal ended it.
    Interrupted,
}
