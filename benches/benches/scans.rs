//! Scans: copied and visited, forwards and backwards, of a hundred keys and of all.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stormproof::{Database, IntoKey, KeyRange, RunId, ScanOptions};
use stormproof_benches::{KEYS, fill, key, scattered};

fn filled() -> (Database, RunId) {
    let database = Database::open_in_memory().expect("a database");
    let run = fill(&database, KEYS).expect("commits");
    (database, run)
}

fn hundreds(criterion: &mut Criterion) {
    let (database, run) = filled();
    let mut group = criterion.benchmark_group("scan 100");
    group.throughput(Throughput::Elements(100));
    let mut starts = scattered(KEYS - 100);
    let mut range = || {
        let start = starts.next().unwrap_or_default();
        KeyRange::between(key(start).into_key(), key(start + 100).into_key())
    };
    group.bench_function("visited in a snapshot", |bencher| {
        bencher.iter(|| {
            database.snapshot().visit(range(), false, |key, value| {
                black_box((key, value));
                ControlFlow::Continue(())
            });
        });
    });
    for (name, options) in [("forwards", ScanOptions::new()), ("backwards", ScanOptions::new().reverse())] {
        group.bench_function(format!("copied in a transaction, {name}"), |bencher| {
            bencher.iter(|| {
                let mut txn = database.begin_transaction(run).expect("a transaction");
                black_box(txn.scan_with(range(), options).expect("a scan"))
            });
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let (database, _) = filled();
    let mut group = criterion.benchmark_group("scan all");
    group.throughput(Throughput::Elements(KEYS));
    group.sample_size(20);
    group.bench_function("visited in a snapshot", |bencher| {
        bencher.iter(|| {
            let mut keys = 0;
            database.snapshot().visit(KeyRange::prefix("key/"), false, |_, value| {
                black_box(value);
                keys += 1;
                ControlFlow::Continue(())
            });
            assert_eq!(keys, KEYS);
        });
    });
    group.finish();
}

criterion_group!(benches, hundreds, all);
criterion_main!(benches);
