//! Files of results: written line by line while a campaign runs, read when shards are merged.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use stormproof_rt::sync::{Arc, Mutex};
use stormproof_rt::time;

use super::message::{FORMAT, Message};

/// Lines reach the file after at most this time, so that a killed campaign leaves nearly all that it found.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// Writes results to a file, or discards them if there is none.
///
/// After an error it writes no more and keeps the reason: the campaign goes on, so that what it finds is not
/// lost with the file.
#[derive(Clone, Debug)]
pub struct ResultsWriter(Arc<Mutex<Sink>>);

#[derive(Debug)]
struct Sink {
    file: Option<BufWriter<File>>,
    flushed: time::Instant,
    error: Option<String>,
}

impl ResultsWriter {
    /// Creates a writer that discards everything.
    pub fn nowhere() -> Self {
        Self::to(None)
    }

    /// Creates a writer to a new file.
    ///
    /// # Errors
    /// When the file can't be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self::to(Some(File::create(path)?)))
    }

    fn to(file: Option<File>) -> Self {
        let sink = Sink { file: file.map(BufWriter::new), flushed: time::now(), error: None };
        Self(Arc::new(Mutex::new("sweep.results", sink)))
    }

    /// Writes a line.
    pub fn write(&self, message: &Message) {
        let mut sink = self.0.lock();
        let Sink { file: Some(file), flushed, .. } = &mut *sink else { return };
        let now = time::now();
        let due = now.saturating_since(*flushed) >= FLUSH_EVERY || matches!(message, Message::End(_));
        let written = serde_json::to_vec(message).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)?;
            if due { file.flush() } else { Ok(()) }
        });
        if due {
            *flushed = now;
        }
        if let Err(error) = written {
            sink.error = Some(error.to_string());
            sink.file = None;
        }
    }

    /// Returns the error after which it writes no more, if there was one.
    pub fn error(&self) -> Option<String> {
        self.0.lock().error.clone()
    }
}

/// A file holds no results.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// It can't be read.
    #[error("{} can't be read: {source}: give a file that is there, and text", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none of results.
    #[error(
        "{} holds no results of a sweep: line {line}: {source}: give a seed, a trace file, a report as JSON, or files of \
         `sweep --out`", .path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// It was written by other code.
    #[error(
        "{} can't be merged: it has results of format {found}, and this binary reads format {FORMAT}: merge it with the \
         binary that wrote it, or run the sweep again", .path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// The part of the first line that every format has.
#[derive(Deserialize)]
struct AnyStart {
    start: Option<AnyFormat>,
}

#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

/// Reads a file, message by message; an empty one has none. Returns whether its last line is torn: the
/// campaign was killed while it wrote.
///
/// # Errors
/// When it can't be read, or holds something else.
pub fn read_results(path: &Path, mut each: impl FnMut(Message)) -> Result<bool, ResultsError> {
    let io = |source| ResultsError::Io { path: path.to_owned(), source };
    let mut input = BufReader::new(File::open(path).map_err(io)?);
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        if input.read_line(&mut text).map_err(io)? == 0 {
            break;
        }
        if line == 1 {
            check_format(path, &text)?;
        }
        match serde_json::from_str(&text) {
            Ok(message) => each(message),
            Err(_) if !text.ends_with('\n') => return Ok(true),
            Err(source) => return Err(ResultsError::Line { path: path.to_owned(), line, source }),
        }
    }
    Ok(false)
}

/// Checks the format by the first line; results of format 1 do not name it.
fn check_format(path: &Path, first: &str) -> Result<(), ResultsError> {
    let is_old = ["{\"seed\":", "{\"batch\":"].iter().any(|old| first.starts_with(old));
    let found = match serde_json::from_str::<AnyStart>(first) {
        Ok(AnyStart { start: Some(start) }) => start.format,
        Ok(AnyStart { start: None }) if is_old => 1,
        // Something else altogether, or torn: parsing the line reports what is wrong with it.
        _ => FORMAT,
    };
    if found == FORMAT { Ok(()) } else { Err(ResultsError::Format { path: path.to_owned(), found }) }
}
