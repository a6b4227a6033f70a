//! The measurements of one candidate in this process.

use std::hint::black_box;
use std::time::Duration;

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rt::sync::Arc;
use rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use serde::{Deserialize, Serialize};

use crate::candidates::Index;
use crate::key::{Bytes, Key, key, number, value};

const READS_PER_SNAPSHOT: usize = 10;
const PICKS: usize = 1 << 20;

/// One figure of one candidate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) candidate: String,
    pub(crate) keys: u64,
    pub(crate) work: String,
    pub(crate) value: f64,
}

/// Measures everything about `I`.
pub(crate) fn measure<I: Index>(keys: u64, for_each: Duration) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut report = |work: String, value: f64| {
        figures.push(Figure { candidate: I::name(), keys, work, value });
    };
    let picks = Arc::new(picks(keys));
    let index = Arc::new(I::new());

    let before = resident_bytes();
    report("inserts/s".to_owned(), load(&*index, keys));
    report("bytes per key".to_owned(), (resident_bytes() - before) / keys as f64);

    for threads in [1, 2, 4] {
        report(format!("reads/s, {threads} threads"), reads(&index, &picks, threads, false, for_each).0);
    }
    for threads in [1, 2, 4] {
        let (reads, writes) = reads(&index, &picks, threads, true, for_each);
        report(format!("reads/s, {threads} threads beside a writer"), reads);
        report(format!("writes/s beside {threads} readers"), writes);
    }
    report("borrowing reads/s".to_owned(), borrowing_reads(&*index, &picks, for_each));
    report("read-modify-write/s".to_owned(), read_modify_write(&*index, &picks, for_each));
    report("scans of 100/s".to_owned(), scans(&*index, &picks, for_each));
    report("full scan, keys/s".to_owned(), full_scan(&*index, keys));
    for open in [1, 100, 10_000] {
        report(format!("snapshot ns, {open} open"), snapshots(&*index, &picks, open, for_each));
    }
    figures
}

/// The same random key numbers for every candidate.
fn picks(keys: u64) -> Vec<u64> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..PICKS).map(|_| random.random_range(0..keys)).collect()
}

fn load<I: Index>(index: &I, keys: u64) -> f64 {
    let mut order: Vec<u32> = (0..keys as u32).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(2));
    let start = rt::time::now();
    for i in order {
        index.put(key(u64::from(i)), value(0));
    }
    keys as f64 / seconds_since(start)
}

/// Reads/s and writes/s.
fn reads<I: Index>(
    index: &Arc<I>,
    picks: &Arc<Vec<u64>>,
    threads: usize,
    with_writer: bool,
    for_each: Duration,
) -> (f64, f64) {
    let stop = Arc::new(AtomicBool::new("stop", false));
    let total = Arc::new(AtomicU64::new("reads", 0));
    let start = rt::time::now();
    let mut readers = Vec::new();
    for thread in 0..threads {
        let (index, picks, stop, total) =
            (Arc::clone(index), Arc::clone(picks), Arc::clone(&stop), Arc::clone(&total));
        let body = move || {
            let mut count = 0;
            let mut picks = picks.iter().cycle().skip(thread * 7919);
            while !stop.load(Ordering::Relaxed) {
                let snapshot = index.snapshot();
                for i in picks.by_ref().take(READS_PER_SNAPSHOT) {
                    let value = index.read(&snapshot, &key(*i), Bytes::clone);
                    assert!(value.is_some(), "a key that was loaded is there");
                    black_box(value);
                }
                count += READS_PER_SNAPSHOT as u64;
            }
            total.fetch_add(count, Ordering::Relaxed);
        };
        readers.push(rt::thread::spawn("reader", body).expect("a thread"));
    }
    let mut writes = 0;
    if with_writer {
        let mut picks = picks.iter().rev().cycle();
        while rt::time::now().saturating_since(start) < for_each {
            for i in picks.by_ref().take(64) {
                assert!(index.read_modify_write(&key(*i), add_one), "there is one writer");
            }
            writes += 64;
        }
    } else {
        rt::time::sleep(for_each);
    }
    stop.store(true, Ordering::Relaxed);
    let written_for = seconds_since(start);
    for reader in readers {
        reader.join().expect("a reader that does not panic");
    }
    (total.load(Ordering::Relaxed) as f64 / seconds_since(start), f64::from(writes) / written_for)
}

/// Reads that look at the value where it lies: what counting references costs is the difference.
fn borrowing_reads<I: Index>(index: &I, picks: &[u64], for_each: Duration) -> f64 {
    let mut picks = picks.iter().cycle();
    let nanoseconds = per_operation(for_each, || {
        let snapshot = index.snapshot();
        for i in picks.by_ref().take(READS_PER_SNAPSHOT) {
            black_box(index.read(&snapshot, &key(*i), |value| number(value)));
        }
    });
    READS_PER_SNAPSHOT as f64 * 1e9 / nanoseconds
}

fn read_modify_write<I: Index>(index: &I, picks: &[u64], for_each: Duration) -> f64 {
    let before = sum(index);
    let start = rt::time::now();
    let mut count = 0;
    let mut picks = picks.iter().cycle();
    while rt::time::now().saturating_since(start) < for_each {
        for i in picks.by_ref().take(64) {
            assert!(index.read_modify_write(&key(*i), add_one), "there is one writer");
        }
        count += 64;
    }
    let rate = count as f64 / seconds_since(start);
    assert_eq!(sum(index), before + count, "no update is lost");
    rate
}

fn scans<I: Index>(index: &I, picks: &[u64], for_each: Duration) -> f64 {
    let start = rt::time::now();
    let mut count = 0;
    let mut picks = picks.iter().cycle();
    while rt::time::now().saturating_since(start) < for_each {
        for i in picks.by_ref().take(16) {
            let snapshot = index.snapshot();
            index.scan(&snapshot, &key(*i), 100, &mut |value| {
                black_box(value);
            });
        }
        count += 16;
    }
    f64::from(count) / seconds_since(start)
}

fn full_scan<I: Index>(index: &I, keys: u64) -> f64 {
    let start = rt::time::now();
    let mut seen = 0;
    index.scan(&index.snapshot(), &key(0), usize::MAX, &mut |value| {
        black_box(value);
        seen += 1;
    });
    assert_eq!(seen, keys, "a scan sees every key once");
    keys as f64 / seconds_since(start)
}

/// Nanoseconds to open and drop one more snapshot.
fn snapshots<I: Index>(index: &I, picks: &[u64], open: usize, for_each: Duration) -> f64 {
    let mut held = Vec::new();
    for i in picks.iter().cycle().take(open) {
        held.push(index.snapshot());
        index.read_modify_write(&key(*i), add_one);
    }
    per_operation(for_each, || drop(black_box(index.snapshot())))
}

/// Nanoseconds per call.
pub(crate) fn per_operation(for_each: Duration, mut operation: impl FnMut()) -> f64 {
    let start = rt::time::now();
    let mut count = 0;
    while rt::time::now().saturating_since(start) < for_each / 4 {
        for _ in 0..1000 {
            operation();
        }
        count += 1000;
    }
    seconds_since(start) * 1e9 / f64::from(count)
}

fn sum<I: Index>(index: &I) -> u64 {
    let mut sum = 0;
    let first: Key = key(0);
    index.scan(&index.snapshot(), &first, usize::MAX, &mut |value| sum += number(value));
    sum
}

fn add_one(old: &Bytes) -> Bytes {
    value(number(old) + 1)
}

fn seconds_since(start: rt::time::Instant) -> f64 {
    rt::time::now().saturating_since(start).as_secs_f64()
}

fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * 4096.0
}
