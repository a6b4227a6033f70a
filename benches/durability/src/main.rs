//! Measures the durable paths of the engine: commits, the log's bytes, recovery, checkpoints. Every figure
//! stands beside the raw sync rate of the same disk in the same run, as rates of disks differ by orders of
//! magnitude.
//!
//! Not its job: other databases, and work in memory.

mod checkpoint;
mod commits;
mod counting;
mod data;
mod raw;
mod recovery;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures the durable paths of the engine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the files go: a directory on the disk that is to be measured. Default: the system's for
    /// temporary files.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What to measure; everything if not given.
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Seconds for each measurement of commits.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Commits in the databases that are opened again.
    #[arg(long, default_value_t = 1_000_000)]
    commits: u64,
    /// Opens a database in this process and prints what it took: what the measurement of recovery runs.
    #[arg(long, hide = true)]
    open: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Every commit durable: 1, 8 and 32 threads.
    Strict,
    /// One thread, many durable commits in flight.
    Pipelined,
    /// Opening after many commits.
    Recovery,
    /// Checkpoints, and commits beside them.
    Checkpoint,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(dir) = &arguments.open {
        return recovery::open_and_report(dir);
    }
    let parts = if arguments.part.is_empty() { Part::value_variants() } else { &arguments.part };
    let each = Duration::from_secs_f64(arguments.seconds);
    for part in parts {
        let dir = match &arguments.dir {
            Some(dir) => tempfile::tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        };
        let dir: &Path = dir.path();
        match part {
            Part::Strict => commits::strict(dir, each)?,
            Part::Pipelined => commits::pipelined(dir, each)?,
            Part::Recovery => recovery::measure(dir, arguments.commits)?,
            Part::Checkpoint => checkpoint::measure(dir, arguments.commits, each)?,
        }
    }
    Ok(())
}
