//! The error type of the engine. Every message ends with what to do.

use std::fmt;
use std::io;
use std::time::Duration;

use rt::sync::Arc;

use crate::conflict::{ConflictInfo, describe};
use crate::run_id::RunId;
use crate::tuple::KeyError;
use crate::types::Version;
use crate::value::{TooDeep, ValueError};

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Every message ends with what to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// Aborted: another transaction committed first. Nothing happened.
    Conflict(Vec<ConflictInfo>),

    /// Aborted as often as the retry policy allows. Nothing happened.
    MaxRetriesExceeded {
        /// How many attempts there were.
        attempts: u32,
        /// The conflicts of the last one.
        conflicts: Vec<ConflictInfo>,
    },

    /// Aborted: the transaction ran for too long. Nothing happened.
    Timeout {
        /// The limit.
        limit: Duration,
    },

    /// Aborted: the transaction grew too large. Nothing happened.
    LimitExceeded {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// What it would have had.
        actual: usize,
    },

    /// The transaction has ended already.
    NotActive {
        /// How it ended.
        status: &'static str,
    },

    /// A write in a read-only transaction, or in a database that was opened to be read.
    ReadOnly,

    /// No such run.
    RunNotFound(RunId),

    /// The run exists already.
    RunExists(RunId),

    /// The run has ended: it may read, and not write.
    RunEnded(RunId),

    /// The value has another type than asked for.
    Value(ValueError),

    /// The key is no ordered key of the type asked for.
    Key(KeyError),

    /// A key, value or argument that is not allowed.
    Invalid(String),

    /// A state machine is not in a state from which the transition is declared.
    InvalidTransition {
        /// The machine.
        machine: String,
        /// The state that it is in.
        from: String,
        /// The state that was asked for.
        to: String,
        /// The states that it may go to.
        allowed: Vec<String>,
    },

    /// Two entries of an event log do not fit together.
    BrokenChain {
        /// The stream.
        stream: String,
        /// The first entry that does not fit.
        sequence: u64,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// The commit may have happened whole, or not at all: the next recovery decides. Not an abort.
    Indeterminate {
        /// Why.
        cause: Arc<Error>,
    },

    /// No more writes: a sync failed, so that nothing is known of what it covered, or the directory is no
    /// longer the one that was opened. Reads go on.
    Poisoned {
        /// Why.
        cause: Arc<Error>,
    },

    /// A watch has a gap: what comes after the version that its reader has seen is no longer kept, or a
    /// crash took that version back.
    WatchBehind {
        /// What the reader has seen.
        seen: Version,
        /// The version at which to read anew, at least.
        read_at: Version,
    },

    /// The database is closed, or closing.
    Closed,

    /// No space left. Nothing happened, and writes work again once there is room.
    DiskFull {
        /// The file that could not grow.
        file: String,
    },

    /// An operation on a file failed.
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        file: String,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },

    /// What had been synced is damaged. Nothing was cut or overwritten.
    Corruption {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        problem: String,
    },

    /// A file that must be there is not.
    Missing {
        /// The file.
        file: String,
        /// How that is known.
        problem: String,
    },

    /// Written by a later version of this library.
    NewerFormat {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The latest that this library knows.
        supported: u32,
    },

    /// Written by an earlier version of this library, in a format that this one does not read.
    OlderFormat {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The version that this library knows.
        supported: u32,
    },

    /// The directory or its lock file was renamed, removed or replaced while the database was open. Nothing
    /// that lies at its path now was touched.
    Displaced {
        /// The path of the directory or the lock file.
        place: String,
        /// What happened to it.
        problem: String,
    },

    /// The process was forked from the one that opened the database, and so can't write to it.
    Forked,

    /// An entry under a name of a database is a link, or no file.
    NotAFile {
        /// The directory.
        directory: String,
        /// The name of the entry.
        file: String,
        /// What it is.
        kind: &'static str,
    },

    /// The database is open elsewhere, in this process or another.
    Locked {
        /// The directory.
        directory: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(content) => {
                write!(f, "conflict: {}: run the transaction again", describe(content))
            }
            Self::MaxRetriesExceeded { attempts, conflicts } => write!(
                f,
                "still in conflict after {attempts} attempts: {}: raise the retry limit, or contend less",
                describe(conflicts)
            ),
            Self::Timeout { limit } => write!(
                f,
                "the transaction passed its timeout of {limit:?}: do less in it, or raise the timeout"
            ),
            Self::LimitExceeded { what, limit, actual } => write!(
                f,
                "the transaction has {actual} {what}, more than the limit of {limit}: split it, or raise the limit"
            ),
            Self::NotActive { status } => write!(f, "the transaction is {status}: begin another one"),
            Self::ReadOnly => write!(
                f,
                "read-only: begin a transaction that may write, in a database that was opened for writing"
            ),
            Self::RunNotFound(content) => write!(f, "there is no run {content} in this database: begin one"),
            Self::RunExists(content) => {
                write!(f, "there is a run {content} already: begin one with another id")
            }
            Self::RunEnded(content) => write!(f, "the run {content} has ended: begin another one to write"),
            Self::Value(error) => fmt::Display::fmt(error, f),
            Self::Key(error) => fmt::Display::fmt(error, f),
            Self::Invalid(content) => write!(f, "{content}"),
            Self::InvalidTransition { machine, from, to, allowed } => write!(
                f,
                "{machine}: no transition from {from:?} to {to:?}: \
         from {from:?} it may go to {allowed:?}: go there, or declare the transition"
            ),
            Self::BrokenChain { stream, sequence, problem } => {
                write!(f, "event log {stream:?}: entry {sequence} {problem}: restore the data from a copy")
            }
            Self::Indeterminate { cause } => write!(
                f,
                "the outcome of the commit is not known ({cause}): read back what it wrote before you repeat it"
            ),
            Self::Poisoned { cause } => write!(
                f,
                "closed for writing ({cause}): reads go on; check the disk, then reopen the database"
            ),
            Self::WatchBehind { seen, read_at } => write!(
                f,
                "the watch can't go on behind {seen}: what follows is no longer kept, or a crash took {seen} back: \
                 read the state anew in a snapshot, which is at {read_at} or newer, and go on from its version"
            ),
            Self::Closed => write!(f, "the database is closed: open it again"),
            Self::DiskFull { file } => write!(f, "{file}: no space left: free some, then try again"),
            Self::Io { operation, file, source } => write!(
                f,
                "{file}: {operation} failed: {source}: check the disk and the rights on it, then try again"
            ),
            Self::Corruption { file, offset, problem } => write!(
                f,
                "{file}: damaged at byte {offset}: {problem}: \
         restore it from a copy, or open with salvage and lose what it reports"
            ),
            Self::Missing { file, problem } => write!(
                f,
                "{file} is missing: {problem}: \
         restore it from a copy, or open with salvage and lose what it reports"
            ),
            Self::NewerFormat { file, found, supported } => write!(
                f,
                "{file} has format version {found}, and this library reads up to {supported}: use a later one"
            ),
            Self::OlderFormat { file, found, supported } => write!(
                f,
                "{file} has format version {found}, and this library reads only {supported}: \
         open it with the version that wrote it, and copy what is in it to a new database"
            ),
            Self::Displaced { place, problem } => write!(
                f,
                "{place}: {problem} while the database was open, so nothing more is written: \
         close it, and put back what was there"
            ),
            Self::Forked => write!(
                f,
                "the database was opened before this process was forked, and belongs to the parent: \
         open databases after a fork, in one of the two"
            ),
            Self::NotAFile { directory, file, kind } => write!(
                f,
                "{directory}: {file} is {kind}, and a database needs its own files: \
         copy them with what links lead to (`cp -rL`), then open the copy"
            ),
            Self::Locked { directory } => write!(
                f,
                "{directory} is open elsewhere: close it there, or share one handle (they are cheap to clone)"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Value(error) => error.source(),
            Self::Key(error) => error.source(),
            Self::Indeterminate { cause, .. } => Some(&**cause),
            Self::Poisoned { cause, .. } => Some(&**cause),
            Self::Io { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

impl From<ValueError> for Error {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl Error {
    /// Returns whether nothing happened, and the same transaction may succeed if it is run again: at once
    /// after a conflict, later after a timeout or when there was no room.
    ///
    /// ```
    /// use stormproof::Error;
    ///
    /// assert!(Error::DiskFull { file: "wal".to_owned() }.is_retryable());
    /// assert!(!Error::ReadOnly.is_retryable());
    /// ```
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Conflict(_)
                | Self::MaxRetriesExceeded { .. }
                | Self::Timeout { .. }
                | Self::DiskFull { .. }
        )
    }

    /// Returns whether another transaction committed first: nothing happened, and running this one again may
    /// succeed.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// let mut txn = db.begin_transaction(run)?;
    /// txn.put("key", 1_i64)?;
    /// db.put(run, "key", 2_i64)?;
    /// assert!(txn.commit().is_err_and(|error| error.is_conflict()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Returns the error of an operation on a file; running out of space is a kind of its own.
    pub(crate) fn io(operation: &'static str, file: impl Into<String>, source: io::Error) -> Self {
        if let Some(env::Displaced { place, problem }) = env::displaced(&source) {
            Self::Displaced { place: place.clone(), problem: (*problem).to_owned() }
        } else if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::DiskFull { file: file.into() }
        } else {
            Self::Io { operation, file: file.into(), source: Arc::new(source) }
        }
    }
}

impl From<TooDeep> for Error {
    fn from(TooDeep { what, limit, actual }: TooDeep) -> Self {
        Self::LimitExceeded { what, limit, actual }
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
