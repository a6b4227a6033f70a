//! The four programs that must compile and hold.

use stormproof::{Database, Error};

#[test]
fn two_transactions_that_blindly_put_one_key_conflict() -> Result<(), Error> {
    let db = Database::open_in_memory()?;
    let run = db.begin_run()?;
    let mut first = db.begin_transaction(run)?;
    let mut second = db.begin_transaction(run)?;
    first.put("key", "first")?;
    second.put("key", "second")?;
    assert!(first.commit().is_ok());
    let refused = second.commit().unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    assert_eq!(db.get("key")?, Some("first".to_owned()));
    Ok(())
}

#[test]
fn a_hundred_threads_count_to_ten_thousand() -> Result<(), Error> {
    let db = Database::open_in_memory()?;
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let db = db.clone();
            rt::thread::spawn("agent", move || -> Result<(), Error> {
                let run = db.begin_run()?;
                for _ in 0..100 {
                    db.transaction(run, |txn| {
                        let v: u64 = txn.get("hotspot")?.unwrap_or(0);
                        txn.put("hotspot", v + 1)
                    })?;
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.expect("a thread starts").join().expect("no panic")?;
    }
    assert_eq!(db.get("hotspot")?, Some(10_000_u64));
    let metrics = db.metrics();
    assert_eq!(metrics.commits, 10_000 + 100);
    Ok(())
}

#[test]
fn what_a_transaction_put_is_readable_by_any_run() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Database::open(dir.path())?;
    let run = db.begin_run()?;
    db.transaction(run, |txn| {
        txn.put("key1", "value1")?;
        txn.put("key2", "value2")?;
        Ok(())
    })?;
    let other = db.begin_run()?;
    let mut txn = db.begin_transaction(other)?;
    assert_eq!(txn.get("key1")?, Some("value1".to_owned()));
    assert_eq!(txn.get("key2")?, Some("value2".to_owned()));
    Ok(())
}

#[test]
fn what_was_committed_is_there_after_a_drop_without_close() -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Database::open(dir.path())?;
    let run = db.begin_run()?;
    db.transaction(run, |txn| txn.put("key", "value"))?;
    drop(db);
    let db = Database::open(dir.path())?;
    let run = db.begin_run()?;
    let mut txn = db.begin_transaction(run)?;
    assert_eq!(txn.get("key")?, Some("value".to_owned()));
    Ok(())
}
