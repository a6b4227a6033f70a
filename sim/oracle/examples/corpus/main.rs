//! Which histories are decided, at what cost, in files of anybody's or in polygraphs made here:
//!
//! `cargo run --release -p stormproof-oracle --example corpus -- [--levels LEVELS] [--seconds N] PATH…`
//! `cargo run --release -p stormproof-oracle --example corpus -- --make FOLDER [--txns N]`
//!
//! Every file of a folder is checked at each level (serializability and snapshot isolation unless others are
//! named), each time by a process of its own that may take `--seconds` of processor time (300). A row
//! says the verdict, seconds of processor time for reading and checking, and peak MiB; the last lines count
//! verdicts by level. `--make` writes histories of registers whose writes were not all read before, as
//! PolySI's and Cobra's are (`polygraphs.rs`).

#[path = "../speed/cost.rs"]
mod cost;
mod polygraphs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cost::{cpu_seconds, peak_mib};
use stormproof_oracle::formats::Initial;
use stormproof_oracle::{CheckOptions, Conclusion, Level, check_file};

type Failure = Box<dyn std::error::Error>;

/// The command `stormproof` has the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--part", level, file] => one(level.parse()?, Path::new(file)),
        ["--make", folder] => polygraphs::write(Path::new(folder), &[1_000, 3_000, 10_000]),
        ["--make", folder, "--txns", txns] => polygraphs::write(Path::new(folder), &[txns.parse()?]),
        _ => all(&words),
    }
}

fn all(words: &[&str]) -> Result<(), Failure> {
    let (mut levels, mut seconds) = (vec![Level::Serializable, Level::SnapshotIsolation], 300);
    let mut files = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--levels" => {
                let names = words.next().ok_or("--levels needs names")?.split(',');
                levels = names.map(str::parse).collect::<Result<_, _>>()?;
            }
            "--seconds" => seconds = words.next().ok_or("--seconds needs a number")?.parse()?,
            path => gather(Path::new(path), &mut files)?,
        }
    }
    files.sort();
    let mut counts: BTreeMap<(Level, String), u32> = BTreeMap::new();
    println!("{:>7} {:>8} {:>6} {:<22} {:<10} file", "txns", "cpu s", "MiB", "level", "verdict");
    for file in &files {
        for level in &levels {
            let row = part(*level, seconds, file)?;
            let verdict = row.split_whitespace().nth(4).unwrap_or("killed").to_owned();
            println!("{row} {}", file.display());
            *counts.entry((*level, verdict)).or_default() += 1;
        }
    }
    for ((level, verdict), count) in counts {
        println!("{level}: {count} {verdict}");
    }
    Ok(())
}

fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        gather(&entry?.path(), files)?;
    }
    Ok(())
}

/// Has a process of its own check one file; the shell bounds its processor time.
fn part(level: Level, seconds: u32, file: &Path) -> Result<String, Failure> {
    let program = std::env::current_exe()?;
    let script = format!("ulimit -t {seconds}; exec \"$0\" --part {level} \"$1\"");
    let output = Command::new("sh").args(["-c", &script]).arg(program).arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    let killed = || format!("{:>7} {seconds:>8} {:>6} {:<22} {:<10}", "-", "-", level.name(), "killed");
    Ok(if said.is_empty() { killed() } else { said })
}

fn one(level: Level, file: &Path) -> Result<(), Failure> {
    let report = match check_file(file, None, &Initial::Default, &CheckOptions::at(level)) {
        Ok(report) => report,
        Err(error) => {
            println!(
                "{:>7} {:>8.2} {:>6} {:<22} {:<10} {error}",
                "-",
                cpu_seconds(),
                "-",
                level.name(),
                "refused"
            );
            return Ok(());
        }
    };
    let (verdict, why) = match report.conclusion() {
        Conclusion::Holds => ("holds", String::new()),
        Conclusion::Violated => {
            ("violated", report.table.anomalies.first().map(|one| one.name.clone()).unwrap_or_default())
        }
        Conclusion::Undecided(why) | Conclusion::NothingJudged(why) => ("undecided", why),
    };
    let (txns, seconds, mib) = (report.txns, cpu_seconds(), peak_mib());
    println!("{txns:>7} {seconds:>8.2} {mib:>6} {:<22} {verdict:<10} {why}", level.name());
    Ok(())
}
