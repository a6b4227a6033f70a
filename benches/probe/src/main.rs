//! Measures the hot paths of the engine alone, in a few seconds: for the eye between two changes, and for
//! profilers.
//!
//! Not its job: comparing with other engines, which is `benches/compare`'s. Every piece of work checks its
//! sum.

mod measure;
mod work;

use std::time::Duration;

use clap::Parser;

use work::{Bench, WORKS};

/// Measures the engine's hot paths.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only works whose name contains this.
    #[arg(default_value = "")]
    only: String,
    /// How many keys.
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Milliseconds for each work in each round.
    #[arg(long, default_value_t = 300)]
    milliseconds: u64,
    /// Most entries of a leaf's page, and of its journal, in the place of the defaults.
    #[arg(long, num_args = 2, value_names = ["PAGE", "JOURNAL"])]
    leaf: Option<Vec<usize>>,
    /// Does each work this number of times on one thread, measuring nothing: for callgrind.
    #[arg(long)]
    times: Option<u64>,
}

/// The system's allocator makes threads wait for each other that free what the other has allocated.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> stormproof::Result<()> {
    let arguments = Arguments::parse();
    let mut bench =
        Bench::new(arguments.keys, arguments.leaf.as_deref(), Duration::from_millis(arguments.milliseconds))?;
    if let Some(times) = arguments.times {
        bench = bench.times(times);
    }
    let works: Vec<_> = WORKS.iter().filter(|(name, _)| name.contains(&arguments.only)).collect();
    let mut figures = vec![Vec::new(); works.len()];
    for _ in 0..arguments.rounds {
        for (figures, (_, work)) in figures.iter_mut().zip(&works) {
            figures.push(work(&bench)?);
        }
    }
    for (figures, (name, _)) in figures.iter_mut().zip(&works) {
        figures.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        println!("{name:<42} {}", figures[figures.len() / 2]);
    }
    Ok(())
}
