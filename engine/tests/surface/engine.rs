//! Single operations, runs, namespaces, values, primitives, expiry, collection.

use std::collections::BTreeMap;
use std::time::Duration;

use stormproof::{
    ConflictInfo, Database, Error, EventLog, Isolation, KeyRange, KvStore, Namespace, RunId, RunOptions,
    RunStatus, StateMachine, Transaction, TransactionOptions, TypeTag, Value,
};

use super::Fixture;

#[test]
fn single_operations_are_transactions_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let run = db.begin_run().unwrap();
    let before = db.version().get();
    db.put(run, "a", "first").unwrap();
    db.put_with_ttl(run, "b", 2_i64, Duration::from_secs(3600)).unwrap();
    db.put(run, "c", true).unwrap();
    db.delete(run, "c").unwrap();
    assert_eq!(db.version().get() - before, 4, "one version each");
    assert_eq!(db.get("a").unwrap(), Some("first".to_owned()));
    assert_eq!(db.prefix("").count(), 2);
    db.flush().unwrap();
    assert!(db.durable_version() >= db.version());
    db.end_run(run).unwrap();
    db.close().unwrap();
    drop(db);
    let db = Database::open(dir.path()).unwrap();
    assert_eq!(db.get("b").unwrap(), Some(2_i64));
    assert_eq!(db.get::<bool>("c").unwrap(), None);
}

#[test]
fn runs_are_recorded_and_every_version_knows_who_wrote_it() {
    let Fixture { db, run: parent, clock } = Fixture::new();
    clock.set(env::UnixMillis(1_500));
    let id = RunId::from_bytes([7; 16]);
    let child = db.begin_run_with(RunOptions::new().id(id).parent(parent).tag("goal", "test")).unwrap();
    assert_eq!(child, id);
    let record = db.run(child).unwrap();
    assert_eq!((record.status, record.parent, record.ended), (RunStatus::Active, Some(parent), None));
    assert_eq!(record.tags, BTreeMap::from([("goal".to_owned(), "test".to_owned())]));
    assert_eq!(record.started.0, 1_500);
    let mut txn = db.begin_transaction(child).unwrap();
    txn.put("key", 1_i64).unwrap();
    let id_of_txn = txn.context().id();
    let version = txn.commit().unwrap().version();
    let provenance = db.provenance("key").unwrap();
    assert_eq!((provenance.run, provenance.txn, Some(provenance.version)), (Some(child), id_of_txn, version));
    assert!(!provenance.deleted);

    clock.set(env::UnixMillis(3_000));
    db.end_run(child).unwrap();
    let record = db.run(child).unwrap();
    assert_eq!((record.status, record.ended.map(|at| at.0)), (RunStatus::Ended, Some(3_000)));
    assert!(matches!(db.put(child, "key", 2_i64), Err(Error::RunEnded(ended)) if ended == child));
    let listed: Vec<_> = db.runs().into_iter().map(|record| record.id).collect();
    assert_eq!(listed, [parent, child]);
    assert!(matches!(db.begin_run_with(RunOptions::new().id(id)), Err(Error::RunExists(_))));
    assert!(matches!(db.run(RunId::from_bytes([9; 16])), Err(Error::RunNotFound(_))));
}

#[test]
fn a_transaction_that_began_before_its_run_ended_does_not_commit_after_it() {
    let Fixture { db, run, .. } = Fixture::new();
    let mut txn = db.begin_transaction(run).unwrap();
    txn.put("key", 1_i64).unwrap();
    db.end_run(run).unwrap();
    assert!(matches!(txn.commit(), Err(Error::RunEnded(_))));
    assert_eq!(db.get::<i64>("key").unwrap(), None);
}

#[test]
fn namespaces_keep_names_apart_and_the_default_one_is_shared() {
    let Fixture { db, run, .. } = Fixture::new();
    let other = db.begin_run().unwrap();
    db.put(run, "name", 1_i64).unwrap();
    db.put(run, Namespace::of_run(run).key("name"), 2_i64).unwrap();
    let tenant = Namespace { tenant: "t".to_owned(), app: "a".to_owned(), ..Namespace::default() };
    db.put(other, tenant.key("name"), 3_i64).unwrap();
    assert_eq!(db.get("name").unwrap(), Some(1_i64));
    assert_eq!(db.get(Namespace::of_run(run).key("name")).unwrap(), Some(2_i64));
    assert_eq!(db.get::<i64>(Namespace::of_run(other).key("name")).unwrap(), None);
    assert_eq!(db.get(tenant.key("name")).unwrap(), Some(3_i64));
    assert_eq!(db.prefix("").count(), 1, "a list of the shared namespace shows nothing else");
    let found: Vec<_> = db.range(KeyRange::in_namespace(&tenant, "")).keys().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].namespace(), tenant);
    assert_eq!((found[0].tag(), found[0].user_key()), (Some(TypeTag::Kv), &b"name"[..]));
}

#[test]
fn values_of_every_type_come_back_as_what_they_were() {
    let Fixture { db, run, .. } = Fixture::new();
    let map = BTreeMap::from([("k".to_owned(), Value::from(vec![Value::Null, Value::F64(0.5)]))]);
    let values = [
        Value::Null,
        Value::Bool(true),
        Value::I64(-1),
        Value::F64(1.5),
        Value::from("text"),
        Value::from(vec![0_u8, 255]),
        Value::from(vec![Value::I64(1), Value::from("two")]),
        Value::from(map),
    ];
    for value in values {
        db.put(run, "key", value.clone()).unwrap();
        assert_eq!(db.get("key").unwrap(), Some(value));
    }
    let count: u64 = db.transaction(run, |txn| Ok(txn.get("nothing")?.unwrap_or(0))).unwrap();
    assert_eq!(count, 0);
    db.put(run, "key", "a text").unwrap();
    let wrong = db.get::<u64>("key").unwrap_err().to_string();
    assert!(wrong.contains("String") && wrong.contains("I64"), "{wrong}");
}

#[test]
fn three_primitives_commit_in_one_transaction_or_not_at_all() {
    let Fixture { db, run, .. } = Fixture::new();
    let (store, log) = (KvStore::default(), EventLog::new("steps"));
    let machine = StateMachine::<String>::builder("task")
        .initial("open".to_owned())
        .transition("open".to_owned(), "done".to_owned())
        .build()
        .unwrap();
    db.transaction(run, |txn| machine.create(txn, "t1")).unwrap();
    let work = |fail: bool| {
        db.transaction(run, |txn| {
            store.put(txn, "result", 42_i64)?;
            log.append(txn, "finished")?;
            machine.transition(txn, "t1", &"open".to_owned(), &"done".to_owned())?;
            if fail { Err(Error::Invalid("changed my mind".to_owned())) } else { Ok(()) }
        })
    };
    work(true).unwrap_err();
    let mut txn = db.begin_transaction(run).unwrap();
    assert_eq!(store.get::<i64>(&mut txn, "result").unwrap(), None);
    assert!(log.is_empty(&mut txn).unwrap());
    assert_eq!(machine.state(&mut txn, "t1").unwrap().as_deref(), Some("open"));
    drop(txn);
    work(false).unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    assert_eq!(store.get(&mut txn, "result").unwrap(), Some(42_i64));
    assert_eq!(log.len(&mut txn).unwrap(), 1);
    assert_eq!(machine.state(&mut txn, "t1").unwrap().as_deref(), Some("done"));
    drop(txn);
    let again = work(false).unwrap_err();
    let Error::InvalidTransition { from, allowed, .. } = &again else { panic!("{again}") };
    assert_eq!((from.as_str(), allowed.len()), ("done", 0));
}

#[test]
fn appends_conflict_only_with_transactions_that_have_read_the_end() {
    let Fixture { db, run, .. } = Fixture::new();
    let log = EventLog::new("stream");
    let mut blind = db.begin_transaction(run).unwrap();
    let mut reader = db.begin_transaction(run).unwrap();
    log.append(&mut blind, "blind").unwrap();
    log.len(&mut reader).unwrap();
    log.append(&mut reader, "reader").unwrap();
    db.transaction(run, |txn| log.append(txn, "first")).unwrap();
    blind.commit().map(drop).unwrap();
    assert!(matches!(reader.commit().map(drop), Err(Error::Conflict(_))));
    let mut txn = db.begin_transaction(run).unwrap();
    let events = log.read(&mut txn, ..).unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.sequence, event.value.clone())).collect();
    assert_eq!(told, [(0, Value::from("first")), (1, Value::from("blind"))]);
    assert_eq!(log.verify(&mut txn).unwrap(), 2);
    assert_ne!(events[0].hash, events[1].hash);
}

/// Of two agents one renews its lease just before the end, and the other takes over just after it.
#[test]
fn what_was_done_because_a_key_was_there_does_not_commit_after_its_time() {
    let read_point = |txn: &mut Transaction| assert_eq!(txn.get("lease").unwrap(), Some(1_i64));
    let read_range = |txn: &mut Transaction| assert_eq!(txn.prefix("lease").unwrap().count(), 1);
    for read in [read_point as fn(&mut Transaction), read_range] {
        let fixture = Fixture::new();
        let Fixture { db, run, .. } = &fixture;
        fixture.set_clock(1_000);
        db.put_with_ttl(*run, "lease", 1_i64, Duration::from_millis(100)).unwrap();
        let [mut renews, mut works, mut compares] =
            std::array::from_fn(|_| db.begin_transaction(*run).unwrap());
        read(&mut renews);
        renews.put_with_ttl("lease", 1_i64, Duration::from_millis(100)).unwrap();
        read(&mut works);
        works.put("work", 1_i64).unwrap();
        compares.compare_and_set("lease", 1_i64, 2_i64).unwrap();
        let mut only_reads = db.begin_transaction(*run).unwrap();
        read(&mut only_reads);
        let options = TransactionOptions::default().isolation(Isolation::Snapshot);
        let mut of_snapshot = db.begin_transaction_with(*run, &options).unwrap();
        read(&mut of_snapshot);
        of_snapshot.put("notes", 1_i64).unwrap();
        let mut writes_blindly = db.begin_transaction(*run).unwrap();
        writes_blindly.put("other", 1_i64).unwrap();

        fixture.set_clock(1_100);
        let mut takes_over = db.begin_transaction(*run).unwrap();
        assert_eq!(takes_over.get::<i64>("lease").unwrap(), None);
        takes_over.put("owner", 2_i64).unwrap();
        takes_over.commit().map(drop).unwrap();
        for late in [renews, works, compares] {
            let Err(Error::Conflict(conflicts)) = late.commit() else { panic!("the lease is over") };
            let [ConflictInfo::Expired { key, at, .. }] = &conflicts[..] else { panic!("{conflicts:?}") };
            assert_eq!((key.user_key(), at.0), (b"lease".as_slice(), 1_100));
            assert!(conflicts[0].to_string().contains("expired at 1100 ms, before the commit"));
        }
        for unconcerned in [only_reads, of_snapshot, writes_blindly] {
            unconcerned.commit().map(drop).unwrap();
        }
        // Another attempt sees that it is gone.
        let seen = db.transaction(*run, |txn| txn.get::<i64>("lease")).unwrap();
        assert_eq!(seen, None);
    }
}

#[test]
fn a_key_expires_at_its_time_for_those_that_begin_after_it_and_no_others() {
    let fixture = Fixture::new();
    let Fixture { db, run, .. } = &fixture;
    fixture.set_clock(1_000);
    db.put_with_ttl(*run, "key", 1_i64, Duration::from_millis(100)).unwrap();
    assert_eq!(db.provenance("key").unwrap().expires_at.map(|at| at.0), Some(1_100));
    let mut early = db.begin_transaction(*run).unwrap();
    fixture.set_clock(1_099);
    assert_eq!(db.get("key").unwrap(), Some(1_i64), "never early");
    fixture.set_clock(1_100);
    assert_eq!(db.get::<i64>("key").unwrap(), None);
    assert_eq!(early.get("key").unwrap(), Some(1_i64), "by the time at which the transaction began (V7)");
    assert_eq!(early.range("a".."z").unwrap().count(), 1);
    drop(early);
    assert_eq!(db.prefix("").count(), 0);
    assert_eq!(db.sweep_expired().unwrap(), 1);
    assert_eq!(db.metrics().expired, 1);
    // Neither the sweep nor a later write brings the old time back.
    db.put(*run, "key", 2_i64).unwrap();
    // In steps that the store follows at once.
    (2..=6).for_each(|step| {
        fixture.set_clock(step * 1_500);
        assert_eq!(db.sweep_expired().unwrap(), 0);
    });
    assert_eq!(db.sweep_expired().unwrap(), 0);
    assert_eq!(db.get("key").unwrap(), Some(2_i64));
}

#[test]
fn deleted_and_expired_keys_leave_nothing_behind() {
    let fixture = Fixture::new();
    let Fixture { db, run, .. } = &fixture;
    fixture.set_clock(1_000);
    let before = db.metrics().keys;
    for number in 0..1_000_i64 {
        db.put(*run, format!("deleted {number}"), number).unwrap();
        db.put_with_ttl(*run, format!("expiring {number}"), number, Duration::from_millis(10)).unwrap();
    }
    assert_eq!(db.metrics().keys - before, 2_000);
    for number in 0..1_000_i64 {
        db.delete(*run, format!("deleted {number}")).unwrap();
    }
    fixture.set_clock(2_000);
    assert_eq!(db.sweep_expired().unwrap(), 1_000);
    db.collect();
    let metrics = db.metrics();
    assert_eq!((metrics.keys, metrics.surplus_versions), (before, 0), "neither keys nor versions");
    assert_eq!(db.provenance("deleted 1"), None);
}

#[test]
fn a_long_reader_is_seen_in_the_metrics() {
    let Fixture { db, run, .. } = Fixture::new();
    let reader = db.snapshot();
    for number in 0..500_i64 {
        db.put(run, "key", number).unwrap();
    }
    db.collect();
    assert!(db.metrics().snapshot_lag >= 500);
    drop(reader);
    db.collect();
    assert_eq!(db.metrics().surplus_versions, 0);
}

#[test]
fn updates_read_and_write_in_one_call_and_say_what_does_not_fit() {
    let Fixture { db, run, .. } = Fixture::new();
    assert_eq!(db.get_or_insert_with(run, "limit", || 3_u64).unwrap(), 3);
    assert_eq!(db.fetch_update(run, "limit", |limit: Option<u64>| limit?.checked_sub(4)).unwrap(), Some(3));
    db.update(run, "limit", |limit: Option<u64>| limit.unwrap_or(0) + 1).unwrap();
    assert_eq!(db.get("limit").unwrap(), Some(4_u64));
    db.put_many(run, [("a", 1_i64), ("b", i64::MAX)]).unwrap();
    assert_eq!(db.get_many(["b", "x", "a"]).unwrap(), [Some(i64::MAX), None, Some(1)]);
    let overflow = db.increment(run, "b", 1).unwrap_err();
    assert!(overflow.to_string().contains("out of the range of integers"), "{overflow}");
    db.put(run, "text", "no number").unwrap();
    assert!(matches!(db.increment(run, "text", 1), Err(Error::Value(_))));
    let before = db.version();
    assert_eq!(db.take::<i64>(run, "absent").unwrap(), None);
    assert_eq!(db.version(), before, "taking what is absent writes nothing");
}
