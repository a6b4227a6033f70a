//! Opening a database after many commits: time, memory, bytes.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use stormproof::{Database, Durability};

use crate::data::{key, noise};

pub(crate) fn measure(dir: &Path, commits: u64) -> Result<(), Box<dyn Error>> {
    println!("## Opening after {commits} commits of 16 + 100 bytes\n");
    println!(
        "| where | keys | open, s | MB/s | of the log, MB; of checkpoints, MB | bytes per commit | peak of memory, MB; after it, MB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, keys, checkpoint_bytes) in [
        ("all in the log", commits, u64::MAX),
        ("all in the log", 100_000, u64::MAX),
        ("default checkpoints", commits, 64 << 20),
        ("default checkpoints", 100_000, 64 << 20),
    ] {
        let dir = dir.join(format!("{keys}-{checkpoint_bytes}"));
        fill(&dir, commits, keys, checkpoint_bytes)?;
        let (log, checkpoints) = (size(&dir, "wal-")?, size(&dir, "checkpoint-")?);
        let mut opens = Vec::new();
        for _ in 0..3 {
            opens.push(open_in_child(&dir)?);
        }
        opens.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (seconds, peak, after) = opens[1];
        println!(
            "| {name} | {keys} | {seconds:.2} | {:.0} | {:.0}; {:.0} | {:.0} | {peak}; {after} |",
            (log + checkpoints) as f64 / 1e6 / seconds,
            log as f64 / 1e6,
            checkpoints as f64 / 1e6,
            (log + checkpoints) as f64 / commits as f64,
        );
        fs::remove_dir_all(&dir)?;
    }
    println!();
    Ok(())
}

fn fill(dir: &Path, commits: u64, keys: u64, checkpoint_bytes: u64) -> Result<(), Box<dyn Error>> {
    let db = Database::builder()
        .dir(dir)
        .durability(Durability::Pipelined)
        .checkpoint_log_bytes(checkpoint_bytes)
        .open()?;
    let run = db.begin_run()?;
    for number in 0..commits {
        let mut txn = db.begin_transaction(run)?;
        txn.put(key(number * 7_919 % keys), noise(number))?;
        let _ = txn.commit()?;
    }
    db.close()?;
    Ok(())
}

fn size(dir: &Path, prefix: &str) -> Result<u64, Box<dyn Error>> {
    let mut size = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            size += entry.metadata()?.len();
        }
    }
    Ok(size)
}

/// Seconds, peak of memory and memory after it in MB.
fn open_in_child(dir: &Path) -> Result<(f64, u64, u64), Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?).arg("--open").arg(dir).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let mut word = || words.next().ok_or("the child said too little");
    Ok((word()?.parse()?, word()?.parse()?, word()?.parse()?))
}

/// In the child: opens, and prints what it took.
pub(crate) fn open_and_report(dir: &Path) -> Result<(), Box<dyn Error>> {
    let start = rt::time::now();
    let db = Database::builder().dir(dir).checkpoint_log_bytes(u64::MAX).open()?;
    let seconds = rt::time::now().saturating_since(start).as_secs_f64();
    println!("{seconds} {} {}", memory_mb("VmHWM:"), memory_mb("VmRSS:"));
    db.close()?;
    Ok(())
}

/// From `/proc`; 0 where there is none.
fn memory_mb(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
