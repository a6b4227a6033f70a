//! Durable commits: every one waited for by its thread, and many in flight from one thread.

use std::collections::VecDeque;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use rt::sync::Arc;
use rt::sync::atomic::{AtomicBool, Ordering};
use stormproof::{Database, Durability, RunId};

use crate::counting::{CountingDisk, Counts};
use crate::data::{BYTES_PER_COMMIT, key, noise, percentile};
use crate::raw::RawSync;

const KEYS: u64 = 100_000;

pub(crate) fn strict(dir: &Path, each: Duration) -> Result<(), Box<dyn Error>> {
    println!("## Every commit durable (Strict), read-modify-write of one key, no checkpoints\n");
    println!(
        "| threads | txn/s | per group | µs per group | raw sync of as much, µs: prepared, growing | times the raw one | bytes written per committed byte |"
    );
    println!("|---|---|---|---|---|---|---|");
    for threads in [1, 8, 32] {
        let (db, run, counts) = open(&dir.join(format!("strict-{threads}")), Durability::Strict)?;
        let group = measure_group_bytes(&db, run, threads)?;
        // The disk's mood changes: looked at before and after.
        let before = RawSync::measure(dir, group, each / 4)?;
        let (metrics, (bytes, _)) = (log(&db), counts.get());
        let start = rt::time::now();
        let commits = commit_from(&db, run, threads, each)?;
        let seconds = rt::time::now().saturating_since(start).as_secs_f64();
        let groups = log(&db).groups - metrics.groups;
        let after = RawSync::measure(dir, group, each / 4)?;
        let micros = seconds * 1e6 / groups as f64;
        let prepared = f64::midpoint(before.prepared_micros, after.prepared_micros);
        let growing = f64::midpoint(before.growing_micros, after.growing_micros);
        println!(
            "| {threads} | {:.0} | {:.1} | {micros:.0} | {prepared:.0}, {growing:.0} | {:.2} | {:.2} |",
            commits as f64 / seconds,
            commits as f64 / groups as f64,
            micros / prepared,
            (counts.get().0 - bytes) as f64 / (commits * BYTES_PER_COMMIT) as f64,
        );
        db.close()?;
    }
    println!();
    Ok(())
}

/// How large the groups of this number of threads are, so that the raw sync writes as much.
fn measure_group_bytes(db: &Database, run: RunId, threads: usize) -> Result<usize, Box<dyn Error>> {
    let before = log(db);
    commit_from(db, run, threads, Duration::from_millis(200))?;
    let after = log(db);
    Ok(usize::try_from((after.bytes - before.bytes) / (after.groups - before.groups).max(1))?)
}

/// Commits from a number of threads for a while; returns the number of commits.
fn commit_from(db: &Database, run: RunId, threads: usize, each: Duration) -> Result<u64, Box<dyn Error>> {
    let stop = Arc::new(AtomicBool::new("stop", false));
    let mut handles = Vec::new();
    for thread in 0..threads as u64 {
        let (db, stop) = (db.clone(), Arc::clone(&stop));
        let body = move || -> stormproof::Result<u64> {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                let number = (count * 64 + thread) * 7_919 % KEYS;
                let mut txn = db.begin_transaction(run)?;
                let _: Option<Vec<u8>> = txn.get(key(number))?;
                txn.put(key(number), noise(count))?;
                match txn.commit() {
                    Ok(_) => count += 1,
                    Err(error) if error.is_conflict() => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(count)
        };
        handles.push(rt::thread::spawn("committer", body)?);
    }
    rt::time::sleep(each);
    stop.store(true, Ordering::Relaxed);
    let mut commits = 0;
    for handle in handles {
        commits += handle.join().map_err(|_| "a committer panicked")??;
    }
    Ok(commits)
}

pub(crate) fn pipelined(dir: &Path, each: Duration) -> Result<(), Box<dyn Error>> {
    println!("## Durable commits from one thread, many in flight (Pipelined)\n");
    println!(
        "| in flight | durable txn/s | to the durable ack, ms: median, 99 % | per group | µs per group | raw sync of as much, µs |"
    );
    println!("|---|---|---|---|---|---|");
    for in_flight in [1, 32, 256, 4096] {
        let (db, run, _) = open(&dir.join(format!("pipelined-{in_flight}")), Durability::Pipelined)?;
        let before = log(&db);
        let start = rt::time::now();
        let mut latencies = Vec::new();
        let mut window: VecDeque<(stormproof::Ticket, u64)> = VecDeque::new();
        let mut count = 0;
        let mut settle = |window: &mut VecDeque<(stormproof::Ticket, u64)>| {
            let durable = db.durable_version();
            let now = rt::time::now().as_nanos();
            while let Some((ticket, begun)) = window.front()
                && ticket.version() <= durable
            {
                latencies.push(now - begun);
                window.pop_front();
            }
        };
        while rt::time::now().saturating_since(start) < each {
            let number = count * 7_919 % KEYS;
            let begun = rt::time::now().as_nanos();
            let mut txn = db.begin_transaction(run)?;
            let _: Option<Vec<u8>> = txn.get(key(number))?;
            txn.put(key(number), noise(count))?;
            window.push_back((txn.commit()?.ticket().clone(), begun));
            count += 1;
            settle(&mut window);
            if window.len() >= in_flight
                && let Some((ticket, _)) = window.front()
            {
                ticket.wait()?;
                settle(&mut window);
            }
        }
        db.flush()?;
        let seconds = rt::time::now().saturating_since(start).as_secs_f64();
        let after = log(&db);
        let groups = after.groups - before.groups;
        let raw = RawSync::measure(dir, usize::try_from((after.bytes - before.bytes) / groups)?, each / 4)?;
        latencies.sort_unstable();
        println!(
            "| {in_flight} | {:.0} | {:.2}, {:.2} | {:.1} | {:.0} | {:.0} |",
            count as f64 / seconds,
            percentile(&latencies, 50.0) as f64 / 1e6,
            percentile(&latencies, 99.0) as f64 / 1e6,
            count as f64 / groups as f64,
            seconds * 1e6 / groups as f64,
            raw.prepared_micros,
        );
        db.close()?;
    }
    println!();
    Ok(())
}

fn open(dir: &Path, durability: Durability) -> Result<(Database, RunId, Arc<Counts>), Box<dyn Error>> {
    let disk = CountingDisk::create(dir)?;
    let counts = disk.counts();
    let db = Database::builder()
        .disk(Arc::new(disk))
        .durability(durability)
        .checkpoint_log_bytes(u64::MAX)
        .open()?;
    let run = db.begin_run()?;
    for first in (0..KEYS).step_by(1_000) {
        db.transaction(run, |txn| (first..first + 1_000).try_for_each(|n| txn.put(key(n), noise(n))))?;
    }
    db.flush()?;
    Ok((db, run, counts))
}

fn log(db: &Database) -> stormproof::LogMetrics {
    db.metrics().log
}
