//! The programs that must compile and hold.

use stormproof::{Database, Error};
use stormproof_rt::thread;

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
