//! Embedding the store in an application: open a directory, work in a run, close, find everything again.
//!
//! `cargo run -p stormproof --example embedding`

use std::error::Error;

use stormproof::{Database, Durability};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    {
        let db = Database::open(dir.path())?;
        let run = db.begin_run()?;

        // One operation is a transaction of its own.
        db.put(run, "greeting", "hello")?;

        // Several are one: all of them happen, or none.
        db.transaction(run, |txn| {
            let visits: u64 = txn.get("visits")?.unwrap_or(0);
            txn.put("visits", visits + 1)?;
            txn.put("last-visitor", "first agent")
        })?;
        db.end_run(run)?;
        db.close()?;
    }

    // Where losing the last 10 ms in a power cut is fine, commits need not wait for the disk.
    let db = Database::builder()
        .dir(dir.path())
        .durability(Durability::Async { interval: std::time::Duration::from_millis(10) })
        .open()?;
    assert_eq!(db.get("greeting")?, Some("hello".to_owned()));
    assert_eq!(db.get("visits")?, Some(1_u64));
    println!("recovered {} commits, now at {}", db.recovery_report().commits, db.version());
    Ok(())
}
