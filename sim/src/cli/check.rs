//! `stormproof check`: a recorded history, judged by values alone.

use std::path::{Path, PathBuf};

use serde_json::json;
use stormproof_oracle::formats::{Format, FormatError};
use stormproof_oracle::{CheckReport, Expectations, Level, Standing, check_file};

use super::output::write_file;
use super::terminal::{Terminal, out};
use super::{Done, Exit, Failure, JSON_FORMAT};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A history: of a run, of Jepsen, of dbcop, or a script
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Check this isolation level and those that it implies [default: all]
    #[arg(long, value_name = "LEVEL", long_help = levels())]
    level: Option<Level>,
    /// edn, jsonl, dbcop, text or script [default: by ending and content]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Number of search steps after which the order of unobserved writes stays undecided
    #[arg(long, value_name = "N", default_value_t = Expectations::default().search_steps_max)]
    steps: u64,
    /// Write the cycles that were found to this file, for Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write the cycles that were found to this file, as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: &Arguments, terminal: &Terminal) -> Done {
    let Arguments { file, level, format, steps, .. } = arguments;
    let report = check_file(file, *format, *level, *steps).map_err(|error| unreadable(file, &error))?;
    if let Some(path) = &arguments.dot {
        write_file(path, &report.dot())?;
    }
    if let Some(path) = &arguments.svg {
        write_file(path, &report.svg())?;
    }
    if arguments.json {
        terminal.document(&json!({ "format": JSON_FORMAT, "kind": "check", "file": file, "verdict": word(&report), "report": report }))?;
    } else {
        out!(terminal, "{}", report.text());
    }
    Ok(match report.standing() {
        Standing::Holds => Exit::Held,
        Standing::Violated => Exit::Violated,
        Standing::Unknown(_) => Exit::Unknown,
    })
}

fn word(report: &CheckReport) -> &'static str {
    match report.standing() {
        Standing::Holds => "holds",
        Standing::Violated => "violated",
        Standing::Unknown(_) => "unknown",
    }
}

fn levels() -> String {
    let names = Level::ALL.map(Level::name).join(", ");
    format!("Check this isolation level and those that it implies, of {names} [default: all]")
}

/// What happened, where, and what to do.
fn unreadable(file: &Path, error: &FormatError) -> Failure {
    let file = file.display();
    let formats = Format::NAMES.map(|(name, _)| name).join(", ");
    Failure::usage(match (error.line, error.column) {
        (0, 0) => format!("no history in {file}: {error}: give a file that is there, and its --format"),
        _ => format!("no history in {file}: {error}: correct it, or name its --format ({formats})"),
    })
}
