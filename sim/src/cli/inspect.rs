//! `stormproof inspect`: the files of a database, without opening it.

use std::path::PathBuf;

use serde_json::{Value, json};
use stormproof::inspect::{InspectedCheckpoint, InspectedSegment, Inspection, SegmentEnd, inspect};

use super::terminal::{Terminal, out};
use super::{Done, Exit, Failure, JSON_FORMAT, verify};

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
    let disk = verify::disk(&arguments.dir)?;
    let inspection = inspect(&disk).map_err(|error| {
        Failure::usage(format!("{} can't be inspected: {error}", arguments.dir.display()))
    })?;
    if is_empty(&inspection) {
        return Err(verify::no_database(&arguments.dir));
    }
    if arguments.json {
        terminal.document(&inspection_document(&arguments.dir.display().to_string(), &inspection))?;
    } else {
        out!(terminal, "{inspection}");
    }
    Ok(Exit::Held)
}

/// Returns whether no file there is one of ours, whole or not.
fn is_empty(inspection: &Inspection) -> bool {
    let Inspection { database, checkpoints, segments, unfinished, salvaged, problems, .. } = inspection;
    database.is_none()
        && checkpoints.is_empty()
        && segments.is_empty()
        && unfinished.is_empty()
        && salvaged.is_empty()
        && problems.is_empty()
}

fn inspection_document(dir: &str, inspection: &Inspection) -> Value {
    let id = inspection.database.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let problems: Vec<_> = inspection.problems.iter().map(ToString::to_string).collect();
    json!({
        "format": JSON_FORMAT,
        "kind": "inspection",
        "dir": dir,
        "database": id,
        "checkpoints": inspection.checkpoints.iter().map(checkpoint).collect::<Vec<_>>(),
        "segments": inspection.segments.iter().map(segment).collect::<Vec<_>>(),
        "unfinished": inspection.unfinished,
        "salvaged": inspection.salvaged,
        "problems": problems,
    })
}

fn checkpoint(checkpoint: &InspectedCheckpoint) -> Value {
    json!({
        "file": checkpoint.name,
        "version": checkpoint.version.get(),
        "lsn": checkpoint.lsn.get(),
        "entries": checkpoint.entries,
    })
}

fn segment(segment: &InspectedSegment) -> Value {
    json!({
        "file": segment.name,
        "number": segment.number,
        "epoch": segment.epoch,
        "first_lsn": segment.first_lsn.get(),
        "records": segment.records,
        "commits": segment.commits,
        "writes": segment.writes,
        "bytes": segment.bytes,
        "first_version": segment.versions.map(|(first, _)| first.get()),
        "last_version": segment.versions.map(|(_, last)| last.get()),
        "end": end(&segment.end),
    })
}

fn end(end: &SegmentEnd) -> Value {
    match end {
        SegmentEnd::Sealed => json!({ "kind": "sealed" }),
        SegmentEnd::Open => json!({ "kind": "open" }),
        SegmentEnd::Torn { offset, bytes, records, damaged, problem } => json!({
            "kind": if *damaged { "damaged" } else { "torn" },
            "offset": offset,
            "bytes": bytes,
            "records": records,
            "problem": problem,
        }),
        other => json!({ "kind": format!("{other:?}") }),
    }
}
