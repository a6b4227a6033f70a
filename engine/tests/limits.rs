//! Limits of size, depth and time: each refusal names its limit, and leaves nothing behind.

use std::time::Duration;

use rt::sync::Arc;
use stormproof::{
    Array, Database, DatabaseBuilder, Error, EventLog, Isolation, RetryPolicy, Status, Transaction,
    TransactionOptions, VALUE_DEPTH_MAX, Value, ValueRef,
};
use stormproof_faults::{ClockPlan, SimClock};

fn database(settings: impl FnOnce(DatabaseBuilder) -> DatabaseBuilder) -> Database {
    settings(Database::builder()).open().unwrap()
}

/// A value of that many levels.
fn nested(levels: usize) -> Value {
    (1..levels).fold(Value::from(Vec::<Value>::new()), |inner, _| Value::from(vec![inner]))
}

#[test]
fn limits_of_the_database_hold_for_every_transaction_that_has_none_of_its_own() {
    let db = database(|builder| builder.writes_max(2).bytes_max(100).key_bytes_max(12));
    let run = db.begin_run().unwrap();
    let refused = db.transaction(run, |txn| (0..3_i64).try_for_each(|n| txn.put(format!("{n}"), n)));
    assert!(
        matches!(refused, Err(Error::LimitExceeded { what: "writes", limit: 2, actual: 3 })),
        "{refused:?}"
    );
    let refused = db.transaction(run, |txn| txn.put("key", vec![0_u8; 200]));
    assert!(matches!(refused, Err(Error::LimitExceeded { what: "bytes", limit: 100, .. })), "{refused:?}");
    // Ten bytes and what tells the namespace and the kind.
    db.put(run, "0123456789", 1_i64).unwrap();
    let refused = db.put(run, "0123456789a", 1_i64).unwrap_err();
    assert!(
        matches!(refused, Error::LimitExceeded { what: "bytes in a key", limit: 12, actual: 13 }),
        "{refused}"
    );
    let more = TransactionOptions::new().writes_max(3).bytes_max(1_000);
    db.transaction_with(run, &more, |txn| {
        (0..3_i64).try_for_each(|n| txn.put(format!("{n}"), vec![0_u8; 50]))
    })
    .unwrap();
    assert_eq!(db.prefix("").count(), 4);
}

#[test]
fn values_and_events_that_nest_too_deep_are_refused() {
    let db = database(|builder| builder);
    let run = db.begin_run().unwrap();
    db.put(run, "deep", nested(VALUE_DEPTH_MAX)).unwrap();
    let refused = db.put(run, "deeper", nested(VALUE_DEPTH_MAX + 1)).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::LimitExceeded { what: "levels of nesting in a value", limit: 64, actual: 65 }
        ),
        "{refused}"
    );
    let log = EventLog::new("stream");
    db.transaction(run, |txn| log.append(txn, nested(VALUE_DEPTH_MAX - 1))).unwrap();
    let refused = db.transaction(run, |txn| log.append(txn, nested(VALUE_DEPTH_MAX))).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::LimitExceeded { what: "levels of nesting in an event", limit: 63, actual: 64 }
        ),
        "{refused}"
    );
    assert_eq!(db.transaction(run, |txn| log.len(txn)).unwrap(), 1);
}

#[test]
fn a_transaction_past_its_timeout_does_nothing_any_more() {
    let limit = Duration::from_nanos(1);
    let db = database(|builder| builder.timeout(limit));
    let long = TransactionOptions::new().timeout(Duration::from_secs(3600));
    let run = db.begin_run().unwrap();
    let mut txn = db.begin_transaction(run).unwrap();
    assert!(matches!(txn.get::<i64>("key"), Err(Error::Timeout { limit: told }) if told == limit));
    assert!(matches!(txn.range(..), Err(Error::Timeout { .. })));
    assert!(txn.put("key", 1_i64).and_then(|()| txn.commit().map(drop)).is_err());
    assert_eq!(db.get::<i64>("key").unwrap(), None);
    db.transaction_with(run, &long, |txn| txn.put("key", 2_i64)).unwrap();
}

/// A closure that would have to pause for longer than it has left ends at once.
#[test]
fn retries_end_when_the_next_pause_would_pass_the_timeout() {
    let hours = Duration::from_secs(1_000_000);
    let policy = RetryPolicy::new().immediate(0).pause_min(hours).pause_max(hours);
    let db = database(|builder| builder.retry(policy).timeout(Duration::from_secs(20)));
    let run = db.begin_run().unwrap();
    let mut attempts = 0;
    let ended = db.transaction(run, |txn| {
        attempts += 1;
        let seen: i64 = txn.get("key")?.unwrap_or(0);
        db.put(run, "key", seen + 100)?;
        txn.put("key", seen + 1)
    });
    assert!(matches!(ended, Err(Error::Timeout { .. })), "{ended:?}");
    assert_eq!((attempts, db.get::<i64>("key").unwrap()), (1, Some(100)));
}

/// Many reads of few keys are tracked as few, and a conflict on one of them is still noticed.
#[test]
fn reading_the_same_keys_again_and_again_costs_no_memory_and_no_protection() {
    let db = database(|builder| builder);
    let run = db.begin_run().unwrap();
    for key in ["a", "b", "c"] {
        db.put(run, key, 0_i64).unwrap();
    }
    let mut txn = db.begin_transaction(run).unwrap();
    // The one that will change is read once, long before the others are for the last time.
    let keys = std::iter::once("a").chain(["c", "b"].into_iter().cycle().take(1_000));
    for key in keys {
        assert_eq!(txn.get(key).unwrap(), Some(0_i64));
    }
    assert!(txn.context().read_set_len() <= 64, "{} reads are tracked", txn.context().read_set_len());
    txn.put("d", 1_i64).unwrap();
    db.put(run, "a", 1_i64).unwrap();
    let Err(Error::Conflict(conflicts)) = txn.commit() else { panic!("it committed") };
    assert_eq!(conflicts[0].key().user_key(), b"a");
}

#[test]
fn a_transaction_tells_what_it_is_and_has() {
    let db = database(|builder| builder);
    let run = db.begin_run().unwrap();
    let options = TransactionOptions::new().isolation(Isolation::Snapshot);
    let mut txn = db.begin_transaction_with(run, &options).unwrap();
    EventLog::new("stream").append(&mut txn, 1_i64).unwrap();
    txn.put("key", 5_i64).unwrap();
    txn.delete("other").unwrap();
    txn.insert("new", 1_i64).unwrap();
    assert_eq!(
        txn.get_with("key", |value| value.map(|value| value.to_value())).unwrap(),
        Some(Value::I64(5))
    );
    assert!(txn.get_with("other", |value| value.is_none()).unwrap());
    let context = txn.context();
    assert_eq!((txn.run(), context.isolation(), context.is_read_only()), (run, Isolation::Snapshot, false));
    assert_eq!((context.write_set_len(), context.delete_set_len(), context.cas_set_len()), (1, 1, 1));
    assert_eq!((context.append_len(), context.read_set_len()), (1, 0));
    assert_eq!(*context.status(), Status::Active);
    let _ = txn.commit().unwrap();
}

/// What the database does by itself, records of runs and the sweeping of expired keys, is bound by no limit
/// of the user's.
#[test]
fn limits_and_retry_policies_are_not_for_the_database_itself() {
    let clock = Arc::new(SimClock::new(ClockPlan::default()));
    let db = database(|builder| {
        builder
            .clock(clock.clone())
            .maintenance_interval(Duration::from_secs(3600))
            .writes_max(2)
            .bytes_max(50)
            .key_bytes_max(8)
            .timeout(Duration::from_nanos(1))
            .retry(RetryPolicy::never())
    });
    let run = db.begin_run().unwrap();
    let unhurried = TransactionOptions::new().timeout(Duration::from_secs(3600));
    for number in 0..9_i64 {
        let put =
            |txn: &mut Transaction| txn.put_with_ttl(format!("{number}"), number, Duration::from_secs(1));
        db.transaction_with(run, &unhurried, put).unwrap();
    }
    // As far as a store follows its wall clock at once.
    clock.jump(1_500);
    assert_eq!(db.sweep_expired().unwrap(), 9);
    db.end_run(run).unwrap();
    assert_eq!(db.runs().len(), 1);
}

#[test]
fn values_nested_100_000_deep_are_told_and_dropped_without_a_stack_overflow() {
    let db = Database::open_in_memory().unwrap();
    let run = db.begin_run().unwrap();
    let deep = || {
        let arrays = (0..50_000).fold(Value::Null, |value, _| Value::from(vec![value]));
        (0..50_000).fold(arrays, |value, _| Value::Map([("name".to_owned(), value)].into()))
    };
    let log = EventLog::new("log");
    let mut txn = db.begin_transaction(run).unwrap();
    for result in [
        db.put(run, "key", deep()),
        db.put_with_ttl(run, "key", deep(), Duration::from_secs(1)),
        txn.put("key", deep()),
        txn.insert("key", deep()),
        txn.cas("key", stormproof::Version::ZERO, deep()),
        txn.compare_and_set("key", deep(), 1_i64),
        txn.compare_and_set("key", 1_i64, deep()),
        log.append(&mut txn, deep()),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::LimitExceeded { actual: 100_000, .. }), "{error}");
    }
    let (value, text) = (deep(), "any key".to_owned());
    assert_eq!(value.depth(), 100_000);
    assert!(value.size() > 100_000);
    assert!(db.put(run, text, value).is_err());
}

/// INV-VALUE-1.
#[test]
fn a_value_that_a_user_holds_however_deep_overflows_no_stack() {
    let levels = 100_000;
    let deep = |innermost: i64| {
        (0..levels).fold(Value::from(innermost), |value, level| match level % 3 {
            0 => Value::from(vec![Value::Null, value, Value::from("behind")]),
            1 => Value::Map([("a".to_owned(), Value::Null), ("b".to_owned(), value)].into()),
            _ => Value::from(vec![value]),
        })
    };
    let value = deep(1);
    assert_eq!(value.depth(), levels);
    let copy = value.clone();
    assert_eq!(copy, value);
    assert_ne!(copy, deep(2));
    let seen = ValueRef::from(&copy);
    assert_eq!(seen, ValueRef::from(&value));
    assert_eq!(seen.to_value(), value);
    // Shown up to the limit, in every way.
    for text in [value.to_string(), format!("{value:?}"), format!("{value:#?}"), format!("{seen:?}")] {
        assert!(text.contains('…') && text.len() < 200_000, "{} bytes", text.len());
    }
    // By their content alone.
    let array = Array::try_from(deep(1)).unwrap_or_default();
    assert_eq!(array.clone(), array);
    drop((array, copy));
    let mut outer = Vec::<Value>::try_from(Value::from(vec![deep(1), deep(1)])).unwrap();
    outer.pop();
    drop(outer);
    assert!(u64::try_from(deep(1)).is_err());
    assert!(Option::<Vec<Value>>::try_from(deep(1)).is_ok());
}

#[cfg(feature = "serde")]
#[test]
fn a_serde_type_that_nests_without_end_is_refused_and_does_not_overflow_the_stack() {
    #[derive(serde::Serialize, serde::Deserialize)]
    enum List {
        End,
        Item(Box<List>),
    }
    let list = |length| (0..length).fold(List::End, |list, _| List::Item(Box::new(list)));
    let stored = Value::from_serde(&list(VALUE_DEPTH_MAX)).unwrap();
    assert_eq!(stored.depth(), VALUE_DEPTH_MAX);
    assert!(ValueRef::from(&stored).to_serde::<List>().is_ok());
    let refused = Value::from_serde(&list(VALUE_DEPTH_MAX + 1)).unwrap_err();
    assert!(refused.to_string().contains("64 levels"), "{refused}");
    let deep = (0..100_000).fold(Value::Null, |value, _| Value::Map([("Item".to_owned(), value)].into()));
    let refused = ValueRef::from(&deep).to_serde::<List>().map(drop).unwrap_err();
    assert!(refused.to_string().contains("64 levels"), "{refused}");
}
