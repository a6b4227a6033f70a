//! The programs that must compile and hold.

use stormproof::{Database, Error};
use stormproof_rt::thread;

#[test]
fn what_a_transaction_puts_is_readable_by_any_run() {
    let dir = tempfile::tempdir().expect("there is room");
    let db = Database::open(dir.path()).expect("it opens");
    let run = db.begin_run().expect("a run begins");
    db.transaction(run, |txn| {
        txn.put("key1", "value1")?;
        txn.put("key2", "value2")?;
        Ok(())
    })
    .expect("it commits");
    let other = db.begin_run().expect("a run begins");
    db.transaction(other, |txn| {
        assert_eq!(txn.get("key1")?, Some("value1".to_owned()));
        assert_eq!(txn.get("key2")?, Some("value2".to_owned()));
        Ok(())
    })
    .expect("it commits");
}

#[test]
fn what_was_committed_is_there_after_a_drop_without_a_close() {
    let dir = tempfile::tempdir().expect("there is room");
    {
        let db = Database::open(dir.path()).expect("it opens");
        let run = db.begin_run().expect("a run begins");
        db.transaction(run, |txn| txn.put("key", "value")).expect("it commits");
    }
    let db = Database::open(dir.path()).expect("it opens again");
    let run = db.begin_run().expect("a run begins");
    let value = db.transaction(run, |txn| txn.get::<String>("key")).expect("it reads");
    assert_eq!(value.as_deref(), Some("value"));
}

#[test]
fn two_explicit_transactions_that_blindly_put_one_key_conflict() {
    let db = Database::open_in_memory().expect("it opens");
    let run = db.begin_run().expect("a run begins");
    let mut first = db.begin_transaction(run).expect("it begins");
    let mut second = db.begin_transaction(run).expect("it begins");
    first.put("key", "first").expect("it is buffered");
    second.put("key", "second").expect("it is buffered");
    assert!(first.commit().is_ok());
    let error = second.commit().expect_err("the first committer wins");
    assert!(matches!(error, Error::Conflict(_)), "{error}");
    let value: Option<String> = db.get("key").expect("it reads");
    assert_eq!(value.as_deref(), Some("first"));
}

#[test]
fn a_hundred_threads_raise_one_counter_ten_thousand_times() {
    let db = Database::open_in_memory().expect("it opens");
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let db = db.clone();
            let work = move || {
                let run = db.begin_run().expect("a run begins");
                for _ in 0..100 {
                    db.transaction(run, |txn| {
                        let v: u64 = txn.get("hotspot")?.unwrap_or(0);
                        txn.put("hotspot", v + 1)
                    })
                    .expect("no closure fails");
                }
            };
            thread::spawn("agent", work).expect("a thread starts")
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panics");
    }
    assert_eq!(db.get("hotspot").expect("it reads"), Some(10_000_u64));
}
