//! A deliberate bug that every campaign must find: one that can't find it has proven nothing by finding
//! nothing.
//!
//! The bug is searched for as seeds are run: by a worker process, whose answers come back over the same pipe.

use std::io;

use super::coordinator::{Sweep, sweep};
use super::message::CanaryLine;
use super::results::ResultsWriter;
use super::seeds::{SeedSource, Shard};

/// The bug that is searched for by default: write conflicts go unnoticed. Found within ten seeds.
pub const CANARY: &str = "SkipWriteValidation";

/// The most seeds that the search may take.
const SEEDS_MAX: u64 = 100;

/// Searches for `mutant`. `settings` says how workers are run; its worker must run seeds with the mutant.
///
/// # Errors
/// When no worker could be started.
pub fn search(mutant: &str, settings: Sweep) -> io::Result<CanaryLine> {
    let seeds = SeedSource::of_range(0, SEEDS_MAX, Shard::WHOLE);
    let settings = Sweep { seeds, jobs: 1, fail_fast: true, time_limit: None, ..settings };
    let swept = sweep(settings, &ResultsWriter::nowhere(), |_, _| {})?;
    Ok(CanaryLine { mutant: mutant.to_owned(), seeds: swept.result.seeds, found: swept.result.failing > 0 })
}
