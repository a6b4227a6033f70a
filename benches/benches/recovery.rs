//! Writing a checkpoint, and opening a database: from its log, and from its checkpoint.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use stormproof::{Database, DatabaseBuilder, Durability, RunId};
use stormproof_benches::{KEYS, fill, key, value};
use tempfile::TempDir;

fn builder(dir: &TempDir) -> DatabaseBuilder {
    let durability = Durability::Async { interval: Duration::from_secs(1) };
    Database::builder().dir(dir.path()).durability(durability).checkpoint_log_bytes(u64::MAX)
}

fn filled() -> (TempDir, Database, RunId) {
    let dir = tempfile::tempdir().expect("a directory");
    let database = builder(&dir).open().expect("a database");
    let run = fill(&database, KEYS).expect("commits");
    (dir, database, run)
}

fn checkpoint(criterion: &mut Criterion) {
    let (_dir, database, run) = filled();
    let mut group = criterion.benchmark_group("checkpoint");
    group.throughput(Throughput::Elements(KEYS));
    group.sample_size(10);
    group.bench_function("100 K keys", |bencher| {
        // One commit in between, or there would be nothing to do.
        bencher.iter_batched(
            || database.put(run, key(0), &value(0)).expect("a commit"),
            |()| database.checkpoint().expect("a checkpoint"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
    database.close().expect("it is closed");
}

fn recovery(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.throughput(Throughput::Elements(KEYS));
    group.sample_size(10);
    for (name, with_checkpoint) in [("100 K keys in the log", false), ("100 K keys in a checkpoint", true)] {
        let (dir, database, _) = filled();
        if with_checkpoint {
            database.checkpoint().expect("a checkpoint");
        }
        database.close().expect("it is closed");
        drop(database);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| builder(&dir).open().expect("a database"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, checkpoint, recovery);
criterion_main!(benches);
