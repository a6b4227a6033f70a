//! fjall where writes fail for a while: what is acked after a failed write must be there after the next
//! opening.
//!
//! A file can't grow beyond the limit that the system sets (`RLIMIT_FSIZE`): the write that crosses it is cut
//! short, the next one fails, as on a disk that is full. Then there is room again. This happens in a process
//! of its own, which says what was acked and ends without closing anything; its parent opens the database and
//! compares.
//!
//! The seed decides sizes and the limit, and fjall's journal is written by the committing thread, so a seed
//! finds the same again.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use fjall::{KeyspaceCreateOptions, OptimisticTxDatabase, OptimisticTxKeyspace, PersistMode, Readable};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rlimit::Resource;

/// Commits before the disk is full, at most.
const BEFORE_MAX: u64 = 200;
/// Commits once there is room again.
const BEHIND: u64 = 5;

/// What a seed found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The commit that failed for want of space.
    pub failed: Option<u64>,
    /// Commits that were acked after it.
    pub acked_behind: Vec<u64>,
    /// Commits that were refused after it.
    pub refused_behind: Vec<u64>,
    /// Commits that were acked, before or after it, and are not there whole.
    pub lost: Vec<u64>,
    /// Why the database does not open again.
    pub open_error: Option<String>,
}

/// Plays a seed in `folder`. `worker` is a program that calls [`work`], with its arguments before folder and
/// seed.
///
/// # Errors
/// When the process can't be started, or its output can't be parsed.
pub fn play(folder: &Path, seed: u64, worker: &[&str]) -> io::Result<Found> {
    // A shell can tell the system that the signal of a file that is too large is not deadly: a write fails
    // instead.
    let mut process = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .args(worker)
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut found = Found::default();
    let mut acked = Vec::new();
    let lines = process.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    for line in BufReader::new(lines).lines() {
        let line = line?;
        let mut words = line.split(' ');
        let (Some("fjall:"), Some(what), Some(number)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let number = number.parse().map_err(io::Error::other)?;
        match (what, found.failed) {
            ("failed", None) => found.failed = Some(number),
            ("acked", Some(_)) => found.acked_behind.push(number),
            ("failed", Some(_)) => found.refused_behind.push(number),
            _ => {}
        }
        if what == "acked" {
            acked.push(number);
        }
    }
    process.wait()?;
    match open(folder) {
        Ok((database, keyspace)) => {
            let snapshot = database.read_tx();
            let there = |number: u64| {
                let key = number.to_be_bytes();
                let value = snapshot.get(&keyspace, key).ok().flatten();
                value.is_some_and(|value| value.as_ref() == payload(seed, number).as_slice())
            };
            found.lost = acked.into_iter().filter(|number| !there(*number)).collect();
        }
        Err(error) => found.open_error = Some(error.to_string()),
    }
    Ok(found)
}

const FOLDER: &str = "KNOWN_BUGS_FOLDER";
const SEED: &str = "KNOWN_BUGS_SEED";

/// Runs the process in which writes fail: commits, each synced, and prints what was acked. Does nothing if
/// the process was not started by [`play`].
///
/// # Errors
/// When the limit can't be set, or there is no listener.
pub fn work() -> Result<(), Box<dyn std::error::Error>> {
    let (Ok(folder), Ok(seed)) = (std::env::var(FOLDER), std::env::var(SEED)) else { return Ok(()) };
    let seed: u64 = seed.parse()?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (database, keyspace) = open(Path::new(&folder))?;
    let (_, hard) = Resource::FSIZE.get()?;
    Resource::FSIZE.set(rng.random_range(10_000..200_000), hard)?;
    let mut number = 0;
    let mut commit = || {
        number += 1;
        let done = insert(&database, &keyspace, seed, number);
        let word = if done { "acked" } else { "failed" };
        io::stdout().write_all(format!("\nfjall: {word} {number}\n").as_bytes()).map(|()| done)
    };
    for _ in 0..BEFORE_MAX {
        if !commit()? {
            break;
        }
    }
    Resource::FSIZE.set(hard, hard)?;
    for _ in 0..BEHIND {
        commit()?;
    }
    // Ends the process without closing the database.
    std::process::exit(0)
}

fn open(folder: &Path) -> fjall::Result<(OptimisticTxDatabase, OptimisticTxKeyspace)> {
    let database = OptimisticTxDatabase::builder(folder).open()?;
    let keyspace = database.keyspace("data", KeyspaceCreateOptions::default)?;
    Ok((database, keyspace))
}

/// Commits one insert; returns whether it was acked.
fn insert(database: &OptimisticTxDatabase, keyspace: &OptimisticTxKeyspace, seed: u64, number: u64) -> bool {
    let Ok(txn) = database.write_tx() else { return false };
    let mut txn = txn.durability(Some(PersistMode::SyncData));
    txn.insert(keyspace, number.to_be_bytes(), payload(seed, number));
    matches!(txn.commit(), Ok(Ok(())))
}

/// Returns noise, as fjall compresses. A large payload bypasses the journal's buffer, so it is the write that
/// fails, not the sync.
fn payload(seed: u64, number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ number << 32);
    let len = if rng.random_bool(0.7) { rng.random_range(0..500) } else { rng.random_range(500..40_000) };
    (0..len).map(|_| rng.random()).collect()
}
