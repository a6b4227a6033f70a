//! `stormproof dump`: a whole database as JSON lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use stormproof::{Database, DumpEntry};

use super::dump_format::{Line, Start};
use super::terminal::Terminal;
use super::{Done, Exit, Failure};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The directory of a database, which no process has open; nothing in it is changed
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Leave out who wrote what, and when: a load gives all keys one version
    #[arg(long)]
    plain: bool,
    /// Write to this file and not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why a dump ends early.
enum Stop {
    /// The reader has seen enough.
    Closed,
    Failed(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Failed(error.to_string()) }
    }
}

pub(super) fn execute(arguments: &Arguments, terminal: &Terminal) -> Done {
    let Arguments { dir, plain, out } = arguments;
    let failed =
        |why: &dyn std::fmt::Display| Failure::usage(format!("{} can't be dumped: {why}", dir.display()));
    super::verify::disk(dir)?;
    let db = Database::builder().dir(dir).read_only().open().map_err(|error| failed(&error))?;
    let written = match out {
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                Failure::usage(format!("{} can't be written: {error}: name a file", path.display()))
            })?;
            write(&db, *plain, BufWriter::new(file))
        }
        None => write(&db, *plain, BufWriter::new(io::stdout().lock())),
    };
    match written {
        Ok(keys) => {
            terminal.note(&format!("dumped {keys} keys at version {}", db.version()));
            Ok(Exit::Held)
        }
        Err(Stop::Closed) => Ok(Exit::Held),
        Err(Stop::Failed(why)) => Err(Failure::own(why)),
    }
}

/// Writes all lines; returns how many keys there were.
fn write(db: &Database, plain: bool, mut out: impl Write) -> Result<u64, Stop> {
    let mut line = |line: &Line| -> Result<(), Stop> {
        serde_json::to_writer(&mut out, line).map_err(io::Error::from)?;
        Ok(out.write_all(b"\n")?)
    };
    line(&Line::Start(Start::of(db.version().get(), !plain)))?;
    let mut keys = 0;
    db.dump(|entry: DumpEntry| {
        keys += 1;
        line(&Line::of(&entry, plain))
    })?;
    line(&Line::End { keys })?;
    out.flush()?;
    Ok(keys)
}
