//! Histories of other systems, and ours, as files.
//!
//! Job: a file to a [`History`], or an error with line and column. Not its job: judging it
//! ([`crate::check_file`]).

mod dbcop;
mod edn;
mod elle;
pub mod script;
mod text;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::str::FromStr;

use stormproof_workloads::History;
use stormproof_workloads::history::{JsonlError, Op, Outcome, Session, Time, Txn, TxnIndex, read_jsonl};
use stormproof_workloads::store::{Isolation, Read};

/// How a history is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Jepsen's operations in EDN, for Elle's list-append and rw-register.
    Edn,
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
    /// All, as named on the command line.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("edn", Self::Edn),
        ("jsonl", Self::Jsonl),
        ("dbcop", Self::Dbcop),
        ("text", Self::Text),
        ("script", Self::Script),
    ];

    /// By the file's extension, or else by its first bytes.
    pub fn detect(path: &Path, bytes: &[u8]) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        match extension {
            "edn" => return Self::Edn,
            "jsonl" | "ndjson" => return Self::Jsonl,
            "bincode" | "dbcop" => return Self::Dbcop,
            "script" => return Self::Script,
            _ => {}
        }
        let head = bytes.trim_ascii_start();
        match head.first() {
            Some(b'r' | b'w') if head.get(1) == Some(&b'(') => Self::Text,
            Some(b'{') if head.starts_with(b"{\"event\"") => Self::Jsonl,
            Some(b'{') if head[1..].trim_ascii_start().starts_with(b"\"") => Self::Dbcop,
            Some(b'{' | b'[' | b';' | b'#') => Self::Edn,
            _ => Self::Dbcop,
        }
    }
}

/// The name is not that of a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no format \"{0}\"; the formats are edn, jsonl, dbcop, text and script")]
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
    /// Which line, from 1; 0 if it is not about a line.
    pub line: usize,
    /// Which column, from 1; 0 if it is not about a column. In binary files, the byte.
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
        /// What a file holds may be quoted, but not at any length.
        const LENGTH_MAX: usize = 300;
        let mut message = message.into();
        if let Some((cut, _)) = message.char_indices().nth(LENGTH_MAX) {
            message.truncate(cut);
            message.push('…');
        }
        Self { line, column, message }
    }
}

/// A history that was read.
#[derive(Clone, Debug)]
pub struct Input {
    /// The history.
    pub history: History,
    /// Whether its times say anything: without, no level that needs real time can be said to hold.
    pub timed: bool,
}

/// Reads a file; our own format line by line, the others as a whole.
///
/// # Errors
/// When it can't be read or is not in that format.
pub fn read_file(path: &Path, format: Option<Format>) -> Result<Input, FormatError> {
    let unreadable =
        |error: io::Error| FormatError::new(0, 0, format!("{} can't be read: {error}", path.display()));
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let head = reader.fill_buf().map_err(unreadable)?;
    let format = format.unwrap_or_else(|| Format::detect(path, head));
    if format == Format::Jsonl {
        return lines(reader);
    }
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(unreadable)?;
    read(&bytes, format)
}

/// Reads bytes.
///
/// # Errors
/// When they are not in that format.
pub fn read(bytes: &[u8], format: Format) -> Result<Input, FormatError> {
    match format {
        Format::Edn => elle::read(utf8(bytes)?),
        Format::Jsonl => lines(bytes),
        Format::Dbcop => dbcop::read(bytes),
        Format::Text => text::read(utf8(bytes)?),
        Format::Script => Ok(Input { history: script::parse(utf8(bytes)?)?.history, timed: true }),
    }
}

fn lines(reader: impl BufRead) -> Result<Input, FormatError> {
    Ok(Input { history: read_jsonl(reader).map_err(|error| jsonl(&error))?, timed: true })
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

/// A transaction whose times say nothing: it began before all were answered.
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

/// Register histories say "never written" as 0: a read of 0 that was never written is a read of nothing.
fn zero_is_nothing(txns: &mut [Txn]) {
    let mut written: crate::view::Map<Vec<u8>, ()> = crate::view::Map::default();
    for op in txns.iter().flat_map(|txn| &txn.ops) {
        if let Op::Put { key, value } = op
            && value == b"0"
        {
            written.insert(key.clone(), ());
        }
    }
    for op in txns.iter_mut().flat_map(|txn| &mut txn.ops) {
        if let Op::Get { key, read } = op
            && read.value.as_deref() == Some(b"0")
            && !written.contains_key(key)
        {
            *read = Read::default();
        }
    }
}
