//! Ranges: looked at and copied, forwards and backwards, of a hundred keys and of all.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stormproof::{Database, IntoKey, KeyRange, RunId};
use stormproof_benches::{KEYS, fill, key, scattered};

fn filled() -> (Database, RunId) {
    let database = Database::open_in_memory().expect("a database");
    let run = fill(&database, KEYS).expect("commits");
    (database, run)
}

fn hundreds(criterion: &mut Criterion) {
    let (database, run) = filled();
    let mut group = criterion.benchmark_group("range of 100");
    group.throughput(Throughput::Elements(100));
    let mut starts = scattered(KEYS - 100);
    let mut range = || {
        let start = starts.next().unwrap_or_default();
        KeyRange::between(key(start).into_key(), key(start + 100).into_key())
    };
    group.bench_function("looked at in a snapshot", |bencher| {
        bencher.iter(|| {
            let mut range = database.range(range());
            while let Some(entry) = range.next_ref() {
                black_box((entry.user_key(), entry.value()));
            }
        });
    });
    group.bench_function("iterated in a snapshot", |bencher| {
        bencher.iter(|| {
            for entry in database.range(range()) {
                black_box((entry.key(), entry.value()));
            }
        });
    });
    for backwards in [false, true] {
        let direction = if backwards { "backwards" } else { "forwards" };
        group.bench_function(format!("collected in a transaction, {direction}"), |bencher| {
            bencher.iter(|| {
                let mut txn = database.begin_transaction(run).expect("a transaction");
                let range = txn.range(range()).expect("a range");
                let entries: Vec<_> = if backwards { range.rev().collect() } else { range.collect() };
                black_box(entries)
            });
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let (database, _) = filled();
    let mut group = criterion.benchmark_group("range of all");
    group.throughput(Throughput::Elements(KEYS));
    group.sample_size(20);
    group.bench_function("looked at in a snapshot", |bencher| {
        bencher.iter(|| {
            let (mut keys, mut range) = (0, database.prefix("key/"));
            while let Some(entry) = range.next_ref() {
                black_box(entry.value());
                keys += 1;
            }
            assert_eq!(keys, KEYS);
        });
    });
    group.bench_function("counted", |bencher| {
        bencher.iter(|| assert_eq!(database.prefix("key/").count() as u64, KEYS));
    });
    group.finish();
}

criterion_group!(benches, hundreds, all);
criterion_main!(benches);
