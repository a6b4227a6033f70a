//! Real processes, real files, real kills: what a child acked before SIGKILL is there afterwards, in whole
//! commits.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use stormproof::{Database, Durability, Error};

const DIR: &str = "STORMPROOF_KILL_DIR";
const MODE: &str = "STORMPROOF_KILL_MODE";
/// Two keys that every commit writes together.
const KEYS: [&str; 2] = ["left", "right"];

fn open(dir: &Path, mode: &str) -> Result<Database, Error> {
    let durability = if mode == "strict" { Durability::Strict } else { Durability::Pipelined };
    Database::builder()
        .dir(dir)
        .durability(durability)
        .segment_bytes_max(16 << 10)
        .allocate_bytes(4 << 10)
        .checkpoint_log_bytes(64 << 10)
        .open()
}

/// What the parent starts: commits without end, and says what was acked as durable.
#[test]
#[ignore = "the child of the test below"]
fn child() -> Result<(), Error> {
    let (Ok(dir), Ok(mode)) = (std::env::var(DIR), std::env::var(MODE)) else { return Ok(()) };
    let db = open(Path::new(&dir), &mode)?;
    let run = db.begin_run()?;
    let mut number = db.get::<u64>(KEYS[0])?.unwrap_or(0);
    loop {
        number += 1;
        let mut txn = db.begin_transaction(run)?;
        for key in KEYS {
            txn.put(key, number)?;
        }
        let commit = txn.commit()?;
        if mode == "strict" || number % 7 == 0 {
            db.wait_durable(commit.version().expect("it wrote"))?;
            // Past the test harness, which captures `println!`.
            let mut out = std::io::stderr().lock();
            let _ = writeln!(out, "acked {number}");
        }
    }
}

#[test]
fn what_was_acked_before_a_kill_is_there_after_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut last = 0;
    for round in 0..100_u32 {
        let mode = if round % 2 == 0 { "strict" } else { "pipelined" };
        let mut child = Command::new(std::env::current_exe().expect("this test has a path"))
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .env(MODE, mode)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut acked = last;
        // A different number each round, so that kills come at different places in segments and checkpoints.
        for _ in 0..=round * 13 % 97 {
            let line = lines.next().expect("the child goes on").expect("text");
            acked = number(&line).unwrap_or_else(|| panic!("round {round}: {line}"));
        }
        child.kill().expect("SIGKILL");
        // What it said before it died counts too.
        acked = lines.map_while(Result::ok).filter_map(|line| number(&line)).last().unwrap_or(acked);
        child.wait().expect("it is gone");

        let db = open(dir.path(), mode).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let [left, right] = KEYS.map(|key| db.get::<u64>(key).expect("a number").unwrap_or(0));
        assert_eq!(left, right, "round {round}: half a commit");
        assert!(left >= acked, "round {round}, {mode}: {acked} was acked, {left} is there");
        last = left;
        db.close().expect("it closes");
    }
}

fn number(line: &str) -> Option<u64> {
    line.strip_prefix("acked ")?.parse().ok()
}
