//! `stormproof sweep`: many seeds on all cores.

mod conclusion;
mod examples;
mod progress;
mod summary;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stormproof_env::{Clock, Entropy, OsEntropy, SystemClock, UnixMillis};

use super::output::check_folder;
use super::rendering::Rendering;
use super::signals::Signals;
use super::terminal::Terminal;
use super::{Done, Exit, Failure};
use crate::build_id::BuildId;
use crate::options::Options;
use crate::registry::Registry;
use crate::runner::SeedRunner;
use crate::seed::Seed;
use crate::sweep::message::{FORMAT, Message, Seeds, StartLine};
use crate::sweep::{Expected, ResultsWriter, SeedSource, Shard, Sweep, canary, sweep, worker};
pub(super) use conclusion::doubts;

use conclusion::conclude;
use examples::write_examples;
use progress::ProgressView;

#[derive(clap::Args, Debug, Default)]
pub(super) struct Arguments {
    /// These seeds, as in 7, 0..10000, 0..=9999, 3,10..20, or all from one on as in 5.. [default: fresh ones]
    #[arg(long, value_name = "SEEDS")]
    seeds: Option<Seeds>,
    /// Time limit, as in 30s or 5m [default: 10s if seeds have no end]
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
    /// Prove nothing unless every public function of the engine was called, and every outcome came that a
    /// large campaign must meet
    #[arg(long)]
    all_called: bool,
    /// Search guided by what runs show, in this process: half of the plans are those of fresh seeds, the
    /// others mutations of what showed something new
    #[arg(long, conflicts_with_all = ["shard", "twice", "against", "out", "all_called"])]
    guided: bool,
    /// How many plans a guided search runs [default: as many as time allows]
    #[arg(long, value_name = "N", requires = "guided")]
    plans: Option<u64>,
    /// Go on with the plans in this file, and write what the search has learnt there; files of several
    /// searches merge one behind the other
    #[arg(long, value_name = "FILE", requires = "guided")]
    corpus: Option<PathBuf>,
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
    /// The deliberate bug that each sweep has to find before it counts
    #[arg(long, value_name = "MUTANT", default_value = canary::CANARY)]
    canary: Option<String>,
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

/// Searches guided, from the first of the seeds on.
fn guided(arguments: &Arguments, runner: &SeedRunner, failures: &Path, terminal: &Terminal) -> Done {
    let first = match &arguments.seeds {
        Some(Seeds::From(first)) => *first,
        Some(Seeds::Set(set)) => SeedSource::of(set, Shard::WHOLE).take(1).first().copied().unwrap_or(1),
        None => OsEntropy.next_u64() >> 20,
    };
    let endless = arguments.plans.is_none().then_some(TIME_LIMIT);
    super::guided::sweep(
        &super::guided::Guide {
            runner,
            first,
            plans: arguments.plans,
            time_limit: arguments.time_limit.or(endless),
            fail_fast: arguments.fail_fast,
            failures,
            corpus: arguments.corpus.as_deref(),
            json: arguments.json,
        },
        terminal,
    )
}

/// How long a guided search takes if nothing is said.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Runs as a worker process.
pub(super) fn work(arguments: WorkerArguments, registry: Registry) -> Done {
    // A signal to the whole process group is for the coordinator, which ends its workers by closing their
    // input.
    Signals::ignore();
    let options: Options = serde_json::from_str(&arguments.options).map_err(Failure::usage)?;
    let runner = SeedRunner::new(registry, options)?;
    worker::serve(io::stdin().lock(), io::stdout().lock(), |seed| {
        worker::seed_line(&runner, Seed(seed), arguments.twice)
    })
    .map_err(Failure::own)?;
    Ok(Exit::Held)
}

pub(super) fn execute(arguments: Arguments, registry: Registry, terminal: &Terminal) -> Done {
    let runner = SeedRunner::new(registry.clone(), arguments.options.clone())?;
    // Wrong options must be reported before the sweep, not after hours of it.
    arguments.rendering.check_campaign()?;
    let failures = arguments.failures.clone().unwrap_or_else(|| PathBuf::from("failures"));
    check_folder(&failures)?;
    if arguments.guided {
        return guided(&arguments, &runner, &failures, terminal);
    }
    let against = arguments.against.as_deref().map_or_else(|| Ok(Expected::default()), expected)?;
    let canary_name = arguments.canary.clone().unwrap_or_else(|| canary::CANARY.to_owned());
    let of_canary = Options { mutant: vec![canary_name.clone()], ..Options::default() };
    SeedRunner::new(registry, of_canary.clone())?;
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let seeds = arguments.seeds.clone().unwrap_or_else(|| Seeds::From(OsEntropy.next_u64() >> 24));
    let source = match &seeds {
        Seeds::Set(set) => SeedSource::of(set, shard),
        Seeds::From(first) => SeedSource::from(*first, shard),
    };
    let planned = source.total();
    let time_limit = match (arguments.time_limit, planned) {
        (None, None) => Some(Duration::from_secs(10)),
        (limit, _) => limit,
    };
    let out = match &arguments.out {
        None => ResultsWriter::nowhere(),
        Some(path) => ResultsWriter::create(path).map_err(|error| {
            let path = path.display();
            Failure::usage(format!("{path} can't be written: {error}: name a file in a folder that is there"))
        })?,
    };
    let signals = Signals::listen();
    let plan = |options: &Options, twice| -> Result<Sweep, Failure> {
        Ok(Sweep {
            worker: worker_command(options, twice)?,
            seeds: source.clone(),
            time_limit,
            jobs: arguments.jobs.unwrap_or_else(cores),
            fail_fast: arguments.fail_fast,
            renew_after: if arguments.renew_after == 0 { RENEW_AFTER } else { arguments.renew_after },
            rss_kib_max: RSS_KIB_MAX,
            silence_max: SILENCE_MAX,
            interrupt: signals.flag(),
            against: Expected::default(),
        })
    };
    let stuck = |error| {
        Failure::own(format!(
            "the sweep could not go on: {error}: check that worker processes can be started"
        ))
    };
    let UnixMillis(now) = SystemClock.now();
    let start = Message::Start(Box::new(StartLine {
        format: FORMAT,
        build: BuildId::this(),
        seeds,
        shard,
        planned,
        options: runner.options().clone(),
        command: terminal.command().to_owned(),
        unix_seconds: now / 1_000,
    }));
    out.write(&start);
    let canary = canary::search(&canary_name, plan(&of_canary, false)?).map_err(stuck)?;
    let canary = Message::Canary(canary);
    out.write(&canary);
    let mut view = ProgressView::new(terminal, planned, time_limit)?;
    let swept = Sweep { against, ..plan(runner.options(), arguments.twice)? };
    let swept = sweep(swept, &out, |result, elapsed| view.show(result, elapsed)).map_err(stuck)?;
    view.end();
    let mut result = swept.result;
    result.add(start);
    result.add(canary);
    let unwritten = write_examples(&arguments, &failures, &runner, &mut result, &out, &signals, terminal);
    let end = Message::End(swept.end);
    out.write(&end);
    result.add(end);
    conclude(&arguments, &runner, &result, unwritten, out.error(), &signals, terminal)
}

fn expected(path: &Path) -> Result<Expected, Failure> {
    File::open(path)
        .and_then(|file| Expected::read(BufReader::new(file)))
        .map_err(|error| Failure::usage(format!("{}: {error}: give a file of `sweep --out`", path.display())))
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

/// Parses a number of workers.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{text}` is no number of workers: write 1 or more")),
    }
}
