//! Stormproof and other embedded databases side by side: the same work in one run, in turn, round by round.
//!
//! Job: run it, check that it was done (every piece of work checks its sum), print tables of medians and
//! ratios, and say which promise each database was set to. Not its job: databases over a network, or data
//! that does not fit into memory. How to read the tables: `benches/README.md`.

mod contention;
mod contestant;
mod data;
mod engine;
mod engines;
mod limits;
mod load;
mod memory;
mod outcome;
mod pace;
mod plot;
mod recovery;
mod report;
mod side_by_side;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use outcome::Result;
use work::Work;

/// For all databases alike.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Stormproof and other embedded databases side by side.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    side_by_side: SideBySide,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measures Stormproof alone under contention: a hot spot with 1 to 32 threads, and a mix of agents.
    Contention(contention::Options),
    /// What W8 runs for each database: fills or opens one, and prints by how much the process has grown.
    #[command(hide = true)]
    Look(memory::Look),
}

/// The comparison.
#[derive(Debug, Args)]
struct SideBySide {
    /// Only this work; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Work>,
    /// Only databases whose name contains one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<String>,
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Keys in the database.
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Commits before the database is opened in W6; keys in W8.
    #[arg(long, default_value_t = 1_000_000)]
    commits: u64,
    /// Milliseconds for each figure.
    #[arg(long, default_value_t = 500)]
    milliseconds: u64,
    /// Few keys, few commits, short times, one round: to see that it works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Where the databases are kept: their disk is part of what is measured.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
}

impl SideBySide {
    fn settle(mut self) -> Self {
        if self.quick {
            (self.rounds, self.keys, self.commits, self.milliseconds) = (1, 5_000, 5_000, 20);
        }
        if self.only.is_empty() {
            self.only = Work::ALL.to_vec();
        }
        self.rounds = self.rounds.max(1);
        self.keys = self.keys.max(3_200);
        self
    }

    fn time(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether everything added up.
fn run(arguments: Arguments) -> Result<bool> {
    match arguments.what {
        Some(What::Contention(options)) => return contention::run(&options),
        Some(What::Look(look)) => return memory::look(&look),
        None => {}
    }
    let options = arguments.side_by_side.settle();
    let report = side_by_side::run(&options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for results in &report.tables {
            println!("\n### {}\n\n{}", results.title, results.table());
        }
    }
    let wrong = report.wrong();
    for wrong in &wrong {
        eprintln!("does not add up: {wrong}");
    }
    Ok(wrong.is_empty())
}
