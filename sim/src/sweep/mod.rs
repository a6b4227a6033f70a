//! Campaigns: many seeds, in worker processes, added up.
//!
//! A coordinator hands batches of seeds to workers, which are child processes of the same binary: a worker
//! that dies takes one seed with it, which is reported, and workers are renewed before the memory that
//! crashed lives leak adds up. They answer with [`message::Message`]s, the same lines that `--out` writes and
//! `stormproof report` merges.
//!
//! INV-SWEEP-1: what a campaign found depends on its seeds and options only, not on the number of workers.
//! INV-SWEEP-2: memory is bounded: sixteen bytes per seed for counting distinct interleavings, a few
//! examples per kind of failure, and nothing else grows.

pub mod canary;
pub mod coordinator;
pub mod expected;
pub mod merge;
pub mod message;
pub mod result;
pub mod results;
pub mod seeds;
pub mod worker;

pub use coordinator::{Sweep, Swept, sweep};
pub use expected::Expected;
pub use merge::Merged;
pub use result::{CampaignResult, FailedSeed, FailureGroup};
pub use results::ResultsWriter;
pub use seeds::{SeedSet, SeedSource, Shard};
