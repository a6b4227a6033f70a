//! `stormproof sweep`: many seeds on all cores.

mod conclusion;
mod examples;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use stormproof_env::{Entropy, OsEntropy};
use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicBool, Ordering};

use super::rendering::Rendering;
use super::{Done, Exit, Failure};
use crate::options::Options;
use crate::registry::Registry;
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::sweep::{CampaignResult, Expected, SeedRange, SeedSource, Shard, Sweep, sweep, worker};
use conclusion::{conclude, rounded, unseen};
use examples::examples;

#[derive(clap::Args, Debug, Default)]
pub(super) struct Arguments {
    /// These seeds, the last one excluded, as in 0..10000 [default: fresh ones]
    #[arg(long, value_name = "A..B")]
    seeds: Option<SeedRange>,
    /// Time limit, as in 30s or 5m [default: 10s if no seeds are given]
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::duration)]
    time_limit: Option<Duration>,
    /// Worker processes at a time [default: one per core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    jobs: Option<usize>,
    /// Only part I of N parts of the seeds, I from 0
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    options: Options,
    /// Stop at the first violation
    #[arg(long)]
    fail_fast: bool,
    /// Run every seed twice and compare, instead of one in a hundred
    #[arg(long)]
    twice: bool,
    /// Compare with what an earlier sweep wrote with --out: the same seeds must have the same digests
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Leave failures as large as they are
    #[arg(long)]
    no_shrink: bool,
    /// Write results as JSON lines, which `stormproof report` merges
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    rendering: Rendering,
    /// Where trace files of failures go, each with a page that shows it
    #[arg(long, value_name = "FOLDER", default_value = "failures")]
    failures: Option<PathBuf>,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
    /// Renew a worker after N seeds
    #[arg(long, value_name = "N", default_value_t = RENEW_AFTER, hide = true)]
    renew_after: u64,
}

#[derive(clap::Args, Debug)]
pub(super) struct WorkerArguments {
    /// The options, as JSON
    options: String,
    /// Run every seed twice
    #[arg(long)]
    twice: bool,
}

const RENEW_AFTER: u64 = 20_000;

/// Memory at which a worker is renewed.
const RSS_KIB_MAX: u64 = 512 << 10;

/// A worker that reports no seed for this long is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Runs as a worker process.
pub(super) fn work(arguments: WorkerArguments, registry: Registry) -> Done {
    let options: Options = serde_json::from_str(&arguments.options).map_err(Failure::usage)?;
    let runner = SeedRunner::new(registry, options)?;
    worker::serve(io::stdin().lock(), io::stdout().lock(), |seed| {
        worker::seed_line(&runner, Seed(seed), arguments.twice)
    })
    .map_err(Failure::own)?;
    Ok(Exit::Held)
}

pub(super) fn execute(arguments: Arguments, registry: Registry) -> Done {
    let runner = SeedRunner::new(registry, arguments.options.clone())?;
    // A wrong format must be refused before the sweep, not after hours of it.
    arguments.rendering.format()?;
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let seeds = match arguments.seeds {
        Some(range) => SeedSource::range(range, shard),
        None => SeedSource::from(OsEntropy.next_u64() >> 24, shard),
    };
    let time_limit = match (arguments.time_limit, arguments.seeds) {
        (None, None) => Some(Duration::from_secs(10)),
        (limit, _) => limit,
    };
    let total = seeds.total();
    let out = match &arguments.out {
        None => None,
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                Failure::usage(format!(
                    "{} can't be written: {error}: name a file in a folder that is there",
                    path.display()
                ))
            })?;
            Some(Box::new(BufWriter::new(file)) as Box<dyn Write + Send>)
        }
    };
    let against = match &arguments.against {
        None => Expected::default(),
        Some(path) => {
            File::open(path).and_then(|file| Expected::read(BufReader::new(file))).map_err(|error| {
                Failure::usage(format!("{}: {error}: give a file of `sweep --out`", path.display()))
            })?
        }
    };
    let stop = Arc::new(AtomicBool::new("sweep.stop", false));
    let interrupted = Arc::new(AtomicBool::new("sweep.interrupted", false));
    let on_interrupt = [Arc::clone(&stop), Arc::clone(&interrupted)];
    // Where signals can't be caught, Ctrl-C ends the process the hard way.
    let _ = ctrlc::set_handler(move || {
        on_interrupt.iter().for_each(|flag| flag.store(true, Ordering::SeqCst));
    });
    let jobs = arguments.jobs.unwrap_or_else(cores);
    let plan = Sweep {
        worker: worker_command(runner.options(), arguments.twice)?,
        seeds,
        time_limit,
        jobs,
        fail_fast: arguments.fail_fast,
        renew_after: if arguments.renew_after == 0 { RENEW_AFTER } else { arguments.renew_after },
        rss_kib_max: RSS_KIB_MAX,
        silence_max: SILENCE_MAX,
        stop,
        against,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        shard: if shard == Shard::WHOLE { String::new() } else { shard.to_string() },
    };
    let bar = progress_bar(total, time_limit)?;
    let result = sweep(plan, out, |result, elapsed| watch(&bar, result, elapsed, total.is_some())).map_err(
        |error| {
            Failure::own(format!(
                "the sweep could not go on: {error}: check that worker processes can be started"
            ))
        },
    )?;
    bar.finish_and_clear();
    let failures = examples(&arguments, &runner, &result, &interrupted)?;
    conclude(&arguments, &runner, &result, &failures)
}

fn progress_bar(total: Option<u64>, time_limit: Option<Duration>) -> Result<ProgressBar, Failure> {
    if !io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let length = total.or(time_limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)));
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}").map_err(Failure::own)?;
    bar.set_style(style);
    Ok(bar)
}

fn watch(bar: &ProgressBar, result: &CampaignResult, elapsed: Duration, by_seeds: bool) {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    bar.set_position(if by_seeds { result.seeds } else { millis });
    let rate = rounded(result.seeds, elapsed.as_secs_f64().max(0.001));
    bar.set_message(format!(
        "{} seeds, {rate}/s, {} violations, {} marks unseen",
        result.seeds,
        result.failing,
        unseen(result).len()
    ));
}

fn worker_command(options: &Options, twice: bool) -> Result<Vec<String>, Failure> {
    let binary = std::env::current_exe()
        .map_err(|error| Failure::own(format!("this binary can't find itself to start workers: {error}")))?;
    let options = serde_json::to_string(options).map_err(Failure::own)?;
    let mut command = vec![binary.to_string_lossy().into_owned(), "__worker".into(), options];
    command.extend(twice.then(|| "--twice".to_owned()));
    Ok(command)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// A number of workers.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is no number of workers: write 1 or more")),
    }
}
