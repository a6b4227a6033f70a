//! A commit of one write in each durability mode: until its ack, and until it is on disk.
//!
//! The disk is that of the directory for temporary files (`TMPDIR`).

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use stormproof::{Database, Durability, RunId};
use stormproof_benches::{key, value};
use tempfile::TempDir;

const INTERVAL: Duration = Duration::from_millis(100);

fn open(durability: Durability) -> (TempDir, Database, RunId) {
    let dir = tempfile::tempdir().expect("a directory");
    let database = Database::builder().dir(dir.path()).durability(durability).open().expect("a database");
    let run = database.begin_run().expect("a run");
    (dir, database, run)
}

fn acks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit until the ack");
    let memory = Database::open_in_memory().expect("a database");
    let run = memory.begin_run().expect("a run");
    group.bench_function("in memory", |bencher| {
        bencher.iter(|| memory.put(run, key(1), &value(1)).expect("a commit"));
    });
    for (name, durability) in [
        ("strict", Durability::Strict),
        ("pipelined", Durability::Pipelined),
        ("batched", Durability::Batched { interval: INTERVAL, commits_max: 100_000 }),
        ("async", Durability::Async { interval: INTERVAL }),
    ] {
        let (_dir, database, run) = open(durability);
        group.bench_function(name, |bencher| {
            bencher.iter(|| database.put(run, key(1), &value(1)).expect("a commit"));
        });
        database.close().expect("it is closed");
    }
    group.finish();
}

fn on_disk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit until it is on disk");
    for (name, durability) in [("strict", Durability::Strict), ("pipelined", Durability::Pipelined)] {
        let (_dir, database, run) = open(durability);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut txn = database.begin_transaction(run).expect("a transaction");
                txn.put(key(1), &value(1)).expect("a write");
                txn.commit().expect("a commit").wait_durable().expect("it is durable");
            });
        });
        database.close().expect("it is closed");
    }
    group.finish();
}

criterion_group!(benches, acks, on_disk);
criterion_main!(benches);
