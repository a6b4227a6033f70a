//! `stormproof verify`: whether a database would open, without opening it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stormproof::inspect::verify;
use stormproof::{Error, RecoveryReport};
use stormproof_env::StdDisk;

use super::terminal::{Terminal, out, outln};
use super::{Done, Exit, Failure, JSON_FORMAT};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The directory of a database; nothing in it is changed
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: &Arguments, terminal: &Terminal) -> Done {
    let Arguments { dir, json } = arguments;
    match verify(&disk(dir)?) {
        Ok(report) if report.created => Err(no_database(dir)),
        Ok(report) => {
            if *json {
                terminal.document(&json!({ "format": JSON_FORMAT, "kind": "verification", "dir": dir, "verdict": "whole", "recovery": recovery(&report) }))?;
            } else {
                out!(terminal, "{}", words(&report));
            }
            Ok(Exit::Held)
        }
        Err(error) if is_damage(&error) => {
            if *json {
                terminal.document(&json!({ "format": JSON_FORMAT, "kind": "verification", "dir": dir, "verdict": "damaged", "damage": damage(&error) }))?;
            } else {
                outln!(terminal, "DAMAGED: {error}");
            }
            Ok(Exit::Violated)
        }
        Err(error) => Err(Failure::usage(format!("{} can't be verified: {error}", dir.display()))),
    }
}

/// Opens the directory as a disk of the engine.
pub(super) fn disk(dir: &Path) -> Result<StdDisk, Failure> {
    StdDisk::open(dir).map_err(|error| {
        Failure::usage(format!("no database in {}: {error}: give the directory of one", dir.display()))
    })
}

pub(super) fn no_database(dir: &Path) -> Failure {
    let dir = dir.display();
    Failure::usage(format!(
        "no database in {dir}: none of its files is one of ours: give the directory of one"
    ))
}

/// Returns whether the files are to blame, and not this binary or the way to them.
fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Corruption { .. } | Error::Missing { .. } | Error::BrokenChain { .. })
}

fn damage(error: &Error) -> Value {
    let (file, offset) = match error {
        Error::Corruption { file, offset, .. } => (Some(file), Some(*offset)),
        Error::Missing { file, .. } => (Some(file), None),
        _ => (None, None),
    };
    json!({ "file": file, "offset": offset, "message": error.to_string() })
}

fn recovery(report: &RecoveryReport) -> Value {
    json!({
        "checkpoint_version": report.checkpoint_version.map(|version| version.get()),
        "checkpoint_entries": report.checkpoint_entries,
        "segments": report.segments,
        "log_bytes": report.log_bytes,
        "commits": report.commits,
        "writes": report.writes,
        "commits_in_checkpoint": report.commits_in_checkpoint,
        "withdrawn": report.withdrawn,
        "last_version": report.last_version.get(),
        "end_lsn": report.end.get(),
        "torn_bytes": report.torn_bytes,
        "torn_records": report.torn_records,
    })
}

fn words(report: &RecoveryReport) -> String {
    let mut text = format!("whole: an open would recover version {}\n", report.last_version);
    if let Some(version) = report.checkpoint_version {
        text += &format!("checkpoint  {} keys at {version}\n", report.checkpoint_entries);
    }
    text += &format!(
        "log         {} commits with {} writes, {} bytes in {} segments\n",
        report.commits, report.writes, report.log_bytes, report.segments
    );
    if report.torn_bytes > 0 {
        text += &format!(
            "torn tail   {} bytes with {} records, never acked as durable: an open drops them\n",
            report.torn_bytes, report.torn_records
        );
    }
    text
}
