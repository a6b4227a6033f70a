//! `stormproof load`: a new database from JSON lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use stormproof::{Database, DumpEntry};

use super::dump_format::{FORMAT, Line};
use super::terminal::{Terminal, outln};
use super::{Done, Exit, Failure};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The directory of the new database: it is created, or must be empty
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// What `stormproof dump` wrote; standard input if it is not given
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What is wrong with the input.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("line {line}: {problem}: give what `stormproof dump` wrote, whole")]
    Line { line: u64, problem: String },
    #[error(transparent)]
    Engine(#[from] stormproof::Error),
}

pub(super) fn execute(arguments: &Arguments, terminal: &Terminal) -> Done {
    let Arguments { dir, file } = arguments;
    let failed = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("nothing was loaded into {}: {why}", dir.display()))
    };
    let db = match file {
        Some(path) => read(open(path)?),
        None => read(io::stdin().lock()),
    };
    let db = db.map_err(|error| failed(&error))?;
    // By a backup: the directory holds all of it, durably, or nothing that opens.
    let written = db.backup_to(dir).map_err(|error| failed(&error))?;
    outln!(terminal, "loaded {} keys at version {} into {}", written.entries, written.version, dir.display());
    Ok(Exit::Held)
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let opened = File::open(path).map(BufReader::new);
    opened.map_err(|error| {
        Failure::usage(format!(
            "no dump in {}: {error}: give a file that `stormproof dump` wrote",
            path.display()
        ))
    })
}

/// Reads a dump to its end.
fn read(input: impl BufRead) -> Result<Database, LoadError> {
    let mut lines = Lines { input: input.lines(), line: 0, keys: 0, started: false, ended: false };
    let db = Database::load(std::iter::from_fn(|| lines.next_entry().transpose()))?;
    lines.check_end()?;
    Ok(db)
}

struct Lines<I> {
    input: I,
    line: u64,
    keys: u64,
    started: bool,
    ended: bool,
}

impl<I: Iterator<Item = io::Result<String>>> Lines<I> {
    fn next_entry(&mut self) -> Result<Option<DumpEntry>, LoadError> {
        for text in self.input.by_ref() {
            self.line += 1;
            let text = text.map_err(|error| wrong(self.line, &error))?;
            if text.trim().is_empty() {
                continue;
            }
            let line = serde_json::from_str(&text).map_err(|error| match error.is_data() {
                true => wrong(self.line, &"it is no key with its value, and neither begins nor ends a dump"),
                false => wrong(self.line, &error),
            })?;
            match line {
                _ if self.ended => return Err(wrong(self.line, &"something after the end")),
                Line::Start(start) if start.format > FORMAT => {
                    let problem = format!("format {}, and this binary reads up to {FORMAT}", start.format);
                    return Err(wrong(self.line, &problem));
                }
                Line::Start(_) if self.started => return Err(wrong(self.line, &"a second beginning")),
                Line::Start(_) => self.started = true,
                Line::End { keys } if keys == self.keys => self.ended = true,
                Line::End { keys } => {
                    let problem = format!("{} keys, and {keys} were dumped", self.keys);
                    return Err(wrong(self.line, &problem));
                }
                Line::Entry(entry) => {
                    self.keys += 1;
                    return entry.into_entry().map(Some).map_err(|problem| wrong(self.line, &problem));
                }
            }
        }
        Ok(None)
    }

    /// Checks that a dump with a first line has its last line too. Lines that a user wrote need neither.
    fn check_end(&self) -> Result<(), LoadError> {
        if self.started && !self.ended {
            Err(wrong(self.line, &"the dump is cut off behind it"))
        } else {
            Ok(())
        }
    }
}

fn wrong(line: u64, problem: &dyn std::fmt::Display) -> LoadError {
    LoadError::Line { line, problem: problem.to_string() }
}
