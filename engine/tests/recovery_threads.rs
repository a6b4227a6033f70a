//! A database that is large enough to be filled by several threads comes back as one thread would bring it
//! back.

use stormproof::{Database, Durability, Entry, Provenance};

const KEYS: u32 = 12_000;

fn name(number: u32) -> String {
    format!("key/{number:06}")
}

fn opened(folder: &std::path::Path, threads: usize) -> (Vec<Entry>, Vec<Option<Provenance>>) {
    let db = Database::builder().dir(folder).recovery_threads(threads).open().unwrap();
    let content = db.prefix("key/").collect();
    let provenance = (0..KEYS).step_by(500).map(|number| db.provenance(name(number))).collect();
    (content, provenance)
}

#[test]
fn several_threads_recover_what_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let mode = Durability::Async { interval: std::time::Duration::from_secs(3600) };
    let db = Database::builder().dir(folder.path()).durability(mode).open().unwrap();
    let run = db.begin_run().unwrap();
    for first in (0..KEYS).step_by(100) {
        db.transaction(run, |txn| {
            (first..first + 100)
                .try_for_each(|number| txn.put(name(number), vec![number.to_le_bytes()[0]; 600]))
        })
        .unwrap();
    }
    // Half of it comes from a checkpoint, and the log after it changes and deletes what is there.
    db.checkpoint().unwrap();
    for first in (0..KEYS).step_by(100) {
        db.transaction(run, |txn| {
            txn.delete(name(first))?;
            (first + 1..first + 60).try_for_each(|number| txn.put(name(number), vec![7_u8; 700]))
        })
        .unwrap();
    }
    db.close().unwrap();

    let (alone, provenance) = opened(folder.path(), 1);
    assert_eq!(alone.len(), (KEYS - KEYS / 100) as usize);
    assert_eq!(provenance[0], None, "a deleted key has no writer");
    for threads in [2, 3] {
        assert_eq!(opened(folder.path(), threads), (alone.clone(), provenance.clone()), "{threads} threads");
    }
}
