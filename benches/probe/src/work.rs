//! The pieces of work, named as in the comparison with other engines.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use stormproof::{Database, Durability, Result, RunId, TransactionOptions};

use crate::measure::{Done, Figure, Until, on_threads};

type Work = fn(&Bench) -> Result<Figure>;

pub(crate) const WORKS: &[(&str, Work)] = &[
    ("W1 read-modify-write, 1 thread", |bench| bench.read_modify_write(&bench.db, 1)),
    ("W1 read-modify-write, 2 threads", |bench| bench.read_modify_write(&bench.db, 2)),
    ("W1 latencies of one thread", Bench::latencies),
    ("W1 the same with a log, 1 thread", |bench| bench.logged(1)),
    ("W1 the same with a log, 2 threads", |bench| bench.logged(2)),
    ("W3 gets, 1 thread", |bench| Ok(bench.gets(1))),
    ("W3 gets, 2 threads", |bench| Ok(bench.gets(2))),
    ("W3 gets, 4 threads", |bench| Ok(bench.gets(4))),
    ("W3 gets in place, 1 thread", |bench| Ok(bench.gets_in_place(1))),
    ("W3 gets in place, 2 threads", |bench| Ok(bench.gets_in_place(2))),
    ("W3 ten reads in a read transaction, 1 thread", |bench| Ok(bench.ten_reads(1))),
    ("W3 ten reads in a read transaction, 2 threads", |bench| Ok(bench.ten_reads(2))),
    ("W3 ten reads in a snapshot, 1 thread", |bench| Ok(bench.ten_reads_of_a_snapshot(1))),
    ("W3 ten reads in a snapshot, 2 threads", |bench| Ok(bench.ten_reads_of_a_snapshot(2))),
    ("W3 batches of 10, 1 thread", |bench| Ok(bench.batches(10))),
    ("W3 batches of 100, 1 thread", |bench| Ok(bench.batches(100))),
    ("W4 begin and end a read transaction", |bench| Ok(bench.begin(1))),
    ("W4 take and drop a snapshot", |bench| Ok(bench.snapshot(1))),
    ("W4 take and drop a snapshot, 2 threads", |bench| Ok(bench.snapshot(2))),
    ("W5 one counter, 8 threads", |bench| bench.counter(8, false)),
    ("W5 one counter, 32 threads", |bench| bench.counter(32, false)),
    ("W5 with a yield in between, 8 threads", |bench| bench.counter(8, true)),
    ("W7 scans of 100", |bench| Ok(bench.scans())),
    ("W7 full scans, keys", |bench| Ok(bench.full_scans())),
];

/// A loaded database and how long to measure.
#[derive(Debug)]
pub(crate) struct Bench {
    db: Database,
    run: RunId,
    keys: u64,
    until: Until,
}

impl Bench {
    pub(crate) fn new(keys: u64, leaf: Option<&[usize]>, for_each: Duration) -> Result<Self> {
        let builder = Database::builder();
        let db = match leaf {
            Some([page, journal]) => builder.index_leaf(*page, *journal).open()?,
            _ => builder.open()?,
        };
        let run = load(&db, keys)?;
        Ok(Self { db, run, keys, until: Until::After(for_each) })
    }

    pub(crate) fn times(self, times: u64) -> Self {
        Self { until: Until::Times(times), ..self }
    }

    fn read_modify_write(&self, db: &Database, threads: u64) -> Result<Figure> {
        let before = sum(db);
        let (run, keys, shared) = (self.run_of(db)?, self.keys, db.clone());
        let (figure, count) = on_threads(threads, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys);
            let mut done = Done::default();
            while goes_on(done.count) {
                let key = key(picks.next());
                shared
                    .transaction(run, |txn| {
                        let found: Bytes = txn.get(key)?.unwrap_or_default();
                        txn.put(key, value(number(&found) + 1))
                    })
                    .expect("a commit");
                done.count += 1;
            }
            done
        });
        assert_eq!(sum(db), before + count, "no update is lost");
        Ok(figure)
    }

    fn latencies(&self) -> Result<Figure> {
        let (db, run, keys) = (self.db.clone(), self.run, self.keys);
        let (figure, _) = on_threads(1, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys);
            let mut done = Done::default();
            while goes_on(done.count) {
                let (key, start) = (key(picks.next()), rt::time::now());
                db.transaction(run, |txn| {
                    let found: Bytes = txn.get(key)?.unwrap_or_default();
                    txn.put(key, value(number(&found) + 1))
                })
                .expect("a commit");
                let took = rt::time::now().saturating_since(start);
                done.latencies.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
                done.count += 1;
            }
            done
        });
        Ok(figure)
    }

    fn run_of(&self, db: &Database) -> Result<RunId> {
        if db.run(self.run).is_ok() { Ok(self.run) } else { db.begin_run() }
    }

    fn logged(&self, threads: u64) -> Result<Figure> {
        let dir = tempfile::tempdir().expect("a directory");
        let durability = Durability::Async { interval: Duration::from_secs(1) };
        let db = Database::builder().dir(dir.path()).durability(durability).open()?;
        load(&db, self.keys)?;
        let figure = self.read_modify_write(&db, threads)?;
        db.close()?;
        Ok(figure)
    }

    fn gets(&self, threads: u64) -> Figure {
        let (db, keys) = (self.db.clone(), self.keys);
        on_threads(threads, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys);
            let mut done = Done::default();
            while goes_on(done.count) {
                let found: Option<Bytes> = db.get(key(picks.next())).expect("a read");
                assert!(black_box(found).is_some(), "every key is there");
                done.count += 1;
            }
            done
        })
        .0
    }

    fn gets_in_place(&self, threads: u64) -> Figure {
        let (db, keys) = (self.db.clone(), self.keys);
        on_threads(threads, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys);
            let mut done = Done::default();
            while goes_on(done.count) {
                let found = db.get_with(key(picks.next()), |value| match value {
                    Some(stormproof::ValueRef::Bytes(value)) => Some(number(value)),
                    _ => None,
                });
                assert!(black_box(found).is_some(), "every key is there");
                done.count += 1;
            }
            done
        })
        .0
    }

    fn batches(&self, size: usize) -> Figure {
        let (db, keys) = (self.db.clone(), self.keys);
        on_threads(1, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys);
            let mut done = Done::default();
            while goes_on(done.count) {
                let batch: Vec<_> = (0..size).map(|_| key(picks.next())).collect();
                let found: Vec<Option<Bytes>> = db.get_many(batch).expect("reads");
                assert!(black_box(found).iter().all(Option::is_some), "every key is there");
                done.count += size as u64;
            }
            done
        })
        .0
    }

    fn ten_reads(&self, threads: u64) -> Figure {
        let (db, run, keys) = (self.db.clone(), self.run, self.keys);
        on_threads(threads, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys);
            let options = TransactionOptions::new().read_only();
            let mut done = Done::default();
            while goes_on(done.count) {
                let mut txn = db.begin_transaction_with(run, &options).expect("a transaction");
                for _ in 0..10 {
                    let found: Option<Bytes> = txn.get(key(picks.next())).expect("a read");
                    assert!(black_box(found).is_some(), "every key is there");
                }
                done.count += 10;
            }
            done
        })
        .0
    }

    fn ten_reads_of_a_snapshot(&self, threads: u64) -> Figure {
        let (db, keys) = (self.db.clone(), self.keys);
        on_threads(threads, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys);
            let mut done = Done::default();
            while goes_on(done.count) {
                let view = db.snapshot();
                for _ in 0..10 {
                    let found = view.value(key(picks.next()));
                    assert!(black_box(found).is_some(), "every key is there");
                }
                done.count += 10;
            }
            done
        })
        .0
    }

    fn begin(&self, threads: u64) -> Figure {
        let (db, run) = (self.db.clone(), self.run);
        on_threads(threads, self.until, move |_, goes_on| {
            let options = TransactionOptions::new().read_only();
            let mut done = Done::default();
            while goes_on(done.count) {
                drop(black_box(db.begin_transaction_with(run, &options).expect("a transaction")));
                done.count += 1;
            }
            done
        })
        .0
    }

    fn snapshot(&self, threads: u64) -> Figure {
        let db = self.db.clone();
        on_threads(threads, self.until, move |_, goes_on| {
            let mut done = Done::default();
            while goes_on(done.count) {
                drop(black_box(db.snapshot()));
                done.count += 1;
            }
            done
        })
        .0
    }

    fn counter(&self, threads: u64, yields: bool) -> Result<Figure> {
        self.db.put(self.run, "counter", 0_u64)?;
        let (db, run) = (self.db.clone(), self.run);
        let (figure, count) = on_threads(threads, self.until, move |_, goes_on| {
            let mut done = Done { retries: Some((0, 0)), ..Done::default() };
            while goes_on(done.count) {
                let (start, mut attempts) = (rt::time::now(), 0_u64);
                db.transaction(run, |txn| {
                    attempts += 1;
                    let count: u64 = txn.get("counter")?.unwrap_or(0);
                    if yields {
                        rt::thread::yield_now();
                    }
                    txn.put("counter", count + 1)
                })
                .expect("a commit");
                done.worst = done.worst.max(Some(rt::time::now().saturating_since(start)));
                done.retries = done.retries.map(|(all, most)| (all + attempts - 1, most.max(attempts - 1)));
                done.count += 1;
            }
            done
        });
        assert_eq!(self.db.get("counter")?, Some(count), "no increment is lost");
        Ok(figure)
    }

    fn scans(&self) -> Figure {
        let (db, run, keys) = (self.db.clone(), self.run, self.keys);
        on_threads(1, self.until, move |thread, goes_on| {
            let mut picks = Picks::new(thread, keys - 100);
            let options = TransactionOptions::new().read_only();
            let mut done = Done::default();
            while goes_on(done.count) {
                let mut txn = db.begin_transaction_with(run, &options).expect("a transaction");
                let mut seen = 0;
                let mut range = txn.range(&key(picks.next())[..]..).expect("a range").limit(100);
                while let Some(entry) = range.next_ref() {
                    black_box((entry.user_key(), entry.value()));
                    seen += 1;
                }
                drop(range);
                assert_eq!(seen, 100, "a hundred keys follow");
                done.count += 1;
            }
            done
        })
        .0
    }

    fn full_scans(&self) -> Figure {
        let (db, keys) = (self.db.clone(), self.keys);
        on_threads(1, self.until, move |_, goes_on| {
            let mut done = Done::default();
            while goes_on(done.count) {
                let mut seen = 0;
                let mut range = db.range(&key(0)[..]..&[b'l'][..]);
                while let Some(entry) = range.next_ref() {
                    black_box((entry.user_key(), entry.value()));
                    seen += 1;
                }
                assert_eq!(seen, keys, "every key is there");
                done.count += seen;
            }
            done
        })
        .0
    }
}

fn load(db: &Database, keys: u64) -> Result<RunId> {
    let run = db.begin_run()?;
    for first in (0..keys).step_by(1000) {
        db.transaction(run, |txn| {
            for number in first..keys.min(first + 1000) {
                txn.put(key(number), value(0))?;
            }
            Ok(())
        })?;
    }
    Ok(run)
}

fn sum(db: &Database) -> u64 {
    let mut sum = 0;
    let mut range = db.range(&key(0)[..]..&[b'l'][..]);
    while let Some(entry) = range.next_ref() {
        if let stormproof::ValueRef::Bytes(bytes) = entry.value() {
            sum += number(bytes);
        }
    }
    sum
}

/// Sixteen bytes.
fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key/000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A hundred bytes, the first eight of which are a number.
fn value(number: u64) -> Bytes {
    let mut value = [7; 100];
    value[..8].copy_from_slice(&number.to_le_bytes());
    Bytes::copy_from_slice(&value)
}

fn number(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Pseudo-random key numbers: a full cycle of steps that no cache foresees.
struct Picks {
    state: u64,
    keys: u64,
}

impl Picks {
    const fn new(thread: u64, keys: u64) -> Self {
        Self { state: thread.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, keys }
    }

    /// One step of xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
    const fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % self.keys
    }
}
