//! Transactions: context, snapshots, reads, conflicts, retries, limits, closing, metrics.

use std::time::Duration;

use rt::sync::Arc;
use rt::sync::atomic::{AtomicBool, Ordering};
use stormproof::{
    CasExpectation, ClonedSnapshotView, ConflictInfo, Database, Error, Isolation, KeyRange, RetryPolicy,
    RunId, SnapshotView, Status, TransactionOptions, Value, Version,
};

use super::Fixture;

fn conflicts(error: &Error) -> &[ConflictInfo] {
    match error {
        Error::Conflict(conflicts) => conflicts,
        other => panic!("{other}"),
    }
}

#[test]
fn a_transaction_tells_what_it_is_and_what_it_has_gathered() {
    let Fixture { db, run, .. } = Fixture::new();
    db.put(run, "old", 1_i64).unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    txn.get::<i64>("old").unwrap();
    assert_eq!(txn.range("a".."c").unwrap().count(), 0);
    txn.put("put", 1_i64).unwrap();
    txn.delete("old").unwrap();
    txn.insert("inserted", 1_i64).unwrap();
    let context = txn.context();
    assert_eq!(context.run(), run);
    assert_eq!(context.start_version(), db.version());
    assert_eq!(context.isolation(), Isolation::Serializable);
    assert_eq!((context.read_set_len(), context.range_set_len()), (1, 1));
    assert_eq!((context.write_set_len(), context.delete_set_len(), context.cas_set_len()), (1, 1, 1));
    assert!(context.write_bytes() > 0);
    assert_eq!(context.status(), &Status::Active);
    assert_eq!(txn.commit().unwrap().version(), Some(db.version()));
}

#[test]
fn a_snapshot_stands_still_and_sees_what_a_copy_does() {
    let Fixture { db, run, .. } = Fixture::new();
    for number in 0..50_i64 {
        db.put(run, format!("key {number:02}"), number).unwrap();
    }
    db.delete(run, "key 07").unwrap();
    let snapshot = db.snapshot();
    let copy = ClonedSnapshotView::of(&snapshot);
    for number in 0..50_i64 {
        db.put(run, format!("key {number:02}"), -number).unwrap();
    }
    db.put(run, "key 99", 1_i64).unwrap();
    db.collect();
    assert_eq!(SnapshotView::version(&snapshot), copy.version());
    assert_eq!(snapshot.entries(..), copy.entries(..));
    let tens = KeyRange::prefix("key 1");
    assert_eq!(snapshot.entries(&tens), copy.entries(&tens));
    for number in [0, 7, 49, 99] {
        let key = format!("key {number:02}");
        assert_eq!(snapshot.versioned(&key), copy.versioned(&key), "{key}");
    }
    assert_eq!(snapshot.value("key 49"), Some(Value::I64(49)));
    assert_eq!(snapshot.value("key 07"), None);
    assert_eq!(snapshot.prefix("key").count(), 49);
}

#[test]
fn a_transaction_begins_at_the_newest_version_with_an_id_of_its_own() {
    let Fixture { db, run, .. } = Fixture::new();
    let before = db.begin_transaction(run).unwrap();
    db.put(run, "key", 1_i64).unwrap();
    let mut after = db.begin_transaction(run).unwrap();
    assert_ne!(before.context().id(), after.context().id());
    assert!(before.start_version() < after.start_version());
    assert_eq!(after.start_version(), db.version());
    assert_eq!(after.get("key").unwrap(), Some(1_i64));
}

#[test]
fn a_transaction_reads_its_own_writes_in_every_way_of_reading() {
    let Fixture { db, run, clock: _ } = Fixture::new();
    for key in ["a", "b", "c"] {
        db.put(run, key, 1_i64).unwrap();
    }
    let mut txn = db.begin_transaction(run).unwrap();
    txn.put("b", 2_i64).unwrap();
    txn.delete("c").unwrap();
    txn.put_with_ttl("d", 4_i64, Duration::from_secs(60)).unwrap();
    txn.insert("e", 5_i64).unwrap();
    let version = txn.get_versioned("a").unwrap().version.unwrap();
    txn.cas("a", version, 10_i64).unwrap();
    txn.compare_and_set("e", 5_i64, 50_i64).unwrap();
    assert_eq!(txn.get("b").unwrap(), Some(2_i64));
    assert_eq!(txn.get_versioned("b").unwrap().version, None, "an own write has no version yet");
    assert!(!txn.exists("c").unwrap());
    assert!(txn.exists("d").unwrap());
    let all = [("a", 10), ("b", 2), ("d", 4), ("e", 50)].map(|(key, value)| (key.to_owned(), value));
    let pair = |entry: stormproof::Entry| {
        (String::from_utf8_lossy(entry.user_key()).into_owned(), entry.get::<i64>().unwrap())
    };
    assert_eq!(txn.range("a".."z").unwrap().map(pair).collect::<Vec<_>>(), all);
    let mut reversed = all.to_vec();
    reversed.reverse();
    assert_eq!(txn.range("a".."z").unwrap().rev().map(pair).collect::<Vec<_>>(), reversed);
    assert_eq!(txn.prefix("d").unwrap().map(pair).collect::<Vec<_>>(), [("d".to_owned(), 4)]);
    assert_eq!(txn.range("a".."z").unwrap().limit(2).map(pair).collect::<Vec<_>>(), all[..2]);
    assert_eq!(txn.prefix("").unwrap().keys().count(), 4);
    assert_eq!(txn.range(KeyRange::prefix("")).unwrap().count(), 4);
    // The same, once it is committed.
    txn.commit().map(drop).unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    assert_eq!(txn.range("a".."z").unwrap().map(pair).collect::<Vec<_>>(), all);
}

#[test]
fn hopeless_conditions_fail_at_once() {
    let Fixture { db, run, .. } = Fixture::new();
    db.put(run, "there", 1_i64).unwrap();
    db.put(run, "gone", 1_i64).unwrap();
    db.delete(run, "gone").unwrap();
    let attempt = |act: &dyn Fn(&mut stormproof::Transaction) -> stormproof::Result<()>| {
        let mut txn = db.begin_transaction(run).unwrap();
        let failed = act(&mut txn).unwrap_err();
        match &conflicts(&failed)[0] {
            ConflictInfo::CasConflict { expected, .. } => expected.clone(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(attempt(&|txn| txn.insert("there", 2_i64)), CasExpectation::Absent);
    assert_eq!(attempt(&|txn| txn.cas("gone", Version::ZERO, 2_i64)), CasExpectation::Version(Version::ZERO));
    let wrong = CasExpectation::Value(Value::I64(9));
    assert_eq!(attempt(&|txn| txn.compare_and_set("there", 9_i64, 2_i64)), wrong);
    // What is deleted is absent, so it can be inserted.
    db.transaction(run, |txn| txn.insert("gone", 3_i64)).unwrap();
    assert_eq!(db.get("gone").unwrap(), Some(3_i64));
}

#[test]
fn every_conflict_is_named_with_its_key_and_versions() {
    let Fixture { db, run, .. } = Fixture::new();
    for key in ["read", "written", "compared", "in range"] {
        db.put(run, key, 0_i64).unwrap();
    }
    let versions = |key: &str| db.snapshot().get_versioned(key).version.unwrap();
    let before = ["read", "compared"].map(versions);
    let mut txn = db.begin_transaction(run).unwrap();
    txn.get::<i64>("read").unwrap();
    assert_eq!(txn.prefix("in ").unwrap().count(), 1);
    txn.put("written", 1_i64).unwrap();
    txn.cas("compared", before[1], 1_i64).unwrap();
    let start = txn.start_version();
    for key in ["read", "written", "compared", "in range"] {
        db.put(run, key, 2_i64).unwrap();
    }
    let lost = txn.commit().map(drop).unwrap_err();
    let found = conflicts(&lost);
    assert_eq!(found.len(), 4, "{found:?}");
    for conflict in found {
        let name = String::from_utf8_lossy(conflict.key().user_key()).into_owned();
        assert_eq!(conflict.current(), versions(&name), "{name}");
        match (name.as_str(), conflict) {
            ("read", ConflictInfo::ReadConflict { read, .. }) => assert_eq!(*read, before[0]),
            ("written", ConflictInfo::WriteConflict { start: at, .. }) => assert_eq!(*at, start),
            ("compared", ConflictInfo::CasConflict { expected, .. }) => {
                assert_eq!(*expected, CasExpectation::Version(before[1]));
            }
            ("in range", ConflictInfo::RangeConflict { .. }) => {}
            _ => panic!("{conflict}"),
        }
    }
}

#[test]
fn snapshot_isolation_looks_at_writes_only() {
    let Fixture { db, run, .. } = Fixture::with(|builder| builder.isolation(Isolation::Snapshot));
    db.put(run, "read", 0_i64).unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    txn.get::<i64>("read").unwrap();
    assert_eq!(txn.prefix("").unwrap().count(), 1);
    txn.put("written", 1_i64).unwrap();
    db.put(run, "read", 1_i64).unwrap();
    db.put(run, "phantom", 1_i64).unwrap();
    txn.commit().map(drop).unwrap();
}

#[test]
fn what_is_aborted_or_dropped_has_never_been() {
    let Fixture { db, run, .. } = Fixture::new();
    let before = (db.version(), db.metrics().keys);
    let mut txn = db.begin_transaction(run).unwrap();
    txn.put("key", 1_i64).unwrap();
    txn.abort();
    let mut txn = db.begin_transaction(run).unwrap();
    txn.put("key", 1_i64).unwrap();
    drop(txn);
    assert_eq!((db.version(), db.metrics().keys), before);
    assert_eq!(db.metrics().snapshots, 0, "nothing stays registered");
    assert_eq!(db.get::<i64>("key").unwrap(), None);
    // Use after a limit ended it is misuse and no panic.
    let mut txn = db.begin_transaction_with(run, &TransactionOptions::new().writes_max(0)).unwrap();
    assert!(matches!(txn.put("key", 1_i64), Err(Error::LimitExceeded { .. })));
    assert!(matches!(txn.put("key", 1_i64), Err(Error::NotActive { status: "aborted" })));
    assert!(matches!(txn.commit(), Err(Error::NotActive { status: "aborted" })));
}

#[test]
fn a_transaction_that_writes_nothing_always_commits_and_leaves_no_version() {
    let Fixture { db, run, .. } = Fixture::new();
    let mut txn = db.begin_transaction(run).unwrap();
    txn.get::<i64>("key").unwrap();
    db.put(run, "key", 1_i64).unwrap();
    let before = db.version();
    assert_eq!(txn.commit().unwrap().version(), None);
    assert_eq!(db.version(), before);
}

/// A closure that meets a conflict in each of its first `times` attempts.
fn contended(
    db: &Database,
    run: RunId,
    options: &TransactionOptions,
    times: u32,
) -> (u32, Result<(), Error>) {
    let mut attempts = 0;
    let outcome = db.transaction_with(run, options, |txn| {
        attempts += 1;
        let count: i64 = txn.get("key")?.unwrap_or(0);
        if attempts <= times {
            db.put(run, "key", count + 100)?;
        }
        txn.put("key", count + 1)
    });
    (attempts, outcome)
}

#[test]
fn a_closure_runs_again_after_a_conflict_and_only_then() {
    let Fixture { db, run, .. } = Fixture::new();
    let (attempts, outcome) = contended(&db, run, &TransactionOptions::new(), 2);
    outcome.unwrap();
    assert_eq!(attempts, 3);
    assert_eq!(db.get("key").unwrap(), Some(201_i64));
    assert_eq!(db.metrics().retries, 2);

    let mut attempts = 0;
    let refused: Result<(), _> = db.transaction(run, |txn| {
        attempts += 1;
        txn.put("other", 1_i64)?;
        Err(Error::Invalid("no".to_owned()))
    });
    assert!(matches!(refused, Err(Error::Invalid(_))));
    assert_eq!((attempts, db.get::<i64>("other").unwrap()), (1, None));
}

#[test]
fn a_retry_limit_ends_it_and_names_the_last_conflicts() {
    let Fixture { db, run, .. } = Fixture::new();
    let policy = RetryPolicy::new().attempts_max(3).pause_max(Duration::from_micros(1));
    let (attempts, outcome) = contended(&db, run, &TransactionOptions::new().retry(policy), 100);
    let Err(Error::MaxRetriesExceeded { attempts: told, conflicts }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((attempts, told), (3, 3));
    assert_eq!(conflicts[0].current(), db.version());
    let (attempts, outcome) = contended(&db, run, &TransactionOptions::new().retry(RetryPolicy::never()), 1);
    assert!(outcome.is_err());
    assert_eq!(attempts, 1);
}

/// On real threads, which hammer for as long as it takes. Counts runs, and no time.
#[test]
fn a_closure_that_keeps_losing_gets_through_within_a_bound() {
    const OTHERS: u32 = 3;
    let Fixture { db, run, .. } = Fixture::new();
    let done = Arc::new(AtomicBool::new("done", false));
    let threads: Vec<_> = (0..OTHERS)
        .map(|_| {
            let (db, done) = (db.clone(), Arc::clone(&done));
            let hammer = move || {
                while !done.load(Ordering::SeqCst) {
                    let mut txn = db.begin_transaction(run).unwrap();
                    txn.put("hot", 1_i64).unwrap();
                    let _lost_now_and_then = txn.commit();
                }
            };
            rt::thread::spawn("hammer", hammer).unwrap()
        })
        .collect();
    // Patience without end: only what keeps its word about the number of runs gets through.
    let policy = RetryPolicy::new().pause_max(Duration::MAX).alone_after(2);
    let options = TransactionOptions::new().retry(policy);
    let mut most = 0;
    for _ in 0..100 {
        let mut runs = 0;
        db.transaction_with(run, &options, |txn| {
            runs += 1;
            let read: i64 = txn.get("hot")?.unwrap_or(0);
            // Long enough for others to win, always: it waits for the next commit, if nothing keeps that from
            // happening.
            let before = db.version();
            for _ in 0..100 {
                if db.version() > before {
                    break;
                }
                rt::thread::yield_now();
            }
            txn.put("hot", read + 1)
        })
        .unwrap();
        most = most.max(runs);
    }
    done.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(most > 2, "it never lost twice, so this shows nothing");
    assert!(most <= 2 + 1 + OTHERS, "{most} runs");
}

#[test]
fn limits_of_size_and_time_say_which() {
    let Fixture { db, run, .. } = Fixture::new();
    let few = TransactionOptions::new().writes_max(2);
    let refused =
        db.transaction_with(run, &few, |txn| (0..3_i64).try_for_each(|n| txn.put(format!("{n}"), n)));
    assert!(
        matches!(refused, Err(Error::LimitExceeded { what: "writes", limit: 2, actual: 3 })),
        "{refused:?}"
    );
    let small = TransactionOptions::new().bytes_max(100);
    let refused = db.transaction_with(run, &small, |txn| txn.put("key", vec![0_u8; 200]));
    assert!(matches!(refused, Err(Error::LimitExceeded { what: "bytes", limit: 100, .. })), "{refused:?}");
    let short = TransactionOptions::new().timeout(Duration::from_nanos(1));
    let refused = db.transaction_with(run, &short, |txn| txn.put("key", 1_i64));
    assert!(matches!(refused, Err(Error::Timeout { .. })), "{refused:?}");
    assert_eq!(db.prefix("").count(), 0);
}

#[test]
fn a_read_only_transaction_refuses_to_write_and_may_be_of_an_ended_run() {
    let Fixture { db, run, .. } = Fixture::new();
    db.put(run, "key", 1_i64).unwrap();
    db.end_run(run).unwrap();
    let options = TransactionOptions::new().read_only();
    let mut txn = db.begin_transaction_with(run, &options).unwrap();
    assert_eq!(txn.get("key").unwrap(), Some(1_i64));
    assert!(matches!(txn.put("key", 2_i64), Err(Error::ReadOnly)));
    assert!(matches!(db.begin_transaction(run), Err(Error::RunEnded(_))));
}

#[test]
fn the_oldest_snapshot_decides_what_is_collected() {
    let Fixture { db, run, .. } = Fixture::new();
    db.put(run, "key", 0_i64).unwrap();
    let reader = db.snapshot();
    for number in 1..100_i64 {
        db.put(run, "key", number).unwrap();
    }
    db.collect();
    let metrics = db.metrics();
    assert_eq!(metrics.snapshots, 1);
    assert!(metrics.snapshot_lag >= 99, "{}", metrics.snapshot_lag);
    assert!(metrics.surplus_versions > 0, "the reader holds what it sees");
    assert_eq!(reader.value("key"), Some(Value::I64(0)));
    drop(reader);
    db.collect();
    let metrics = db.metrics();
    assert_eq!((metrics.snapshots, metrics.surplus_versions), (0, 0));
}

#[test]
fn closing_ends_what_is_open_and_refuses_what_comes() {
    let Fixture { db, run, .. } = Fixture::with(|builder| builder.close_timeout(Duration::ZERO));
    let mut open = db.begin_transaction(run).unwrap();
    open.put("key", 1_i64).unwrap();
    db.close().unwrap();
    assert!(open.commit().is_err());
    assert!(matches!(db.begin_transaction(run), Err(Error::Closed)));
    assert!(matches!(db.put(run, "key", 1_i64), Err(Error::Closed)));
}

#[test]
fn metrics_count_what_happened_and_reach_the_facade() {
    let Fixture { db, run, .. } = Fixture::new();
    let before = db.metrics();
    db.put(run, "key", 1_i64).unwrap();
    let mut late = db.begin_transaction(run).unwrap();
    late.get::<i64>("key").unwrap();
    late.put("key", 2_i64).unwrap();
    db.put(run, "key", 3_i64).unwrap();
    late.commit().map(drop).unwrap_err();
    db.begin_transaction(run).unwrap().abort();
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let now = metrics::with_local_recorder(&recorder, || db.metrics());
    assert_eq!(now.commits - before.commits, 2);
    assert_eq!((now.conflicts, now.read_conflicts, now.write_conflicts), (1, 1, 1));
    assert_eq!((now.cas_conflicts, now.range_conflicts), (0, 0));
    assert_eq!(now.aborts, 1);
    assert!(now.conflict_rate() > 0.0 && now.conflict_rate() < 0.5);
    let told = snapshotter.snapshot().into_vec();
    let value = |name: &str| {
        let found = told.iter().find(|(key, ..)| key.key().name() == name);
        found.map(|(_, _, _, value)| format!("{value:?}"))
    };
    assert_eq!(value("stormproof_conflicts_total").as_deref(), Some("Counter(1)"));
    assert_eq!(value("stormproof_commits_total"), Some(format!("Counter({})", now.commits)));
    assert_eq!(value("stormproof_snapshots").as_deref(), Some("Gauge(0.0)"));
}
