//! Tests with several threads that run on real ones, and on the simulating runtime under many interleavings.

use std::time::Duration;

use stormproof_faults::{DiskOptions, SimDisk};

use crate::run::RunRecord;
use crate::{
    Database, Durability, Error, EventLog, Isolation, RetryPolicy, RunId, Transaction, TransactionOptions,
    Value,
};

fn small() -> Database {
    Database::builder().index_leaf(4, 2).snapshot_generations(2).open().unwrap()
}

fn small_with_run() -> (Database, RunId) {
    let db = small();
    let run = db.begin_run().unwrap();
    (db, run)
}

fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> rt::thread::JoinHandle<T> {
    rt::thread::spawn("client", body).unwrap()
}

/// Spawns a client with a handle of its own.
fn spawn_on<T: Send + 'static>(
    db: &Database,
    body: impl FnOnce(Database) -> T + Send + 'static,
) -> rt::thread::JoinHandle<T> {
    let db = db.clone();
    spawn(move || body(db))
}

#[test]
fn concurrent_increments_are_never_lost() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let db = db.clone();
                spawn(move || {
                    for _ in 0..2 {
                        db.transaction(run, |txn| {
                            let count: u64 = txn.get("count")?.unwrap_or(0);
                            txn.put("count", count + 1)
                        })
                        .unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(db.get("count").unwrap(), Some(6_u64));
    });
}

/// Of two that read both keys and clear one each, at least one must see the other's work.
fn both_cleared(isolation: Isolation) -> bool {
    let (db, run) = small_with_run();
    db.transaction(run, |txn| {
        txn.put("x", 1_i64)?;
        txn.put("y", 1_i64)
    })
    .unwrap();
    let options = TransactionOptions::new().isolation(isolation);
    let threads: Vec<_> = ["x", "y"]
        .into_iter()
        .map(|mine| {
            let (db, options) = (db.clone(), options.clone());
            spawn(move || {
                let mut txn = db.begin_transaction_with(run, &options).unwrap();
                let sum = txn.get::<i64>("x").unwrap().unwrap() + txn.get::<i64>("y").unwrap().unwrap();
                if sum == 2 {
                    txn.put(mine, 0_i64).unwrap();
                }
                txn.commit().map(drop)
            })
        })
        .collect();
    for thread in threads {
        let done = thread.join().unwrap();
        assert!(done.is_ok() || matches!(done, Err(Error::Conflict(_))));
    }
    db.get::<i64>("x").unwrap() == Some(0) && db.get::<i64>("y").unwrap() == Some(0)
}

#[test]
fn serializable_lets_no_write_skew_through() {
    rt::check(|| assert!(!both_cleared(Isolation::Serializable)));
}

#[test]
fn a_snapshot_sees_all_of_a_commit_or_nothing_and_stays_still() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let writer = spawn_on(&db, move |db| {
            for round in 1..=3_i64 {
                db.transaction(run, |txn| {
                    txn.put("a", round)?;
                    txn.put("b", round)
                })
                .unwrap();
                db.collect();
            }
        });
        for _ in 0..3 {
            let view = db.snapshot();
            let (a, b) = (view.value("a"), view.value("b"));
            assert_eq!(a, b);
            let scanned: Vec<_> = view.range(..).map(|entry| Some(entry.to_value())).collect();
            assert_eq!(scanned, [a.clone(), b].into_iter().filter(Option::is_some).collect::<Vec<_>>());
            assert_eq!(view.value("a"), a);
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_get_finds_a_key_that_is_always_there_whatever_is_collected() {
    rt::check(|| {
        let (db, run) = small_with_run();
        db.put(run, "key", 0_i64).unwrap();
        let writer = spawn_on(&db, move |db| {
            for round in 1..=4_i64 {
                db.put(run, "key", round).unwrap();
                db.collect();
            }
        });
        let mut last = 0;
        for _ in 0..4 {
            let found = db.get::<i64>("key").unwrap().expect("the key is always there");
            assert!(found >= last, "{found} after {last}");
            last = found;
        }
        writer.join().unwrap();
        assert_eq!(db.get("key").unwrap(), Some(4_i64));
    });
}

#[test]
fn an_old_snapshot_finds_its_versions_while_newer_ones_come_and_go() {
    rt::check(|| {
        let (db, run) = small_with_run();
        db.put(run, "key", 0_i64).unwrap();
        let (view, other) = (db.snapshot(), db.clone());
        let writer = spawn(move || {
            for round in 1..=3_i64 {
                other.put(run, "key", round).unwrap();
                other.collect();
            }
            other.delete(run, "key").unwrap();
            other.collect();
        });
        for _ in 0..4 {
            assert_eq!(view.value("key"), Some(Value::I64(0)));
        }
        writer.join().unwrap();
        assert_eq!(view.value("key"), Some(Value::I64(0)));
        assert_eq!(db.get::<i64>("key").unwrap(), None);
    });
}

#[test]
fn appends_do_not_conflict_and_leave_no_hole() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let threads: Vec<_> = (0..3_i64)
            .map(|number| {
                let db = db.clone();
                spawn(move || {
                    let mut txn = db.begin_transaction(run).unwrap();
                    EventLog::new("events").append(&mut txn, number).unwrap();
                    txn.commit().unwrap().version().unwrap()
                })
            })
            .collect();
        let mut versions: Vec<_> = threads
            .into_iter()
            .enumerate()
            .map(|(number, thread)| (thread.join().unwrap(), number))
            .collect();
        versions.sort();
        let mut txn = db.begin_transaction(run).unwrap();
        let events = EventLog::new("events").read(&mut txn, ..).unwrap();
        let expected: Vec<_> = versions.iter().map(|(_, number)| Value::I64(*number as i64)).collect();
        assert_eq!(events.into_iter().map(|event| event.value).collect::<Vec<_>>(), expected);
        assert_eq!(EventLog::new("events").verify(&mut txn).unwrap(), 3);
    });
}

#[test]
fn a_run_that_has_ended_commits_nothing_more() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let writer = spawn_on(&db, move |db| {
            let mut committed = Vec::new();
            for number in 0..4_i64 {
                let Ok(mut txn) = db.begin_transaction(run) else { break };
                txn.put("key", number).unwrap();
                match txn.commit() {
                    Ok(commit) => committed.push(commit.version().unwrap()),
                    Err(Error::RunEnded(_)) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            committed
        });
        db.end_run(run).unwrap();
        let ended = db.provenance(RunRecord::key(run)).unwrap().version;
        let committed = writer.join().unwrap();
        assert!(committed.iter().all(|version| *version < ended), "{committed:?} ended at {ended}");
        assert!(matches!(db.put(run, "key", 1_i64), Err(Error::RunEnded(_))));
        assert!(db.begin_transaction_with(run, &TransactionOptions::new().read_only()).is_ok());
    });
}

#[test]
fn closing_waits_for_open_transactions_and_refuses_new_ones() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let mut open = db.begin_transaction(run).unwrap();
        let closer = spawn_on(&db, move |db| db.close());
        open.put("key", 1_i64).unwrap();
        let committed = open.commit();
        closer.join().unwrap().unwrap();
        assert!(committed.is_ok() || matches!(committed, Err(Error::Closed)));
        assert!(matches!(db.begin_transaction(run), Err(Error::Closed)));
    });
}

/// Runs a closure that reads what others write all the time, and asserts that it ran no more often than it
/// may: once outside, once inside, and once more for each other thread.
fn runs_among_others(
    others: i64,
    read: fn(&mut Transaction) -> Result<i64, Error>,
    write: fn(&mut Transaction, i64) -> Result<(), Error>,
) {
    let (db, run) = small_with_run();
    let threads: Vec<_> = (0..others)
        .map(|thread| {
            let db = db.clone();
            spawn(move || {
                for number in 0..8 {
                    let mut txn = db.begin_transaction(run).unwrap();
                    write(&mut txn, thread * 100 + number).unwrap();
                    let done = txn.commit();
                    assert!(matches!(done, Ok(_) | Err(Error::Conflict(_))), "{done:?}");
                }
            })
        })
        .collect();
    // No wait limit is reached: what the test would see then is how slow a thread can be.
    let retry = RetryPolicy::new().alone_after(1).pause_max(Duration::MAX);
    let mut runs = 0;
    db.transaction_with(run, &TransactionOptions::new().retry(retry), |txn| {
        runs += 1;
        let read = read(txn)?;
        (0..4).for_each(|_| rt::thread::yield_now());
        txn.put("seen", read)
    })
    .unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(runs <= 1 + 1 + others, "{runs} runs");
    assert!(db.coordinator().contention.is_free());
}

#[test]
fn a_closure_that_keeps_losing_a_key_gets_through() {
    rt::check(|| {
        runs_among_others(2, |txn| Ok(txn.get("hot")?.unwrap_or(0)), |txn, number| txn.put("hot", number));
    });
}

#[test]
fn a_closure_that_keeps_losing_a_range_to_new_keys_gets_through() {
    rt::check(|| {
        let count = |txn: &mut Transaction| Ok(txn.prefix("task/")?.count() as i64);
        runs_among_others(2, count, |txn, number| txn.put(format!("task/{number}"), number));
    });
}

#[test]
fn a_closure_that_keeps_losing_the_end_of_a_stream_gets_through() {
    rt::check(|| {
        let length = |txn: &mut Transaction| Ok(EventLog::new("events").len(txn)? as i64);
        runs_among_others(2, length, |txn, number| EventLog::new("events").append(txn, number));
    });
}

#[test]
fn a_closure_that_writes_what_it_has_reserved_by_another_transaction_only_waits() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let pause_max = Duration::from_micros(50);
        let retry = RetryPolicy::new().alone_after(1).pause_max(pause_max);
        let mut runs = 0;
        db.transaction_with(run, &TransactionOptions::new().retry(retry), |txn| {
            runs += 1;
            let read: i64 = txn.get("hot")?.unwrap_or(0);
            if runs <= 2 {
                db.put(run, "hot", read + 10)?;
            }
            txn.put("hot", read + 1)
        })
        .unwrap();
        assert_eq!((runs, db.get("hot").unwrap()), (3, Some(21_i64)));
        assert!(db.coordinator().contention.is_free());
    });
}

#[test]
fn commits_of_other_keys_do_not_wait_for_a_reservation() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let retry = RetryPolicy::new().alone_after(1).pause_max(Duration::MAX);
        let mut runs = 0;
        db.transaction_with(run, &TransactionOptions::new().retry(retry), |txn| {
            runs += 1;
            let read: i64 = txn.get("hot")?.unwrap_or(0);
            if runs == 1 {
                db.put(run, "hot", read + 1)?;
            }
            // More than the filter has bits: it can't show of all of them that they are not reserved.
            for number in 0..if runs == 1 { 0 } else { 70_i64 } {
                db.put(run, format!("{number}"), number)?;
            }
            EventLog::new("events").append(txn, read)?;
            txn.put("hot", read + 1)
        })
        .unwrap();
        assert_eq!(runs, 2);
    });
}

/// Commits while the database ends, then opens it again and compares what was answered with what is there.
fn commit_beside_the_end(durability: Durability, end: fn(Database)) {
    let disk = SimDisk::new(DiskOptions::default());
    let open = || {
        let builder = Database::builder().disk(disk.mount()).durability(durability);
        let builder = builder.index_leaf(4, 2).snapshot_generations(2).allocate_bytes(4096);
        builder.close_timeout(Duration::ZERO).open().unwrap()
    };
    let db = open();
    let run = db.begin_run().unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    txn.put("key", 1_i64).unwrap();
    let committer = spawn(move || txn.commit().map(drop));
    end(db);
    let answer = committer.join().unwrap();
    let is_there = open().get::<i64>("key").unwrap().is_some();
    match answer {
        Ok(()) => assert!(is_there, "{durability:?}: acknowledged, and lost by a clean end"),
        Err(Error::Closed) => {
            assert!(!is_there, "{durability:?}: refused as closed, and there after reopening")
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_commit_beside_the_last_drop_is_there_exactly_if_it_was_acknowledged() {
    rt::check(|| {
        commit_beside_the_end(Durability::Pipelined, drop);
        commit_beside_the_end(Durability::Strict, drop);
    });
}

#[test]
fn a_commit_beside_a_close_is_there_exactly_if_it_was_acknowledged() {
    rt::check(|| {
        commit_beside_the_end(Durability::Pipelined, |db| db.close().unwrap());
        commit_beside_the_end(Durability::Strict, |db| db.close().unwrap());
    });
}

#[test]
fn a_second_close_returns_when_the_first_has_finished() {
    rt::check(|| {
        let disk = SimDisk::new(DiskOptions::default());
        let open = || Database::builder().disk(disk.mount()).allocate_bytes(4096).open();
        let db = open().unwrap();
        let other = spawn_on(&db, move |db| db.close());
        db.close().unwrap();
        open().map(drop).expect("nothing holds the directory any more");
        other.join().unwrap().unwrap();
    });
}

#[test]
fn of_several_that_increment_none_is_lost_and_of_several_that_take_one_gets_it() {
    rt::check(|| {
        let (db, run) = small_with_run();
        db.put(run, "job", 7_i64).unwrap();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let db = db.clone();
                spawn(move || {
                    db.increment(run, "count", 2).unwrap();
                    db.take::<i64>(run, "job").unwrap()
                })
            })
            .collect();
        let taken: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!((taken, db.get("count").unwrap()), (vec![7], Some(6_i64)));
    });
}

#[test]
fn a_closure_with_its_own_errors_runs_again_when_its_condition_was_lost_to_another() {
    rt::check(|| {
        let (db, run) = small_with_run();
        let mut attempts = 0;
        let done: Result<i64, Box<dyn std::error::Error>> = db.try_transaction(run, |txn| {
            attempts += 1;
            let read: i64 = txn.get("key")?.unwrap_or(0);
            if attempts == 1 {
                db.put(run, "key", 5_i64)?;
                txn.insert("key", 1_i64)?;
                // The insert is valid in this snapshot, and lost at commit.
                return Ok(read);
            }
            if txn.insert("key", 1_i64).is_err() {
                return Err("the key is taken".into());
            }
            Ok(read)
        });
        assert_eq!((attempts, done.unwrap_err().to_string()), (2, "the key is taken".to_owned()));
        assert_eq!(db.get("key").unwrap(), Some(5_i64));
    });
}
