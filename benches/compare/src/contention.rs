//! Stormproof under contention: one hot key with 1 to 32 threads, and a mix of agents that hardly meet.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use comfy_table::{Table, presets};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rt::sync::Arc;
use stormproof::{Database, RunId};

use crate::load::{Load, Point};
use crate::outcome::Result;
use crate::plot;
use crate::report::human;

/// Keys of an agent's own.
const MEMORIES: u64 = 16;

/// Keys that all agents share: a plan with this number of entries.
const SHARED: u64 = 16;

/// Transactions of a hundred that touch what is shared.
const SHARED_PERCENT: u32 = 5;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Numbers of threads, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32])]
    threads: Vec<usize>,
    /// Rounds; figures are medians over them, and the worst of all for the longest wait.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Milliseconds for each figure.
    #[arg(long, default_value_t = 500)]
    milliseconds: u64,
    /// Draws the hot spot into this SVG file.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    commits: u64,
    attempts: u64,
    attempts_max: u32,
    nanoseconds: Vec<u32>,
}

/// Runs all loads. Returns whether the sums add up.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let time = Duration::from_millis(options.milliseconds);
    let mut points = Vec::new();
    let mut adds_up = true;
    for load in [Load::HotSpot, Load::HotSpotYielding, Load::Agents] {
        for threads in &options.threads {
            let rounds = (0..options.rounds.max(1)).map(|_| measure(load, *threads, time));
            let rounds = rounds.collect::<Result<Vec<_>>>()?;
            adds_up &= rounds.iter().all(|(_, adds_up)| *adds_up);
            points.push(middle(rounds.into_iter().map(|(point, _)| point).collect()));
        }
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&points)?);
    } else {
        for (load, title) in [
            (Load::HotSpot, "One counter"),
            (Load::HotSpotYielding, "One counter, with a yield between read and write"),
            (Load::Agents, "Agents on keys of their own, 5 % of the transactions on 16 shared keys"),
        ] {
            println!("\n### {title}\n\n{}", table(points.iter().filter(|point| point.load == load)));
        }
    }
    if let Some(file) = &options.svg {
        plot::hot_spot(file, &points)?;
    }
    if !adds_up {
        eprintln!("does not add up: increments were lost or invented");
    }
    Ok(adds_up)
}

fn measure(load: Load, threads: usize, time: Duration) -> Result<(Point, bool)> {
    let database = Arc::new(Database::open_in_memory()?);
    let start = rt::time::now();
    let spawn = |client| {
        let database = Arc::clone(&database);
        rt::thread::spawn("client", move || client_of(&database, load, client, time))
    };
    let clients = (0..threads as u64).map(spawn).collect::<std::io::Result<Vec<_>>>()?;
    let mut all = Seen::default();
    for client in clients {
        let mut seen = client.join().map_err(|_| "a client panicked")??;
        all.commits += seen.commits;
        all.attempts += seen.attempts;
        all.attempts_max = all.attempts_max.max(seen.attempts_max);
        all.nanoseconds.append(&mut seen.nanoseconds);
    }
    let elapsed = rt::time::now().saturating_since(start);
    all.nanoseconds.sort_unstable();
    let at = |share: f64| {
        let index = ((all.nanoseconds.len() as f64 * share) as usize).min(all.nanoseconds.len() - 1);
        f64::from(all.nanoseconds[index]) / 1e3
    };
    let point = Point {
        load,
        threads,
        per_second: all.commits as f64 / elapsed.as_secs_f64(),
        retries: (all.attempts - all.commits) as f64 / all.commits as f64,
        attempts_max: all.attempts_max,
        p99_us: at(0.99),
        worst_us: at(1.0),
    };
    let sum: u64 = sum(&database)?;
    Ok((point, sum == all.commits))
}

fn client_of(database: &Database, load: Load, client: u64, time: Duration) -> Result<Seen> {
    let run = database.begin_run()?;
    let mut random = ChaCha8Rng::seed_from_u64(client);
    let mut seen = Seen { nanoseconds: Vec::with_capacity(1 << 20), ..Seen::default() };
    let start = rt::time::now();
    let mut before = start;
    while before.saturating_since(start) < time {
        let attempts = match load {
            Load::HotSpot => add_one(database, run, &[0], || {})?,
            Load::HotSpotYielding => add_one(database, run, &[0], rt::thread::yield_now)?,
            Load::Agents => {
                let own = (client + 1) * 1_000 + random.random_range(0..MEMORIES);
                let shared = random.random_range(0..SHARED);
                let touches_shared = random.random_range(0..100) < SHARED_PERCENT;
                if touches_shared {
                    add_one(database, run, &[shared, own], || {})?
                } else {
                    add_one(database, run, &[own], || {})?
                }
            }
        };
        let after = rt::time::now();
        seen.commits += 1;
        seen.attempts += u64::from(attempts);
        seen.attempts_max = seen.attempts_max.max(attempts);
        seen.nanoseconds.push(u32::try_from(after.saturating_since(before).as_nanos()).unwrap_or(u32::MAX));
        before = after;
    }
    Ok(seen)
}

/// Reads the keys and adds one to the last. Returns the attempts that it took.
fn add_one(database: &Database, run: RunId, keys: &[u64], between: impl Fn()) -> Result<u32> {
    let mut attempts = 0;
    database.transaction(run, |txn| {
        attempts += 1;
        let mut total = 0_u64;
        for key in keys {
            total = txn.get(key.to_be_bytes())?.unwrap_or(0);
        }
        between();
        let Some(last) = keys.last() else { return Ok(()) };
        txn.put(last.to_be_bytes(), total + 1)?;
        // What is shared changes too, by nothing: so a transaction that reads it meanwhile conflicts.
        if let [shared, _] = keys {
            let value: u64 = txn.get(shared.to_be_bytes())?.unwrap_or(0);
            txn.put(shared.to_be_bytes(), value)?;
        }
        Ok(())
    })?;
    Ok(attempts)
}

fn sum(database: &Database) -> Result<u64> {
    database.prefix("").map(|entry| Ok(entry.get::<u64>()?)).sum()
}

/// The round in the middle by throughput, with the worst waits of all.
fn middle(mut rounds: Vec<Point>) -> Point {
    rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let worst_us = rounds.iter().map(|point| point.worst_us).fold(0.0, f64::max);
    let attempts_max = rounds.iter().map(|point| point.attempts_max).max().unwrap_or(0);
    Point { worst_us, attempts_max, ..rounds.swap_remove(rounds.len() / 2) }
}

fn table<'a>(points: impl Iterator<Item = &'a Point>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "threads",
        "transactions/s",
        "retries per commit",
        "conflict rate",
        "most attempts",
        "99 % within, µs",
        "worst, µs",
    ]);
    for point in points {
        table.add_row([
            point.threads.to_string(),
            human(point.per_second),
            format!("{:.2}", point.retries),
            format!("{:.1} %", 100.0 * point.retries / (1.0 + point.retries)),
            point.attempts_max.to_string(),
            human(point.p99_us),
            human(point.worst_us),
        ]);
    }
    table
}
