//! Histories of other systems, and ours, as files.
//!
//! Job: turn a file into a [`History`], or into an error with line and column. Not its job: judging it
//! ([`crate::check_file`]).

mod dbcop;
mod detect;
pub(crate) mod edn;
mod edn_reader;
mod elle;
mod initial;
pub(crate) mod jepsen;
mod json;
pub mod script;
mod text;

pub use initial::Initial;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::str::FromStr;

use flate2::bufread::MultiGzDecoder;
use stormproof_workloads::History;
use stormproof_workloads::history::{JsonlError, Op, Outcome, Session, Time, Txn, TxnIndex, read_jsonl};
use stormproof_workloads::store::Isolation;

/// The format of a history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Jepsen's operations in EDN, for Elle's list-append and rw-register and for the workloads of
    /// [`crate::models`].
    Edn,
    /// Jepsen's operations in JSON, as `elle-cli` reads them.
    Json,
    /// Our events, one JSON object a line.
    Jsonl,
    /// dbcop's bincode or JSON.
    Dbcop,
    /// One operation a line: `r(key,value,session,transaction)` or `w(…)`, as PolySI and Plume read it.
    Text,
    /// Our script for people, see [`script`].
    Script,
}

impl Format {
    /// All formats, as named on the command line.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("edn", Self::Edn),
        ("json", Self::Json),
        ("jsonl", Self::Jsonl),
        ("dbcop", Self::Dbcop),
        ("text", Self::Text),
        ("script", Self::Script),
    ];

    /// Returns the format by the file's ending and the structure of its first bytes, or none if neither
    /// tells.
    pub fn detect(path: &Path, bytes: &[u8]) -> Option<Self> {
        detect::detect(path, bytes)
    }
}

/// An unknown name of a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no format \"{0}\"; the formats are {names}", names = Format::NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Self::NAMES.iter().find(|(other, _)| *other == name);
        found.map(|(_, format)| *format).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// A file that is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FormatError {
    /// The line, from 1; 0 if it is not about a line.
    pub line: usize,
    /// The column, from 1; 0 if it is not about a column. In binary files, the byte.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, 0) => write!(f, "{}", self.message),
            (0, byte) => write!(f, "byte {byte}: {}", self.message),
            (line, 0) => write!(f, "line {line}: {}", self.message),
            (line, column) => write!(f, "line {line}, column {column}: {}", self.message),
        }
    }
}

impl FormatError {
    pub(crate) fn new(line: usize, column: usize, message: impl Into<String>) -> Self {
        /// The contents of a file may be quoted, but not at any length.
        const LENGTH_MAX: usize = 300;
        let mut message = message.into();
        if let Some((cut, _)) = message.char_indices().nth(LENGTH_MAX) {
            message.truncate(cut);
            message.push('…');
        }
        Self { line, column, message }
    }
}

/// The place of a transaction in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The line of its last operation, from 1; 0 if the file has no lines.
    pub line: u32,
    /// The index of that operation.
    pub index: u32,
}

/// The notation of keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notation {
    /// Bytes of a store.
    #[default]
    Bytes,
    /// Plain text.
    Text,
    /// Canonical EDN: shown as it is.
    Edn,
}

/// Operations of a file that are not judged.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LeftOut {
    /// Which ones, in words.
    pub what: String,
    /// How many.
    pub count: u64,
}

/// A history that was read from a file.
#[derive(Clone, Debug)]
pub struct Input {
    /// The history.
    pub history: History,
    /// Whether its times mean anything: without times no level that needs real time can be said to hold.
    pub timed: bool,
    /// The notation of keys and values.
    pub notation: Notation,
    /// By transaction: its place in the file; empty if the format has no places.
    pub origins: Vec<Origin>,
    /// By session: the name of its process in the file.
    pub processes: Vec<String>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

impl Input {
    /// Creates a history that did not come from a file.
    pub fn of(history: History) -> Self {
        let (origins, processes, left_out) = (Vec::new(), Vec::new(), Vec::new());
        Self { history, timed: true, notation: Notation::Bytes, origins, processes, left_out }
    }
}

/// Maximum size of a file after decompression, in bytes.
const BYTES_MAX: u64 = 8 << 30;
/// Maximum length of a line of JSON lines, in bytes.
const LINE_MAX: u64 = 64 << 20;

/// Reads a file, gzipped or not; our own format line by line, the others as a whole.
///
/// # Errors
/// When it can't be read or is not in that format.
pub fn read_file(path: &Path, format: Option<Format>) -> Result<Input, FormatError> {
    read_file_with(path, format, &Initial::Default)
}

/// Reads a file whose registers begin with `initial`.
///
/// # Errors
/// When it can't be read or is not in that format.
pub fn read_file_with(path: &Path, format: Option<Format>, initial: &Initial) -> Result<Input, FormatError> {
    let mut input = with_content(path, format, |format, reader| match format {
        Format::Jsonl => lines(reader),
        format => parse(&whole(reader)?, format),
    })?;
    initial.apply(&mut input);
    Ok(input)
}

/// Returns the bytes of a file, decompressed, and its format.
pub(crate) fn content(path: &Path, format: Option<Format>) -> Result<(Vec<u8>, Format), FormatError> {
    with_content(path, format, |format, reader| Ok((whole(reader)?, format)))
}

fn with_content<T>(
    path: &Path,
    format: Option<Format>,
    read: impl FnOnce(Format, &mut dyn BufRead) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let unreadable =
        |error: io::Error| FormatError::new(0, 0, format!("{} can't be read: {error}", path.display()));
    let mut file = BufReader::with_capacity(detect::HEAD, File::open(path).map_err(unreadable)?);
    let gzipped = file.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let mut reader: Box<dyn BufRead> = match gzipped {
        true => Box::new(BufReader::with_capacity(detect::HEAD, MultiGzDecoder::new(file))),
        false => Box::new(file),
    };
    let head = reader.fill_buf().map_err(unreadable)?;
    let format = format.or_else(|| Format::detect(path, head)).ok_or_else(|| {
        let what = if head.trim_ascii().is_empty() {
            "it is empty"
        } else {
            "neither its name nor its content tells its format"
        };
        FormatError::new(1, 1, what)
    })?;
    read(format, &mut reader)
}

fn whole(reader: &mut dyn BufRead) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::new();
    let read = reader.take(BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| FormatError::new(0, 0, format!("it can't be read to its end: {error}")))?;
    if bytes.len() as u64 == BYTES_MAX {
        return Err(FormatError::new(0, 0, format!("it is larger than {} GiB", BYTES_MAX >> 30)));
    }
    Ok(bytes)
}

/// Reads bytes whose registers begin as is usual in their format.
///
/// # Errors
/// When they are not in that format.
pub fn read(bytes: &[u8], format: Format) -> Result<Input, FormatError> {
    let mut input = parse(bytes, format)?;
    Initial::Default.apply(&mut input);
    Ok(input)
}

fn parse(bytes: &[u8], format: Format) -> Result<Input, FormatError> {
    match format {
        Format::Edn => elle::read(bytes, false),
        Format::Json => elle::read(bytes, true),
        Format::Jsonl => lines(bytes),
        Format::Dbcop => dbcop::read(bytes),
        Format::Text => text::read(utf8(bytes)?),
        Format::Script => Ok(Input::of(script::parse(utf8(bytes)?)?.history)),
    }
}

fn lines(reader: impl BufRead) -> Result<Input, FormatError> {
    let bounded = BoundedLines { reader, left: LINE_MAX };
    Ok(Input::of(read_jsonl(bounded).map_err(|error| jsonl(&error))?))
}

/// A reader that refuses lines longer than [`LINE_MAX`], so that no line takes all memory.
struct BoundedLines<R> {
    reader: R,
    /// Bytes that the current line may still have.
    left: u64,
}

impl<R: BufRead> io::Read for BoundedLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl<R: BufRead> BufRead for BoundedLines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            let mib = LINE_MAX >> 20;
            return Err(io::Error::other(format!("this line is longer than {mib} MiB")));
        }
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        let read = self.reader.fill_buf().map_or(&[][..], |buffer| &buffer[..amount.min(buffer.len())]);
        self.left = match read.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => LINE_MAX.saturating_sub((read.len() - end - 1) as u64),
            None => self.left.saturating_sub(read.len() as u64),
        };
        self.reader.consume(amount);
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, FormatError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        FormatError::new(line, column, "this is not UTF-8 text")
    })
}

fn jsonl(error: &JsonlError) -> FormatError {
    match error {
        JsonlError::Syntax { line, column, message } => {
            FormatError::new(*line, (*column).max(1), message.clone())
        }
        JsonlError::Io { line, .. } | JsonlError::Fold { line, .. } => {
            FormatError::new(*line, 1, error.to_string())
        }
    }
}

/// Returns a transaction whose times say nothing: it began before all were answered.
fn untimed(index: usize, session: Session, ops: Vec<Op>, committed: bool) -> Txn {
    let outcome = match committed {
        true => Outcome::Committed { invoked: Time::MAX, acked: Time::MAX, version: None, durable: None },
        false => Outcome::Aborted { at: Time::MAX, conflicts: Vec::new() },
    };
    Txn {
        index: TxnIndex::try_from(index).unwrap_or(TxnIndex::MAX),
        session,
        life: 0,
        begun: index as Time,
        start_version: None,
        isolation: Isolation::Serializable,
        ops,
        outcome,
    }
}
