//! Hours of mixed work on real files: memory, files and the time to open stay within bounds of the live data.
//!
//! Large values are written over and over, lifetimes are refreshed and end, events are appended and
//! truncated, runs begin and end, snapshots are held for seconds, checkpoints are written, and every so often
//! the database is closed and opened again. After each of these legs what is kept is measured and compared
//! with what is alive. In seconds that only shows that it works; for figures, in minutes or hours:
//!
//! ```text
//! STORMPROOF_SOAK_SECONDS=3600 cargo test --release -p stormproof-tests --test soak -- --nocapture
//! ```

use std::path::Path;
use std::time::Duration;

use cap::Cap;
use stormproof::{Database, Durability, EventLog, RunId, Snapshot};
use stormproof_rt::sync::Arc;
use stormproof_rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stormproof_rt::thread::{JoinHandle, spawn};
use stormproof_rt::time;

/// Counts what is allocated.
#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

const MIB: u64 = 1 << 20;

/// A checkpoint is due after this much log, and after this many segments.
const CHECKPOINT_BYTES: u64 = 32 * MIB;
const CHECKPOINT_SEGMENTS: u64 = 16;
const SEGMENT_BYTES: u64 = 8 * MIB;

/// How long a leg lasts at most, from an open to a close, and how long all do unless it is said.
const LEG: Duration = Duration::from_secs(20);
const SOAK: Duration = Duration::from_secs(3);

/// What is kept after a leg.
#[derive(Debug)]
struct Kept {
    operations: u64,
    /// Bytes of keys and values that are there.
    live: u64,
    /// Bytes allocated under load, at most; when nothing has been done for a while; and just after the open.
    memory_busy: u64,
    memory_idle: u64,
    memory_opened: u64,
    files: u64,
    disk: u64,
    open: Duration,
    /// Time of processors that the open took: what it has to do, however busy the machine is with other work.
    open_work: Duration,
    /// Bytes of log that it read.
    replayed: u64,
}

#[test]
fn memory_files_and_the_time_to_open_stay_within_bounds_of_the_live_data() {
    let seconds = std::env::var("STORMPROOF_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let soak = seconds.map_or(SOAK, Duration::from_secs);
    let until = time::now().saturating_add(soak);
    let dir = tempfile::tempdir().unwrap();
    let base = ALLOCATOR.allocated() as u64;
    println!("leg  operations  live  busy  idle  opened  files  disk  replayed  open  of work (MiB, ms)");
    for leg in 1_u32.. {
        let kept = run_leg(dir.path(), base, soak.min(LEG));
        println!(
            "{leg:>3}  {:>10}  {:>4}  {:>4}  {:>4}  {:>6}  {:>5}  {:>4}  {:>8}  {:>4}  {:>7}",
            kept.operations,
            kept.live / MIB,
            kept.memory_busy / MIB,
            kept.memory_idle / MIB,
            kept.memory_opened / MIB,
            kept.files,
            kept.disk / MIB,
            kept.replayed / MIB,
            kept.open.as_millis(),
            kept.open_work.as_millis(),
        );
        check(&kept);
        if time::now() >= until {
            break;
        }
    }
}

/// The bounds, with what they are made of.
fn check(kept: &Kept) {
    let Kept { live, .. } = *kept;
    let within = |what: &str, found: u64, most: u64| {
        assert!(
            found <= most,
            "{what}: {found}, and at most {most} for {live} bytes that are alive: {kept:?}"
        );
    };
    within("memory after the open", kept.memory_opened, 2 * live + 8 * MIB);
    // Beside the live data: old versions since the last look, retired values, buffers of the log.
    within("memory of an idle database", kept.memory_idle, 2 * live + 24 * MIB);
    // What snapshots of two seconds see, at some ten large values and as many MiB a second.
    within("memory under load", kept.memory_busy, 4 * live + 192 * MIB);
    // Two checkpoints while one is replaced, the log since the last two, and space ahead.
    within("bytes on disk", kept.disk, 2 * live + 2 * CHECKPOINT_BYTES + 2 * SEGMENT_BYTES);
    within("files", kept.files, 2 * CHECKPOINT_SEGMENTS + 8);
    let bytes = live + 2 * CHECKPOINT_BYTES;
    within("milliseconds of work to open", kept.open_work.as_millis() as u64, 2_000 + 25 * bytes / MIB);
    within("bytes of log to open", kept.replayed, 2 * CHECKPOINT_BYTES);
}

fn open(dir: &Path) -> Database {
    Database::builder()
        .dir(dir)
        .durability(Durability::Batched { interval: Duration::from_millis(20), commits_max: 1_000 })
        .segment_bytes_max(SEGMENT_BYTES)
        .checkpoint_log_bytes(CHECKPOINT_BYTES)
        .checkpoint_segments(CHECKPOINT_SEGMENTS as usize)
        .maintenance_interval(Duration::from_millis(200))
        .ended_runs_max(50)
        .open()
        .unwrap()
}

fn run_leg(dir: &Path, base: u64, leg: Duration) -> Kept {
    let used = || (ALLOCATOR.allocated() as u64).saturating_sub(base);
    let db = open(dir);
    let (stop, operations) = (Arc::new(AtomicBool::new("stop", false)), Arc::new(AtomicU64::new("count", 0)));
    let worker = |name: &str, work: fn(&Database, RunId, u64)| {
        let (db, stop, operations) = (db.clone(), Arc::clone(&stop), Arc::clone(&operations));
        let body = move || {
            let mut number = 0;
            let mut run = db.begin_run().unwrap();
            while !stop.load(Ordering::SeqCst) {
                work(&db, run, number);
                number += 1;
                operations.fetch_add(1, Ordering::SeqCst);
                if number.is_multiple_of(500) {
                    db.end_run(run).unwrap();
                    run = db.begin_run().unwrap();
                }
            }
            db.end_run(run).unwrap();
        };
        spawn(name, body).unwrap()
    };
    let workers: Vec<JoinHandle<()>> = vec![
        worker("large values", large_values),
        worker("lifetimes", lifetimes),
        worker("events", events),
        worker("small updates", small_updates),
        worker("readers", readers),
    ];
    let end = time::now().saturating_add(leg);
    let mut memory_busy = 0;
    while time::now() < end {
        memory_busy = memory_busy.max(used());
        time::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::SeqCst);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    // Maintenance gets its turns.
    time::sleep(Duration::from_secs(3));
    let memory_idle = used();
    db.close().unwrap();
    drop(db);
    let (begun, worked) = (time::now(), processor_time());
    let db = open(dir);
    let open = time::now().saturating_since(begun);
    let open_work = worked.zip(processor_time()).map_or(open, |(before, after)| after - before);
    let replayed = db.recovery_report().log_bytes;
    let memory_opened = used();
    let live = bytes(&db.snapshot(), "");
    db.close().unwrap();
    let (files, disk) = on_disk(dir);
    let operations = operations.load(Ordering::SeqCst);
    Kept { operations, live, memory_busy, memory_idle, memory_opened, files, disk, open, open_work, replayed }
}

/// Returns the processor time of this process so far, in hundredths of a second, where the platform tells.
fn processor_time() -> Option<Duration> {
    let status = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name of the program, which may hold blanks: the state, then numbers. Ticks are 100 a second.
    let mut fields = status.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

fn large_values(db: &Database, run: RunId, number: u64) {
    // 64 KiB to 1 MiB.
    let size = (64 << 10) << (number % 5);
    db.put(run, format!("large/{}", number % 16), vec![7_u8; size]).unwrap();
    time::sleep(Duration::from_millis(10));
}

/// Refreshes lifetimes of a day, and gives some of a second, which are swept.
fn lifetimes(db: &Database, run: RunId, number: u64) {
    db.put_with_ttl(run, format!("day/{}", number % 100), "again", Duration::from_secs(86_400)).unwrap();
    db.put_with_ttl(run, format!("second/{number}"), "soon gone", Duration::from_secs(1)).unwrap();
}

fn events(db: &Database, run: RunId, number: u64) {
    let log = EventLog::new("events");
    db.transaction(run, |txn| log.append(txn, format!("event {number}"))).unwrap();
    if number.is_multiple_of(1_000) {
        db.transaction(run, |txn| {
            let end = log.last(txn)?.map_or(0, |last| last.sequence + 1);
            log.truncate_before(txn, end.saturating_sub(1_000))
        })
        .unwrap();
        db.transaction(run, |txn| log.verify(txn)).unwrap();
    }
}

fn small_updates(db: &Database, run: RunId, number: u64) {
    let key = format!("small/{}", number.wrapping_mul(2_654_435_761) % 20_000);
    if number.is_multiple_of(10) {
        db.delete(run, key).unwrap();
    } else {
        db.put(run, key, number % 1_000).unwrap();
    }
}

/// Holds a snapshot for a second or two, and asks it the same at both ends.
fn readers(db: &Database, _: RunId, number: u64) {
    let snapshot = db.snapshot();
    let before = bytes(&snapshot, "small/");
    time::sleep(Duration::from_millis(500 * (1 + number % 4)));
    assert_eq!(bytes(&snapshot, "small/"), before);
}

/// Bytes of the keys that start with this, and of their values.
fn bytes(snapshot: &Snapshot, prefix: &str) -> u64 {
    snapshot.prefix(prefix).map(|entry| (entry.user_key().len() + entry.to_value().size()) as u64).sum()
}

/// How many files there are, and how many bytes they have.
fn on_disk(dir: &Path) -> (u64, u64) {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let lengths: Vec<u64> = files.collect();
    (lengths.len() as u64, lengths.iter().sum())
}
