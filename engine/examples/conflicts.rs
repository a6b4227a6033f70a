//! Conflicts: what they say, how closures retry, and how to bound that.
//!
//! `cargo run -p stormproof --example conflicts`

use std::error::Error as StdError;
use std::time::Duration;

use stormproof::{Database, Error, RetryPolicy, TransactionOptions};

pub(crate) fn main() -> Result<(), Box<dyn StdError>> {
    let db = Database::open_in_memory()?;
    let run = db.begin_run()?;
    db.put(run, "stock", 1_u64)?;

    // By hand: two buyers read the last item, the first committer wins.
    let (mut first, mut second) = (db.begin_transaction(run)?, db.begin_transaction(run)?);
    for buyer in [&mut first, &mut second] {
        let stock: u64 = buyer.get("stock")?.unwrap_or(0);
        buyer.put("stock", stock - 1)?;
    }
    println!("first: committed at {:?}", first.commit()?.version());
    match second.commit() {
        Err(Error::Conflict(conflicts)) => {
            conflicts.iter().for_each(|conflict| println!("second: {conflict}"))
        }
        other => println!("second: {other:?}"),
    }

    // As a closure: it runs again on the new state, and decides anew.
    let bought = db.transaction(run, |txn| {
        let stock: u64 = txn.get("stock")?.unwrap_or(0);
        if stock == 0 {
            return Ok(false);
        }
        txn.put("stock", stock - 1)?;
        Ok(true)
    })?;
    println!("third: {}", if bought { "bought" } else { "sold out" });

    // A condition that can't hold fails at once, without retries.
    assert!(matches!(db.transaction(run, |txn| txn.insert("stock", 5_u64)), Err(Error::Conflict(_))));

    // Bounded: at most 5 attempts within 100 ms.
    let policy = RetryPolicy::new().attempts_max(5);
    let options = TransactionOptions::new().retry(policy).timeout(Duration::from_millis(100));
    db.transaction_with(run, &options, |txn| txn.put("stock", 10_u64))?;
    println!("{:?}", db.metrics());
    Ok(())
}
