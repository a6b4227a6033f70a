//! What was replaced does not stay in memory: overwritten values, versions that a snapshot held, whatever
//! thread has replaced them, and whether or not anything is read or written later.

use std::time::Duration;

use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Mutex, MutexGuard};
use stormproof::{Database, RunId, Value};

/// Bytes that may wait besides one value: see `Metrics::retired_bytes`.
const WAITING_MAX: u64 = 256 << 10;

/// One test at a time: a reader of one database stands in the way of what all of a process free.
static TURN: Mutex<()> = Mutex::new("memory tests", ());

fn database() -> (MutexGuard<'static, ()>, Database, RunId) {
    let turn = TURN.lock();
    let db = Database::open_in_memory().unwrap();
    let run = db.begin_run().unwrap();
    (turn, db, run)
}

/// Bytes of memory that this process has.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn overwrites_of_a_large_value_keep_no_more_than_the_last() {
    const BYTES: usize = 16 << 20;
    let (_turn, db, run) = database();
    #[cfg(target_os = "linux")]
    let before = resident();
    for number in 0..60_u8 {
        db.put(run, "large", vec![number; BYTES]).unwrap();
        let waiting = db.metrics().retired_bytes;
        assert!(waiting <= WAITING_MAX, "{waiting} bytes wait after {number} overwrites");
    }
    // 960 MB were written.
    #[cfg(target_os = "linux")]
    assert!(resident().saturating_sub(before) < 20 * BYTES as u64, "{} MB", (resident() - before) >> 20);
    assert!(db.get_with("large", |value| value == Some(stormproof::ValueRef::Bytes(&[59; BYTES]))));
}

#[test]
fn overwrites_by_threads_that_ended_are_freed() {
    let (_turn, db, run) = database();
    let threads: Vec<_> = (0..8_u8)
        .map(|thread| {
            let db = db.clone();
            let overwrite = move || {
                for _ in 0..30 {
                    db.put(run, format!("key {thread}"), vec![thread; 1 << 20]).unwrap();
                }
            };
            rt::thread::spawn("overwriting", overwrite).unwrap()
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // Each read begins new epochs; one that a thread which is about to end stands in the way of is repeated.
    let freed = (0..1_000).any(|_| {
        db.collect();
        db.metrics().retired_bytes == 0
    });
    assert!(freed, "{} bytes wait", db.metrics().retired_bytes);
}

#[test]
fn an_idle_database_gives_back_by_itself_what_a_long_snapshot_held() {
    let turn = TURN.lock();
    let db = Database::builder().maintenance_interval(Duration::from_millis(5)).open().unwrap();
    let run = db.begin_run().unwrap();
    let write = |value: u8| {
        for key in 0..200_u32 {
            db.put(run, format!("key {key}"), vec![value; 4_000]).unwrap();
        }
    };
    write(0);
    let snapshot = db.snapshot();
    (1..20).for_each(write);
    assert!(db.metrics().surplus_versions >= 200, "the snapshot's versions are there");
    assert_eq!(snapshot.value("key 7"), Some(Value::from(vec![0_u8; 4_000])));
    drop(snapshot);
    // No call that would collect: the background thread alone. In several of its turns, as versions of
    // commits in whose generation the snapshot was go later.
    let kept = || (db.metrics().surplus_versions, db.metrics().retired_bytes);
    let freed = (0..2_000).any(|_| {
        rt::time::sleep(Duration::from_millis(5));
        kept() == (0, 0)
    });
    assert!(freed, "versions and bytes that are kept: {:?}", kept());
    drop(turn);
}

#[test]
fn a_reader_that_takes_long_is_shown_and_what_it_held_is_freed_behind_it() {
    let (_turn, db, run) = database();
    for number in 0..100_u32 {
        db.put(run, format!("key {number}"), vec![1_u8; 50_000]).unwrap();
    }
    // One: it reads. Two: it may end.
    let stage = Arc::new(AtomicU64::new("stage", 0));
    let until = |stage: &AtomicU64, wanted| {
        while stage.load(Ordering::SeqCst) < wanted {
            rt::thread::yield_now();
        }
    };
    let reader = {
        let (db, stage) = (db.clone(), Arc::clone(&stage));
        let read = move || {
            db.get_with("key 1", |value| {
                stage.store(1, Ordering::SeqCst);
                until(&stage, 2);
                assert!(value.is_some());
            });
        };
        rt::thread::spawn("reader", read).unwrap()
    };
    until(&stage, 1);
    for number in 0..100_u32 {
        db.put(run, format!("key {number}"), vec![2_u8; 50_000]).unwrap();
    }
    db.collect();
    let waiting = db.metrics().retired_bytes;
    stage.store(2, Ordering::SeqCst);
    reader.join().unwrap();
    assert!(waiting > 100 * 50_000 / 2, "{waiting} bytes");
    let freed = (0..1_000).any(|_| {
        db.collect();
        db.metrics().retired_bytes == 0
    });
    assert!(freed, "{} bytes wait", db.metrics().retired_bytes);
}

#[test]
fn a_snapshot_that_is_kept_for_long_holds_what_it_sees_and_no_more() {
    const KEYS: u64 = 100;
    let (_turn, db, run) = database();
    let write = |round: u64| {
        for key in 0..KEYS {
            db.put(run, format!("key {key}"), round).unwrap();
        }
    };
    let sum = |snapshot: &stormproof::Snapshot| -> u64 {
        snapshot.prefix("key").map(|entry| entry.get::<u64>().unwrap()).sum()
    };
    write(0);
    let early = db.snapshot();
    (1..100).for_each(write);
    let late = db.snapshot();
    (100..500).for_each(write);
    // 50,000 versions came and went.
    let surplus = db.metrics().surplus_versions;
    assert!(surplus < 20 * KEYS, "{surplus} versions are kept");
    db.collect();
    let surplus = db.metrics().surplus_versions;
    assert!(surplus <= 5 * KEYS, "{surplus} versions are kept");
    assert_eq!((sum(&early), sum(&late), sum(&db.snapshot())), (0, 99 * KEYS, 499 * KEYS));
    drop((early, late));
    db.collect();
    assert_eq!(db.metrics().surplus_versions, 0);
}
