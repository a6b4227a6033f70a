//! How many scheduling points a second one core does, per strategy, and what a killed life leaves behind.
//!
//! `cargo run --release -p stormproof-rt-shuttle --example speed`
#![expect(clippy::disallowed_methods, reason = "this measures wall time")]

use std::time::{Duration, Instant};

use rt::life::{KillAt, Remains, Settings, run};
use rt::strategy::{Kind, Strategy, stream};
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Condvar, Mutex};
use stormproof_rt_shuttle as rt;

/// For how long each row is measured.
const FOR: Duration = Duration::from_millis(700);

fn main() {
    println!(
        "{:<14} {:>10} {:>12} {:>12} {:>12}",
        "strategy", "lives/s", "points/life", "M points/s", "M switches/s"
    );
    for (index, name) in Kind::NAMES.iter().enumerate() {
        let mut weights = [0; Kind::NAMES.len()];
        weights[index] = 1;
        row(name, |seed| Kind::draw(&weights, 1_500, &mut stream(seed, "kind")).build());
    }
    killed(Remains::Leak);
    killed(Remains::Unwind);
}

/// Four tasks that lock, count and now and then wait for each other: what a small engine does.
fn body() {
    let shared = Arc::new((Mutex::new("sum", 0_u64), Condvar::new("changed"), AtomicU64::new("count", 0)));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&shared);
            rt::thread::spawn("worker", move || {
                for _ in 0..50 {
                    let mut sum = shared.0.lock();
                    *sum += 1;
                    drop(sum);
                    rt::probe::at("summed");
                    shared.2.fetch_add(1, Ordering::AcqRel);
                    shared.2.load(Ordering::Acquire);
                    shared.1.notify_one();
                }
            })
            .expect("starts")
        })
        .collect();
    for task in tasks {
        task.join().expect("does not panic");
    }
}

fn row(name: &str, strategy: impl Fn(u64) -> Box<dyn Strategy>) {
    let start = Instant::now();
    let (mut lives, mut points, mut switches) = (0, 0, 0);
    while start.elapsed() < FOR {
        let life = run(Settings { seed: lives, ..Settings::default() }, strategy(lives), body);
        lives += 1;
        points += life.steps;
        switches += life.switches;
    }
    let seconds = start.elapsed().as_secs_f64();
    let (lives, points, switches) = (lives as f64, points as f64, switches as f64);
    println!(
        "{name:<14} {:>10.0} {:>12.0} {:>12.2} {:>12.2}",
        lives / seconds,
        points / lives,
        points / seconds / 1e6,
        switches / seconds / 1e6
    );
}

/// Lives that are killed in the middle, and how much memory each of them costs for ever.
fn killed(remains: Remains) {
    let live = |seed| {
        let settings =
            Settings { seed, kill: Some(KillAt::Step(200 + seed % 800)), remains, ..Settings::default() };
        drop(run(settings, Box::new(rt::strategy::Uniform), body));
    };
    (0..100).for_each(live);
    let (before, start) = (resident_kib(), Instant::now());
    let lives = 5_000;
    (0..lives).for_each(live);
    let per_second = lives as f64 / start.elapsed().as_secs_f64();
    let left = resident_kib().saturating_sub(before) as f64 * 1024.0 / lives as f64;
    println!(
        "killed lives, remains {remains:?}: {per_second:.0}/s, {left:.0} bytes of memory left behind by each"
    );
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
