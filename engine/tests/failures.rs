//! A disk that fails under the whole database: which errors the caller gets, and what is there afterwards.

use std::time::Duration;

use stormproof::{Database, DatabaseBuilder, Durability, Error, EventLog, RunStatus, Value};
use stormproof_faults::{CrashOdds, DiskOptions, FaultKind, FaultPlan, FaultRule, Odds, SimDisk};

fn builder(disk: &SimDisk) -> DatabaseBuilder {
    Database::builder().disk(disk.mount()).allocate_bytes(4096).segment_bytes_max(16 << 10)
}

fn open(disk: &SimDisk) -> Database {
    builder(disk).open().unwrap()
}

fn content(db: &Database) -> Vec<(String, Value)> {
    db.range(..).map(|entry| (entry.key().to_string(), entry.to_value())).collect()
}

#[test]
fn after_a_failed_sync_writes_are_refused_and_reads_go_on() {
    let disk = SimDisk::new(DiskOptions::default());
    let db = open(&disk);
    let run = db.begin_run().unwrap();
    db.put(run, "before", 1_i64).unwrap();
    disk.set_faults(FaultPlan::random(1, [FaultRule::new(FaultKind::SyncDropsPages, Odds::ALWAYS)]));
    let failed = db.put(run, "lost", 1_i64).unwrap_err();
    assert!(matches!(failed, Error::Indeterminate { .. }), "{failed}");
    disk.set_faults(FaultPlan::none());
    let refused = db.put(run, "after", 1_i64).unwrap_err();
    assert!(matches!(refused, Error::Poisoned { .. }), "{refused}");
    assert_eq!(db.get("before").unwrap(), Some(1_i64));
    assert_eq!(db.get::<i64>("lost").unwrap(), None);
    drop(db);
    disk.crash(&CrashOdds::lose_all(), 1);
    let db = open(&disk);
    assert_eq!(db.get("before").unwrap(), Some(1_i64));
    let run = db.begin_run().unwrap();
    db.put(run, "after", 1_i64).unwrap();
}

#[test]
fn a_full_disk_leaves_no_trace_and_writes_work_again_once_there_is_room() {
    let disk = SimDisk::new(DiskOptions::default());
    let db = open(&disk);
    let run = db.begin_run().unwrap();
    let other = db.begin_run().unwrap();
    let log = EventLog::new("events");
    db.transaction(run, |txn| log.append(txn, "first")).unwrap();
    let (before, version) = (content(&db), db.version());

    disk.set_capacity(Some(disk.used()));
    let large = vec![7_u8; 64 << 10];
    let full = db
        .transaction(run, |txn| {
            log.append(txn, "lost")?;
            txn.put("large", large.clone())
        })
        .unwrap_err();
    assert!(matches!(full, Error::DiskFull { .. }), "{full}");
    // The allocated space may have room for small commits, so fill it up.
    let mut filler = 0_u64;
    while db.put(other, format!("filler-{filler:04}"), vec![0_u8; 512]).is_ok() {
        filler += 1;
    }
    assert!(matches!(db.end_run(run), Err(Error::DiskFull { .. })));
    assert!(matches!(db.begin_run(), Err(Error::DiskFull { .. })));
    assert_eq!(db.version().get(), version.get() + filler);
    assert_eq!(db.runs().len(), 2);

    disk.set_capacity(None);
    assert_eq!(db.run(run).unwrap().status, RunStatus::Active);
    db.transaction(run, |txn| log.append(txn, "second")).unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    let events: Vec<_> = log.read(&mut txn, ..).unwrap().into_iter().map(|event| event.value).collect();
    assert_eq!(events, [Value::from("first"), Value::from("second")]);
    assert_eq!(log.verify(&mut txn).unwrap(), 2);
    txn.abort();

    let now = content(&db);
    assert_eq!(now.len() as u64, before.len() as u64 + filler);
    drop(db);
    disk.crash(&CrashOdds::lose_all(), 1);
    assert_eq!(content(&open(&disk)), now);
}

#[test]
fn the_second_to_open_a_database_hears_so() {
    let disk = SimDisk::new(DiskOptions::default());
    let first = open(&disk);
    assert!(matches!(builder(&disk).open(), Err(Error::Locked { .. })));
    drop(first);
    open(&disk);
}

#[test]
fn a_crash_takes_only_what_was_not_promised() {
    let hour = Duration::from_secs(3600);
    let modes = [
        Durability::Strict,
        Durability::Pipelined,
        Durability::Batched { interval: hour, commits_max: 1000 },
        Durability::Async { interval: hour },
    ];
    for durability in modes {
        for seed in 0..20 {
            let disk = SimDisk::new(DiskOptions::default());
            let db = builder(&disk).durability(durability).open().unwrap();
            let run = db.begin_run().unwrap();
            for number in 0..10_i64 {
                db.put(run, "promised", number).unwrap();
            }
            db.flush().unwrap();
            assert!(db.durable_version() >= db.version());
            let mut txn = db.begin_transaction(run).unwrap();
            txn.put("waited-for", 1_i64).unwrap();
            txn.commit().unwrap().wait_durable().unwrap();
            for number in 0..10_i64 {
                db.put(run, "perhaps", number).unwrap();
            }
            // Behind the back of the database, which must not sync any more.
            disk.crash(&CrashOdds::default(), seed);
            drop(db);
            let db = builder(&disk).durability(durability).open().unwrap();
            assert_eq!(db.get("promised").unwrap(), Some(9_i64), "{durability:?}");
            assert_eq!(db.get("waited-for").unwrap(), Some(1_i64), "{durability:?}");
            if durability == Durability::Strict {
                assert_eq!(db.get("perhaps").unwrap(), Some(9_i64));
            }
        }
    }
}

#[test]
fn a_checkpoint_and_its_log_give_the_state_that_was() {
    let disk = SimDisk::new(DiskOptions::default());
    let db = open(&disk);
    let run = db.begin_run().unwrap();
    let write = |db: &Database, from: i64| {
        for number in from..from + 200 {
            db.transaction(run, |txn| {
                txn.put(format!("key-{:03}", number % 70), number)?;
                txn.delete(format!("key-{:03}", number % 30))
            })
            .unwrap();
        }
    };
    write(&db, 0);
    let info = db.checkpoint().unwrap().expect("it is on disk");
    assert!(info.version <= db.version());
    write(&db, 200);
    let (now, version) = (content(&db), db.version());
    let provenance = db.provenance(db.range(..).keys().next().unwrap());
    db.close().unwrap();
    drop(db);
    let db = open(&disk);
    assert_eq!(content(&db), now);
    assert_eq!(db.version(), version);
    assert_eq!(db.provenance(db.range(..).keys().next().unwrap()), provenance);
    assert_eq!(db.recovery_report().checkpoint_version, Some(info.version));
    let mut txn = db.begin_transaction(db.begin_run().unwrap()).unwrap();
    txn.put("next", 1_i64).unwrap();
    assert!(txn.commit().unwrap().version().unwrap() > version);
    assert_eq!(db.prefix("next").count(), 1);
}
