//! What watches promise, on real threads and on the simulating runtime.

use std::time::Duration;

use stormproof_faults::{CrashOdds, DiskOptions, FaultKind, FaultPlan, FaultRule, Odds, SimDisk};

use super::{Watch, WatchOptions, WatchedCommit};
use crate::{Database, DatabaseBuilder, Durability, Error, KeyRange, RunId, Version};

fn disk() -> SimDisk {
    SimDisk::new(DiskOptions::default())
}

fn on(disk: &SimDisk) -> DatabaseBuilder {
    Database::builder().disk(disk.mount()).allocate_bytes(4096).segment_bytes_max(1 << 10)
}

fn watched() -> KeyRange {
    KeyRange::prefix("w/")
}

fn small() -> WatchOptions {
    WatchOptions::new().bytes_max(1 << 10)
}

/// Puts numbers under `w/`, and others elsewhere.
fn put(db: &Database, run: RunId, numbers: std::ops::Range<i64>) {
    for number in numbers {
        db.put(run, format!("w/{number:03}"), number).unwrap();
        db.put(run, "elsewhere", number).unwrap();
    }
}

/// Takes all commits that are there; returns the numbers that were put.
fn numbers(watch: &mut Watch) -> Vec<i64> {
    std::iter::from_fn(|| watch.try_next().unwrap()).map(number).collect()
}

fn number(commit: WatchedCommit) -> i64 {
    let [write] = commit.writes.try_into().unwrap();
    i64::try_from(write.value.unwrap()).unwrap()
}

#[test]
fn commits_come_whole_in_order_and_no_others_do() {
    rt::check(|| {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        let mut watch = db.watch(watched(), None).unwrap();
        db.transaction(run, |txn| {
            txn.put("w/b", 1_i64)?;
            txn.put("x", 2_i64)?;
            txn.delete("w/a")
        })
        .unwrap();
        db.put(run, "x", 3_i64).unwrap();
        let commit = watch.try_next().unwrap().unwrap();
        let writes: Vec<_> =
            commit.writes.iter().map(|write| (write.key.user_key(), write.value.is_some())).collect();
        assert_eq!(writes, [(&b"w/a"[..], false), (b"w/b", true)]);
        assert_eq!((commit.run, commit.version.next()), (Some(run), db.version()));
        assert!(watch.try_next().unwrap().is_none());
        assert_eq!(watch.position(), db.version(), "it knows that the last commit was elsewhere");
    });
}

#[test]
fn a_watch_from_an_older_version_reads_the_log() {
    rt::check(|| {
        let disk = disk();
        let db = on(&disk).open().unwrap();
        let run = db.begin_run().unwrap();
        put(&db, run, 0..40);
        let mut watch = db.watch(watched(), Version::ZERO).unwrap();
        put(&db, run, 40..45);
        assert_eq!(numbers(&mut watch), (0..45).collect::<Vec<_>>());
        let seen = watch.position();
        put(&db, run, 45..50);
        db.close().unwrap();
        let db = on(&disk).open().unwrap();
        let mut watch = db.watch(watched(), seen).unwrap();
        assert_eq!(numbers(&mut watch), (45..50).collect::<Vec<_>>());
        assert_eq!(watch.position(), db.version());
    });
}

#[test]
fn a_slow_reader_misses_nothing_where_there_is_a_log() {
    rt::check(|| {
        let disk = disk();
        let db = on(&disk).open().unwrap();
        let run = db.begin_run().unwrap();
        let mut watch = db.watch_with(watched(), &small()).unwrap();
        put(&db, run, 0..40);
        let first = watch.try_next().unwrap().map(number);
        put(&db, run, 40..80);
        let rest = numbers(&mut watch);
        assert_eq!(first.into_iter().chain(rest).collect::<Vec<_>>(), (0..80).collect::<Vec<_>>());
        put(&db, run, 80..82);
        assert_eq!(numbers(&mut watch), [80, 81]);
    });
}

#[test]
fn a_slow_reader_is_told_where_to_read_anew_where_there_is_no_log() {
    rt::check(|| {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        let mut watch = db.watch_with(watched(), &small()).unwrap();
        put(&db, run, 0..40);
        let mut before = 0;
        let behind = loop {
            match watch.try_next() {
                Ok(found) => assert_eq!(found.map(number), Some(before)),
                Err(error) => break error,
            }
            before += 1;
        };
        let Error::WatchBehind { seen, read_at } = behind else { panic!("{behind}") };
        assert!(
            before > 3 && seen == watch.position() && read_at <= db.version(),
            "{before} {seen} {read_at}"
        );
        put(&db, run, 40..42);
        assert!(
            matches!(watch.try_next(), Err(Error::WatchBehind { .. })),
            "it is told until it is answered"
        );
        assert!(matches!(watch.skip_to(seen), Err(Error::WatchBehind { .. })), "that is too old");
        let at = db.snapshot();
        put(&db, run, 42..44);
        watch.skip_to(at.version()).unwrap();
        assert_eq!(numbers(&mut watch), [42, 43]);
    });
}

#[test]
fn behind_a_checkpoint_a_watch_says_where_to_read_anew() {
    rt::check(|| {
        let disk = disk();
        let db = on(&disk).open().unwrap();
        let run = db.begin_run().unwrap();
        put(&db, run, 0..10);
        let seen = db.version();
        put(&db, run, 10..20);
        let at = db.checkpoint().unwrap().unwrap().version;
        put(&db, run, 20..23);
        let mut watch = db.watch(watched(), seen).unwrap();
        let Err(Error::WatchBehind { read_at, .. }) = watch.try_next() else { panic!("{watch:?}") };
        assert!(read_at >= at && read_at <= db.version());
        assert!(watch.next().is_some_and(|told| told.is_err()) && watch.next().is_none());
        drop(watch);
        assert_eq!(numbers(&mut db.watch(watched(), at).unwrap()), [20, 21, 22]);
        db.close().unwrap();
        let db = on(&disk).open().unwrap();
        assert_eq!(numbers(&mut db.watch(watched(), at).unwrap()), [20, 21, 22]);
        assert!(matches!(db.watch(watched(), seen).unwrap().try_next(), Err(Error::WatchBehind { .. })));
    });
}

#[test]
fn a_durable_watch_waits_for_the_sync_and_does_not_cause_it() {
    rt::check(|| {
        let disk = disk();
        let interval = Duration::from_secs(3600);
        let db = on(&disk).durability(Durability::Async { interval }).open().unwrap();
        let run = db.begin_run().unwrap();
        let options = WatchOptions::new().durable();
        let (mut soon, mut durable) =
            (db.watch(watched(), None).unwrap(), db.watch_with(watched(), &options).unwrap());
        db.put(run, "w/1", 1_i64).unwrap();
        assert_eq!(numbers(&mut soon), [1]);
        let told = durable.next_timeout(Duration::from_millis(2)).unwrap();
        if let Some(commit) = told {
            // A simulation lets an hour pass at will, and then the log was synced.
            assert!(rt::probe::is_simulated() && db.durable_version() >= commit.version);
        } else {
            db.flush().unwrap();
            assert_eq!(numbers(&mut durable), [1]);
        }
        assert_eq!(durable.position(), db.version());
    });
}

#[test]
fn a_version_that_a_crash_took_back_is_known_to_be_gone() {
    rt::check(|| {
        let disk = disk();
        let lost = {
            let interval = Duration::from_secs(3600);
            let db = on(&disk).durability(Durability::Async { interval }).open().unwrap();
            let run = db.begin_run().unwrap();
            db.put(run, "w/0", 0_i64).unwrap();
            db.flush().unwrap();
            let mut watch = db.watch(watched(), None).unwrap();
            db.put(run, "w/1", 1_i64).unwrap();
            assert_eq!(numbers(&mut watch), [1]);
            disk.cut_power();
            watch.position()
        };
        disk.restore_power(&CrashOdds::lose_all(), 1);
        let db = on(&disk).open().unwrap();
        if db.version() >= lost {
            // A simulation lets an hour pass at will, and then the log was synced.
            assert!(rt::probe::is_simulated());
            return;
        }
        assert!(matches!(db.watch(watched(), lost).unwrap().try_next(), Err(Error::WatchBehind { .. })));
        let run = db.begin_run().unwrap();
        assert!(db.version() > lost, "versions are not used again");
        let mut watch = db.watch(watched(), lost).unwrap();
        let Err(Error::WatchBehind { seen, read_at }) = watch.try_next() else { panic!("{watch:?}") };
        assert_eq!((seen, read_at), (lost, db.version()));
        watch.skip_to(db.version()).unwrap();
        put(&db, run, 2..3);
        assert_eq!(numbers(&mut watch), [2]);
    });
}

#[test]
fn a_group_that_failed_is_not_delivered() {
    rt::check(|| {
        let disk = disk();
        let db = on(&disk).open().unwrap();
        let run = db.begin_run().unwrap();
        let mut watch = db.watch(watched(), None).unwrap();
        let rule = FaultRule::new(FaultKind::NoSpace, Odds::ALWAYS).on("wal").at_most(1);
        disk.set_faults(FaultPlan::random(1, vec![rule]));
        assert!(matches!(db.put(run, "w/1", 1_i64), Err(Error::DiskFull { .. })));
        disk.set_faults(FaultPlan::none());
        db.put(run, "w/2", 2_i64).unwrap();
        assert_eq!(numbers(&mut watch), [2]);
    });
}

#[test]
fn readers_that_wait_get_all_in_order_and_end_with_the_database() {
    rt::check(|| {
        let disk = disk();
        let db = on(&disk).open().unwrap();
        let run = db.begin_run().unwrap();
        let reader = |options: WatchOptions| {
            let watch = db.watch_with(watched(), &options).unwrap();
            rt::thread::spawn("reader", move || {
                watch.map(|commit| number(commit.unwrap())).collect::<Vec<_>>()
            })
            .unwrap()
        };
        let readers = [reader(WatchOptions::new()), reader(small().durable())];
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let db = db.clone();
                rt::thread::spawn("writer", move || {
                    for number in 0..3_i64 {
                        db.put(run, format!("w/{writer}"), writer * 10 + number).unwrap();
                    }
                })
                .unwrap()
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        db.close().unwrap();
        let [one, other] = readers.map(|reader| reader.join().unwrap());
        assert_eq!(one, other);
        for writer in 0..2_i64 {
            let own: Vec<_> = one.iter().copied().filter(|number| number / 10 == writer).collect();
            assert_eq!(own, [writer * 10, writer * 10 + 1, writer * 10 + 2]);
        }
    });
}

#[test]
fn a_watch_that_was_dropped_costs_nothing_any_more() {
    rt::check(|| {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        let watch = db.watch(watched(), None).unwrap();
        let watches = || format!("{:?}", db.coordinator().committer.between_groups().watchers);
        assert!(watches().contains("WatchQueue"));
        drop(watch);
        db.put(run, "elsewhere", 1_i64).unwrap();
        assert!(!watches().contains("WatchQueue"));
    });
}

#[test]
fn a_closed_database_is_not_watched_and_a_bound_has_its_range() {
    let db = Database::open_in_memory().unwrap();
    for bytes in [0, (1 << 10) - 1, usize::MAX] {
        let refused = db.watch_with(.., &WatchOptions::new().bytes_max(bytes)).unwrap_err().to_string();
        assert!(refused.contains("bytes_max") && refused.contains("must be from"), "{refused}");
    }
    let mut watch = db.watch(.., None).unwrap();
    db.close().unwrap();
    assert!(matches!(watch.try_next(), Err(Error::Closed)) && watch.next().is_none());
    assert!(matches!(db.watch(.., None), Err(Error::Closed)));
}
