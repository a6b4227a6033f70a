//! Calls from where they can't be answered, and writes past the owner of a key: errors at once, that say
//! what to do.

use stormproof::{Database, Error, EventLog, Key, RetryPolicy, RunId, StateMachine, TypeTag};

fn database() -> (Database, RunId) {
    let db = Database::open_in_memory().unwrap();
    let run = db.begin_run().unwrap();
    db.put(run, "key", 1_i64).unwrap();
    (db, run)
}

#[test]
fn a_write_inside_of_a_look_at_a_value_is_an_error_and_does_not_hang() {
    let (db, run) = database();
    let refused = |written: Result<(), Error>| {
        let error = written.unwrap_err().to_string();
        assert!(error.contains("from within `get_with`"), "{error}");
    };
    db.get_with("key", |_| refused(db.put(run, "other", 2_i64)));
    let view = db.snapshot();
    view.get_with("key", |_| refused(db.put(run, "key", 2_i64)));
    let mut txn = db.begin_transaction(run).unwrap();
    txn.get_with("key", |_| refused(db.delete(run, "key"))).unwrap();
    // An iterator holds nothing that a write needs.
    let mut range = view.range(..);
    let entry = range.next_ref().unwrap();
    db.put(run, "new", 2_i64).unwrap();
    assert_eq!(entry.get::<i64>().unwrap(), 1);
    assert!(range.next().is_none(), "the snapshot was before");
    // Afterwards all is as ever, and after a panic too.
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| db.get_with("key", |_| panic!("mine"))));
    assert!(panicked.is_err());
    db.put(run, "key", 3_i64).unwrap();
}

#[test]
fn a_closure_that_commits_its_own_key_by_another_transaction_is_told_so() {
    let (db, run) = database();
    let mut runs = 0;
    let error = db
        .transaction(run, |txn| {
            runs += 1;
            let read: i64 = txn.get("key")?.unwrap_or(0);
            db.put(run, "key", read + 1)?;
            txn.put("key", read + 10)
        })
        .unwrap_err();
    assert!(error.to_string().contains("always conflicts with itself"), "{error}");
    assert_eq!(runs, 3);
    // Another key is fine, and so is its own once.
    let mut first = true;
    db.transaction(run, |txn| {
        let read: i64 = txn.get("key")?.unwrap_or(0);
        db.put(run, "log", read)?;
        if std::mem::take(&mut first) {
            db.put(run, "key", read + 1)?;
        }
        txn.put("key", read + 10)
    })
    .unwrap();
    // Conflicts with others are retried as ever.
    let policy = stormproof::TransactionOptions::new().retry(RetryPolicy::new().attempts_max(5));
    let error = db.transaction_with(run, &policy, |txn| {
        txn.get::<i64>("key")?;
        let other = db.clone();
        let thread = rt::thread::spawn("other", move || other.put(run, "key", 0_i64)).expect("it starts");
        thread.join().expect("no panic")?;
        txn.put("key", 1_i64)
    });
    assert!(matches!(error, Err(Error::MaxRetriesExceeded { attempts: 5, .. })), "{error:?}");
}

/// A machine of two states.
fn machine(kind: &str) -> StateMachine<String> {
    let (queued, done) = ("queued".to_owned(), "done".to_owned());
    StateMachine::builder(kind).initial(queued.clone()).transition(queued, done).build().unwrap()
}

#[test]
fn keys_of_events_and_states_that_were_found_can_not_be_written_past_their_owners() {
    let (db, run) = database();
    let log = EventLog::new("log");
    let machine = machine("job");
    // Conflicts name the keys.
    let mut loser = db.begin_transaction(run).unwrap();
    assert!(log.is_empty(&mut loser).unwrap() && machine.state(&mut loser, "one").unwrap().is_none());
    loser.put("key", 2_i64).unwrap();
    db.transaction(run, |txn| {
        log.append(txn, "event")?;
        machine.create(txn, "one")
    })
    .unwrap();
    let Err(Error::Conflict(conflicts)) = loser.commit() else { panic!("both were read") };
    let owned: Vec<_> = conflicts.iter().map(|conflict| conflict.key().clone()).collect();
    let tags: Vec<_> = owned.iter().filter_map(Key::tag).collect();
    assert!(tags.contains(&TypeTag::Event) && tags.contains(&TypeTag::State), "{tags:?}");
    // The records of runs lie before all other keys.
    let before_all = stormproof::KeyRange::between(Key::from_bytes(&[0, 4]).unwrap(), owned[0].clone());
    let of_runs: Vec<Key> =
        db.range(before_all).keys().filter(|key| key.tag() == Some(TypeTag::Run)).collect();
    assert!(!of_runs.is_empty());
    let mut txn = db.begin_transaction(run).unwrap();
    for key in owned.iter().chain(&of_runs) {
        for result in [
            txn.put(key, 1_i64),
            txn.put_with_ttl(key, 1_i64, std::time::Duration::from_secs(1)),
            txn.delete(key),
            txn.insert(key, 1_i64),
            txn.cas(key, db.version(), 1_i64),
            txn.compare_and_set(key, 1_i64, 2_i64),
            txn.delete_if(key, db.version()),
            db.put(run, key, 1_i64),
            db.delete(run, key),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("no plain write may change it"), "{error}");
        }
    }
    drop(txn);
    db.transaction(run, |txn| {
        log.verify(txn)?;
        machine.transition(txn, "one", &"queued".into(), &"done".into())
    })
    .unwrap();
}

#[test]
fn names_of_streams_and_machines_obey_the_limit_of_keys() {
    let db = Database::builder().key_bytes_max(100).open().unwrap();
    let run = db.begin_run().unwrap();
    let name = "n".repeat(200);
    let too_long = |result: Result<(), Error>| {
        assert!(
            matches!(result, Err(Error::LimitExceeded { what: "bytes in a key", limit: 100, .. })),
            "{result:?}"
        );
    };
    too_long(db.transaction(run, |txn| EventLog::new(&name).append(txn, 1_i64)));
    let machine = machine(&name);
    too_long(db.transaction(run, |txn| machine.create(txn, "one")));
    db.transaction(run, |txn| EventLog::new("short").append(txn, 1_i64)).unwrap();
}
