//! What a transaction in memory consists of: begin, get, put, commit, abort; and the calls that are one
//! transaction.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use stormproof::{Database, RunId, TransactionOptions};
use stormproof_benches::{KEYS, fill, key, scattered, value};

fn filled() -> (Database, RunId) {
    let database = Database::open_in_memory().expect("a database");
    let run = fill(&database, KEYS).expect("commits");
    (database, run)
}

fn begin(criterion: &mut Criterion) {
    let (database, run) = filled();
    let mut group = criterion.benchmark_group("begin");
    group.bench_function("snapshot", |bencher| bencher.iter(|| black_box(database.snapshot())));
    group.bench_function("transaction", |bencher| {
        bencher.iter(|| black_box(database.begin_transaction(run).expect("a transaction")));
    });
    let read_only = TransactionOptions::new().read_only();
    group.bench_function("read-only transaction", |bencher| {
        bencher.iter(|| black_box(database.begin_transaction_with(run, &read_only).expect("a transaction")));
    });
    group.finish();
}

fn get(criterion: &mut Criterion) {
    let (database, run) = filled();
    let mut group = criterion.benchmark_group("get");
    let mut numbers = scattered(KEYS);
    group.bench_function("database", |bencher| {
        bencher.iter(|| {
            let number = numbers.next().unwrap_or_default();
            black_box(database.get::<Bytes>(key(number)).expect("a read"))
        });
    });
    let snapshot = database.snapshot();
    group.bench_function("snapshot", |bencher| {
        bencher.iter(|| black_box(snapshot.value(key(numbers.next().unwrap_or_default()))));
    });
    group.bench_function("transaction, tracked, tens", |bencher| {
        bencher.iter(|| {
            let mut txn = database.begin_transaction(run).expect("a transaction");
            for number in numbers.by_ref().take(10) {
                black_box(txn.get::<Bytes>(key(number)).expect("a read"));
            }
        });
    });
    group.bench_function("absent", |bencher| {
        bencher.iter(|| black_box(database.get::<Bytes>("absent").expect("a read")));
    });
    group.finish();
}

fn put(criterion: &mut Criterion) {
    let (database, run) = filled();
    let mut group = criterion.benchmark_group("put");
    group.bench_function("buffered", |bencher| {
        bencher.iter_batched_ref(
            || database.begin_transaction(run).expect("a transaction"),
            |txn| txn.put(key(1), &value(1)).expect("a write"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn commit(criterion: &mut Criterion) {
    let (database, run) = filled();
    let mut group = criterion.benchmark_group("commit");
    let mut numbers = scattered(KEYS);
    for writes in [1, 10, 100] {
        group.bench_function(format!("{writes} writes"), |bencher| {
            bencher.iter_batched(
                || {
                    let mut txn = database.begin_transaction(run).expect("a transaction");
                    for number in numbers.by_ref().take(writes) {
                        txn.put(key(number), &value(number)).expect("a write");
                    }
                    txn
                },
                |txn| txn.commit().expect("there is no other writer"),
                BatchSize::PerIteration,
            );
        });
    }
    group.bench_function("read, change, write", |bencher| {
        bencher.iter(|| {
            let number = numbers.next().unwrap_or_default();
            database.transaction(run, |txn| {
                black_box(txn.get::<Bytes>(key(number))?);
                txn.put(key(number), &value(number))
            })
        });
    });
    group.bench_function("abort", |bencher| {
        bencher.iter_batched(
            || {
                let mut txn = database.begin_transaction(run).expect("a transaction");
                txn.put(key(1), &value(1)).expect("a write");
                txn
            },
            stormproof::Transaction::abort,
            BatchSize::SmallInput,
        );
    });
    let mut fresh = KEYS..;
    group.bench_function("new key", |bencher| {
        bencher.iter(|| {
            let number = fresh.next().unwrap_or_default();
            database.put(run, key(number), &value(number)).expect("a commit");
        });
    });
    group.finish();
}

criterion_group!(benches, begin, get, put, commit);
criterion_main!(benches);
