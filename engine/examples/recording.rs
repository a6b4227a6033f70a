//! Records what an application does to its database, for a simulation to play it again:
//! `cargo run -p stormproof --example recording`, then `stormproof sweep --recording shapes.jsonl`.

use std::fs::File;
use std::io::BufWriter;

use stormproof::{Database, Recording};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "shapes.jsonl".into());
    let file = BufWriter::new(File::create(&path)?);
    // Keys leave the process as hashes, values never do.
    let recording = Recording::new(file).hash_keys(*b"sixteen bytes ..");
    let db = Database::builder().record(recording.clone()).open()?;
    let agents = [db.begin_run()?, db.begin_run()?];
    for number in 0..40_u64 {
        let run = agents[number as usize % agents.len()];
        db.transaction(run, |txn| {
            let done: u64 = txn.get("tasks/done")?.unwrap_or(0);
            txn.put(format!("tasks/{number}/result"), "an answer")?;
            txn.put("tasks/done", done + 1)
        })?;
    }
    db.close()?;
    if let Some(error) = recording.take_error() {
        return Err(error.into());
    }
    println!("recorded into {path}");
    Ok(())
}
