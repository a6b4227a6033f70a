//! What checking costs, from 1 K to 1 M transactions, side by side with the crate `adya`:
//!
//! `cargo run --release -p stormproof-oracle --example speed -- [--max N] [--only KIND] [--alone]`
//!
//! Histories are valid and come from 32 clients at once (`tests/support/clients.rs`,
//! `tests/support/versioned.rs`). Kinds:
//!
//! - `lists`: EDN, appends to and reads of 8 lists at a time, each retired after 32 elements, as Elle's
//!   generators do;
//! - `long-lists`: the same with 100 lists of up to 256 elements, which is sixteen times as much to read;
//! - `registers`: EDN, blind writes and reads;
//! - `versioned`: our own JSON lines, gets, puts and scans of 10,000 keys with the versions that a store
//!   reported.
//!
//! The first three are judged for strict serializability by values alone; `versioned` by witness and black
//! box both, as a simulated run is. Every row is a process of its own: the file is made by one, read and
//! checked by the next, so the memory stated is the peak of reading and checking, the file in memory
//! included. Times are of this process's processor, which tells the truth on a busy machine, in hundredths of
//! a second.

#[path = "../../tests/support/clients.rs"]
mod clients;
mod cost;
#[path = "../../tests/support/versioned.rs"]
mod versioned;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use clients::{Kind, Shape};
use cost::{cpu_seconds, peak_mib};
use stormproof_oracle::formats::{Format, read_file};
use stormproof_oracle::{CheckOptions, Conclusion, Expectations, Level, check, check_input};
use stormproof_workloads::history::write_jsonl;
use stormproof_workloads::store::Isolation;
use versioned::Load;

const KINDS: [&str; 4] = ["lists", "long-lists", "registers", "versioned"];
const SIZES: [u64; 7] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/// Long lists take this many times the memory of short ones.
const LONG_LISTS_MAX: u64 = 300_000;

type Failure = Box<dyn std::error::Error>;

/// The command `stormproof` has the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--part", part, kind, size, file] = words[..] {
        return one(part, kind, size.parse()?, Path::new(file));
    }
    let value = |name: &str| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1));
    let max = value("--max").map_or(Ok(1_000_000), |text| text.parse())?;
    let alone = words.contains(&"--alone");
    println!(
        "{:<11} {:>9} {:>8} | {:>7} {:>7} {:>7} {:>8} {:>9} | {:>7} {:>7} {:>9} {:>9}",
        "kind",
        "txns",
        "file MB",
        "read s",
        "check s",
        "us/txn",
        "MiB",
        "verdict",
        "adya: read",
        "check",
        "MiB",
        "verdict"
    );
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("history");
    for kind in KINDS.into_iter().filter(|kind| value("--only").is_none_or(|only| only == kind)) {
        for size in SIZES.into_iter().filter(|size| *size <= max) {
            if kind == "long-lists" && size > LONG_LISTS_MAX {
                continue;
            }
            part("make", kind, size, &file)?;
            let bytes = fs::metadata(&file)?.len() as f64 / 1e6;
            let ours = part("ours", kind, size, &file)?;
            let theirs =
                if alone || kind == "versioned" { String::new() } else { part("adya", kind, size, &file)? };
            println!("{kind:<11} {size:>9} {bytes:>8.1} | {ours} | {theirs}");
        }
    }
    Ok(())
}

/// Has a process of its own do one part.
fn part(part: &str, kind: &str, size: u64, file: &Path) -> Result<String, Failure> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["--part", part, kind, &size.to_string()]).arg(file).output()?;
    if !output.status.success() {
        return Err(format!("{part} of {kind} {size}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn one(part: &str, kind: &str, size: u64, file: &Path) -> Result<(), Failure> {
    match part {
        "make" => make(kind, size, file),
        "adya" => theirs(kind, file),
        _ => ours(kind, size, file),
    }
}

fn make(kind: &str, size: u64, file: &Path) -> Result<(), Failure> {
    let mut writer = BufWriter::new(File::create(file)?);
    let mut failed = None;
    if kind == "versioned" {
        let isolation = Isolation::Serializable;
        let load = Load { seed: 6, txns: size, clients: 32, keys: 10_000, isolation };
        versioned::generate(load, &mut |event| {
            failed = write_jsonl(&mut writer, [&event]).err().or(failed.take());
        });
    } else {
        let (keys, writes_per_key) = if kind == "long-lists" { (100, 256) } else { (8, 32) };
        let kind = if kind == "registers" { Kind::Registers } else { Kind::Lists };
        let shape =
            Shape { kind, seed: 6, txns: size, clients: 32, keys, writes_per_key, refused: 3, unanswered: 1 };
        let mut text = String::new();
        clients::generate(shape, &mut |line| {
            text.clear();
            line.edn(&mut text);
            failed = writer.write_all(text.as_bytes()).err().or(failed.take());
        });
    }
    writer.flush()?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn ours(kind: &str, size: u64, file: &Path) -> Result<(), Failure> {
    let start = cpu_seconds();
    let format = if kind == "versioned" { Format::Jsonl } else { Format::Edn };
    let input = read_file(file, Some(format))?;
    let middle = cpu_seconds();
    let verdict = if kind == "versioned" {
        let verdict = check(&input.history, &Expectations::default());
        match (verdict.holds(), verdict.undecided.is_empty()) {
            (true, true) => "holds",
            (true, false) => "undecided",
            (false, _) => "violated",
        }
    } else {
        match check_input(&input, &CheckOptions::at(Level::StrictSerializable)).conclusion() {
            Conclusion::Holds => "holds",
            Conclusion::Violated => "violated",
            Conclusion::Undecided(_) | Conclusion::NothingJudged(_) => "undecided",
        }
    };
    let end = cpu_seconds();
    let (reads, checks) = (middle - start, end - middle);
    let each = checks * 1e6 / size as f64;
    println!("{reads:>7.2} {checks:>7.2} {each:>7.2} {:>8} {verdict:>9}", peak_mib());
    Ok(())
}

fn theirs(kind: &str, file: &Path) -> Result<(), Failure> {
    let start = cpu_seconds();
    let history = adya::History::from_edn(&fs::read_to_string(file)?)?;
    let middle = cpu_seconds();
    let workload = match kind {
        "registers" => adya::Workload::RwRegister,
        _ => adya::Workload::ListAppend,
    };
    let report = adya::check(&history, workload, &adya::Opts::default());
    let end = cpu_seconds();
    let (reads, checks) = (middle - start, end - middle);
    println!("{reads:>7.2} {checks:>7.2} {:>9} {:>9}", peak_mib(), format!("{:?}", report.valid));
    Ok(())
}
