//! Commits that write one key and have read many: what validation costs, by the number of keys.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use stormproof::{Database, KeyRange};
use stormproof_benches::{KEYS, fill, key, scattered, value};

fn points(criterion: &mut Criterion) {
    let database = Database::open_in_memory().expect("a database");
    let run = fill(&database, KEYS).expect("commits");
    let mut group = criterion.benchmark_group("validate points");
    let mut numbers = scattered(KEYS);
    for keys in [1, 10, 100, 1_000] {
        group.throughput(Throughput::Elements(keys));
        group.bench_function(keys.to_string(), |bencher| {
            bencher.iter_batched(
                || {
                    let mut txn = database.begin_transaction(run).expect("a transaction");
                    for number in numbers.by_ref().take(keys as usize) {
                        txn.exists(key(number)).expect("a read");
                    }
                    txn.put(key(0), &value(0)).expect("a write");
                    txn
                },
                |txn| txn.commit().expect("there is no other writer"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn ranges(criterion: &mut Criterion) {
    let database = Database::open_in_memory().expect("a database");
    let run = fill(&database, KEYS).expect("commits");
    let mut group = criterion.benchmark_group("validate a range");
    for keys in [1, 10, 100, 1_000] {
        group.throughput(Throughput::Elements(keys));
        group.bench_function(keys.to_string(), |bencher| {
            bencher.iter_batched(
                || {
                    let mut txn = database.begin_transaction(run).expect("a transaction");
                    let range = range(KEYS / 2, KEYS / 2 + keys);
                    assert_eq!(txn.range(range).expect("a range").count() as u64, keys);
                    txn.put(key(0), &value(0)).expect("a write");
                    txn
                },
                |txn| txn.commit().expect("there is no other writer"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn range(start: u64, end: u64) -> KeyRange {
    use stormproof::IntoKey;
    KeyRange::between(key(start).into_key(), key(end).into_key())
}

criterion_group!(benches, points, ranges);
criterion_main!(benches);
