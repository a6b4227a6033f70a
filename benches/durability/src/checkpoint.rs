//! Checkpoints: how fast they are written, what commits beside them feel, and what compression would give.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rt::sync::Arc;
use rt::sync::atomic::{AtomicBool, Ordering};
use stormproof::{Database, Durability, RunId};

use crate::data::{key, noise, percentile, text};

/// As in a checkpoint.
const BLOCK_BYTES: usize = 256 << 10;

pub(crate) fn measure(dir: &Path, keys: u64, each: Duration) -> Result<(), Box<dyn Error>> {
    println!("## Checkpoints of {keys} keys of 16 + 100 bytes\n");
    let noise_dir = dir.join("noise");
    let db = fill(&noise_dir, keys, noise)?;
    let seconds = checkpoint(&db)?;
    let bytes = checkpoint_bytes(&noise_dir)?;
    println!(
        "written with {:.0} MB/s ({} MB in {seconds:.2} s)\n",
        bytes.len() as f64 / 1e6 / seconds,
        bytes.len() / 1_000_000
    );
    beside_commits(db, &noise_dir, each)?;
    let text_dir = dir.join("text");
    let db = fill(&text_dir, keys, text)?;
    checkpoint(&db)?;
    db.close()?;
    println!("| compressed by blocks | what | smaller | packed with MB/s | unpacked with MB/s |");
    println!("|---|---|---|---|---|");
    compression("noise", &bytes)?;
    compression("JSON", &checkpoint_bytes(&text_dir)?)?;
    println!();
    Ok(())
}

fn fill(dir: &Path, keys: u64, value: fn(u64) -> Vec<u8>) -> Result<Database, Box<dyn Error>> {
    let db = Database::builder()
        .dir(dir)
        .durability(Durability::Pipelined)
        .checkpoint_log_bytes(u64::MAX)
        .open()?;
    let run = db.begin_run()?;
    for first in (0..keys).step_by(1_000) {
        let last = keys.min(first + 1_000);
        db.transaction(run, |txn| (first..last).try_for_each(|n| txn.put(key(n), value(n))))?;
    }
    db.flush()?;
    Ok(db)
}

fn checkpoint(db: &Database) -> Result<f64, Box<dyn Error>> {
    let start = rt::time::now();
    db.checkpoint()?;
    Ok(rt::time::now().saturating_since(start).as_secs_f64())
}

/// The newest one.
fn checkpoint_bytes(dir: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut names: Vec<_> =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    names.retain(|path| path.extension().is_some_and(|extension| extension == "ckpt"));
    names.sort();
    Ok(fs::read(names.last().ok_or("no checkpoint was written")?)?)
}

/// Latencies of commits with and without a checkpoint under way.
fn beside_commits(db: Database, dir: &Path, each: Duration) -> Result<(), Box<dyn Error>> {
    println!("| one thread | commits/s | µs: median, 99 %, 99.9 %, longest |");
    println!("|---|---|---|");
    db.close()?;
    drop(db);
    for durability in [Durability::Pipelined, Durability::Strict] {
        let db = Database::builder().dir(dir).durability(durability).checkpoint_log_bytes(u64::MAX).open()?;
        let run = db.begin_run()?;
        report(&format!("{durability:?}, alone"), commit_for(&db, run, each, || false)?);
        let done = Arc::new(AtomicBool::new("done", false));
        let (other, is_done) = (db.clone(), Arc::clone(&done));
        let checkpointer = rt::thread::spawn("checkpoints", move || {
            let result = other.checkpoint();
            is_done.store(true, Ordering::SeqCst);
            result
        })?;
        let beside = commit_for(&db, run, Duration::from_secs(60), || done.load(Ordering::SeqCst))?;
        checkpointer.join().map_err(|_| "the checkpointer panicked")??;
        report(&format!("{durability:?}, beside a checkpoint"), beside);
        db.close()?;
    }
    println!();
    Ok(())
}

fn commit_for(
    db: &Database,
    run: RunId,
    each: Duration,
    until: impl Fn() -> bool,
) -> Result<Vec<u64>, Box<dyn Error>> {
    let start = rt::time::now();
    let mut latencies = Vec::new();
    let mut count = 0;
    while rt::time::now().saturating_since(start) < each && !until() {
        let before = rt::time::now();
        let mut txn = db.begin_transaction(run)?;
        txn.put(key(count * 7_919 % 100_000), noise(count))?;
        let _ = txn.commit()?;
        latencies.push(u64::try_from(rt::time::now().saturating_since(before).as_nanos())?);
        count += 1;
    }
    Ok(latencies)
}

fn report(what: &str, mut latencies: Vec<u64>) {
    let total: u64 = latencies.iter().sum();
    latencies.sort_unstable();
    let micros = |percent| percentile(&latencies, percent) as f64 / 1e3;
    println!(
        "| {what} | {:.0} | {:.1}, {:.1}, {:.1}, {:.0} |",
        latencies.len() as f64 * 1e9 / total.max(1) as f64,
        micros(50.0),
        micros(99.0),
        micros(99.9),
        micros(100.0),
    );
}

fn compression(what: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK_BYTES).collect();
    let lz4 = timed(&blocks, |block| Ok(lz4_flex::compress(block)))?;
    let unpacked = |size: usize| {
        move |block: &&[u8]| -> Result<Vec<u8>, Box<dyn Error>> { Ok(lz4_flex::decompress(block, size)?) }
    };
    let packed: Vec<&[u8]> = lz4.0.iter().map(Vec::as_slice).collect();
    let un = timed(&packed, unpacked(BLOCK_BYTES))?;
    line("lz4_flex", what, bytes.len(), &lz4, un.1);
    let zstd = timed(&blocks, |block| Ok(zstd::bulk::compress(block, 1)?))?;
    let packed: Vec<&[u8]> = zstd.0.iter().map(Vec::as_slice).collect();
    let un = timed(&packed, |block| Ok(zstd::bulk::decompress(block, BLOCK_BYTES)?))?;
    line("zstd, level 1", what, bytes.len(), &zstd, un.1);
    Ok(())
}

/// Results, and how many seconds they took.
type Timed = (Vec<Vec<u8>>, f64);

fn timed(
    blocks: &[&[u8]],
    work: impl Fn(&&[u8]) -> Result<Vec<u8>, Box<dyn Error>>,
) -> Result<Timed, Box<dyn Error>> {
    let start = rt::time::now();
    let results = blocks.iter().map(work).collect::<Result<_, _>>()?;
    Ok((results, rt::time::now().saturating_since(start).as_secs_f64()))
}

fn line(name: &str, what: &str, bytes: usize, packed: &Timed, unpack_seconds: f64) {
    let small: usize = packed.0.iter().map(Vec::len).sum();
    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds;
    println!(
        "| {name} | {what} | {:.1} times | {:.0} | {:.0} |",
        bytes as f64 / small.max(1) as f64,
        rate(packed.1),
        rate(unpack_seconds),
    );
}
