//! What judging costs: the share of a simulated run that witness and black box take.
//!
//! `cargo run --release -p stormproof-sim --example judge_cost -- [SEEDS] [FIRST]`
//!
//! Each seed is run as a sweep runs it, judges included; then its history is judged again, by each judge
//! alone. Shares are of the processor-bound wall time of the whole run.
#![expect(clippy::disallowed_methods, reason = "measures real time")]

use std::time::{Duration, Instant};

use stormproof_oracle::{Expectations, check};
use stormproof_sim::options::Options;
use stormproof_sim::registry::Registry;
use stormproof_sim::run::expectations;
use stormproof_sim::runner::SeedRunner;
use stormproof_sim::seed::Seed;

/// What some seeds cost, and what was not decided about them.
#[derive(Default)]
struct Sum {
    runs: Duration,
    witness: Duration,
    both: Duration,
    slowest: (Duration, u64),
    transactions: u64,
    reads: u64,
    undecided: Vec<(u64, String)>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap_or(0));
    let seeds: u64 = arguments.next().unwrap_or(1_000);
    let first: u64 = arguments.next().unwrap_or(0);
    let runner = SeedRunner::new(Registry::default(), Options::default()).expect("nothing is named");
    let mut sum = Sum::default();
    for seed in first..first + seeds {
        judge(&runner, seed, &mut sum);
    }
    let share = |part: Duration| 100.0 * part.as_secs_f64() / sum.runs.as_secs_f64();
    let per_seed = |all: Duration| all.as_secs_f64() * 1e3 / seeds.max(1) as f64;
    println!("{seeds} seeds from {first}: {} transactions, {} reads", sum.transactions, sum.reads);
    println!("{:<24} {:>8.3} ms a seed", "a run, judged", per_seed(sum.runs));
    println!("{:<24} {:>8.3} ms a seed {:>6.1} %", "the witness", per_seed(sum.witness), share(sum.witness));
    let inside = sum.both.saturating_sub(sum.witness);
    println!("{:<24} {:>8.3} ms a seed {:>6.1} %", "the black box", per_seed(inside), share(inside));
    println!("slowest to judge: seed {} in {:?}", sum.slowest.1, sum.slowest.0);
    println!("not decided: {} seeds", sum.undecided.len());
    for (seed, why) in sum.undecided.iter().take(10) {
        println!("  seed {seed}: {why}");
    }
}

fn judge(runner: &SeedRunner, seed: u64, sum: &mut Sum) {
    let (plan, _) = runner.plan(Seed(seed));
    let start = Instant::now();
    let Ok(run) = runner.run(&plan) else { return };
    sum.runs += start.elapsed();
    for finding in run.findings() {
        println!("seed {seed}: {} ({}): {}", finding.invariant, finding.class, finding.message);
    }
    let whole = expectations(&plan, &[]);
    let alone = Expectations { blackbox: false, ..whole.clone() };
    let start = Instant::now();
    let _ = check(&run.history, &alone);
    sum.witness += start.elapsed();
    let start = Instant::now();
    let verdict = check(&run.history, &whole);
    let took = start.elapsed();
    sum.both += took;
    sum.slowest = sum.slowest.max((took, seed));
    sum.transactions += verdict.txns;
    sum.reads += verdict.reads;
    if let Some(why) = run.verdict.undecided.first() {
        sum.undecided.push((seed, why.clone()));
    }
}
