//! Agents that share state, each in a run of its own: a common counter, private notes, and the writer of each
//! value.
//!
//! `cargo run -p stormproof --example shared_state`

use std::error::Error;

use stormproof::{Database, KvStore, Namespace, RunOptions};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let db = Database::open_in_memory()?;
    let planner = db.begin_run_with(RunOptions::new().tag("role", "planner"))?;

    let mut agents = Vec::new();
    for number in 0..4 {
        let db = db.clone();
        agents.push(rt::thread::spawn("agent", move || -> stormproof::Result<_> {
            let run =
                db.begin_run_with(RunOptions::new().parent(planner).tag("agent", number.to_string()))?;
            let notes = KvStore::new(Namespace::of_run(run));
            for step in 0..25_u64 {
                db.transaction(run, |txn| {
                    // Shared by all: conflicts with the others are retried.
                    let done: u64 = txn.get("steps-done")?.unwrap_or(0);
                    txn.put("steps-done", done + 1)?;
                    // Private to this run: conflicts with no other.
                    notes.put(txn, "last-step", step)
                })?;
            }
            db.end_run(run)?;
            Ok(run)
        })?);
    }
    for agent in agents {
        let run = agent.join().expect("the agent did not panic")?;
        let record = db.run(run)?;
        println!("{run}: {:?}, begun by {:?}", record.tags, record.parent);
    }

    assert_eq!(db.get("steps-done")?, Some(100_u64));
    let writer = db.provenance("steps-done").expect("it was written");
    println!(
        "last written at {} by {:?}; {:.1} % of commits met a conflict",
        writer.version,
        writer.run,
        db.metrics().conflict_rate() * 100.0
    );
    Ok(())
}
