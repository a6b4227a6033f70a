//! A process that commits on a real directory is killed, a hundred times in a row on the same files: nothing
//! that it acked is lost, no commit is there in part, and the next process opens without complaint.
//!
//! The child is this test's own binary, told by its environment to run [`child`]. A kill is not a power cut:
//! what was written but not synced survives, so this shows acks before the write, locks left behind, and
//! recovery of real files.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use stormproof::{Database, Durability};

const DIR: &str = "STORMPROOF_TEST_KILLED_DIR";
const WORKERS: u64 = 3;
const ROUNDS: u64 = 100;

fn open(dir: &Path) -> Database {
    Database::builder()
        .dir(dir)
        .durability(Durability::Strict)
        .segment_bytes_max(64 << 10)
        .checkpoint_log_bytes(128 << 10)
        .open()
        .unwrap()
}

/// Runs only when started by the test below: commits until it is killed, and says so after each ack.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let db = open(Path::new(&dir));
    let worker = |worker: u64| {
        let db = db.clone();
        move || {
            let run = db.begin_run().unwrap();
            let own = format!("worker-{worker}");
            // More than anybody waits for.
            for _ in 0..1_000_000 {
                let n = db.transaction(run, |txn| {
                    let n: u64 = txn.get(own.as_str())?.unwrap_or(0) + 1;
                    let total: u64 = txn.get("total")?.unwrap_or(0);
                    txn.put(own.as_str(), n)?;
                    txn.put("total", total + 1)?;
                    Ok(n)
                });
                match n {
                    // One write per line: pipes don't tear those.
                    Ok(n) => {
                        std::io::stdout().write_all(format!("\nacked {worker} {n}\n").as_bytes()).unwrap()
                    }
                    Err(stormproof::Error::MaxRetriesExceeded { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    let workers: Vec<_> =
        (0..WORKERS).map(|number| stormproof_rt::thread::spawn("worker", worker(number)).unwrap()).collect();
    for worker in workers {
        worker.join().unwrap();
    }
}

fn start_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for this number of acks, kills the child, and returns the last ack of each worker.
fn kill_after(dir: &Path, acks: u64, acked: &mut [u64]) {
    let mut child = start_child(dir);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = 0;
    for line in lines {
        let line = line.unwrap();
        let mut words = line.split(' ');
        let (Some("acked"), Some(worker), Some(n)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        acked[worker.parse::<usize>().unwrap()] = n.parse().unwrap();
        seen += 1;
        if seen == acks {
            child.kill().unwrap();
        }
    }
    assert!(seen >= acks, "the child ended by itself after {seen} acks: {:?}", child.wait());
    child.wait().unwrap();
}

#[test]
fn a_hundred_kills_in_mid_commit_lose_nothing_that_was_acked() {
    let dir = tempfile::tempdir().unwrap();
    let mut acked = [0; WORKERS as usize];
    for round in 0..ROUNDS {
        // From the first commit of a life to some dozens into it, past rotations and checkpoints over the
        // rounds.
        kill_after(dir.path(), 1 + round * 7 % 40, &mut acked);
        let db = open(dir.path());
        let mut sum = 0;
        for (worker, acked) in acked.iter_mut().enumerate() {
            let found: u64 = db.get(format!("worker-{worker}")).unwrap().unwrap_or(0);
            let in_flight = found.checked_sub(*acked);
            assert!(
                in_flight.is_some_and(|commits| commits <= 1),
                "round {round}: worker {worker} had {acked} acked, {found} are there"
            );
            *acked = found;
            sum += found;
        }
        let total: u64 = db.get("total").unwrap().unwrap_or(0);
        assert_eq!(total, sum, "round {round}: a commit is there in part, or an update was lost");
        // Every other time the next child recovers from files that were not closed.
        if round % 2 == 0 {
            db.close().unwrap();
        }
    }
}
