//! The error type of the engine. Every message ends with what to do.

use std::io;
use std::time::Duration;

use rt::sync::Arc;

use crate::conflict::{ConflictInfo, describe};
use crate::run_id::RunId;
use crate::tuple::KeyError;
use crate::value::{TooDeep, ValueError};

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Every message ends with what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Aborted: another transaction committed first. Nothing happened.
    #[error("conflict: {}: run the transaction again", describe(.0))]
    Conflict(Vec<ConflictInfo>),

    /// Aborted as often as the retry policy allows. Nothing happened.
    #[error(
        "still in conflict after {attempts} attempts: {}: raise the retry limit, or contend less",
        describe(.conflicts)
    )]
    MaxRetriesExceeded {
        /// How many attempts there were.
        attempts: u32,
        /// The conflicts of the last one.
        conflicts: Vec<ConflictInfo>,
    },

    /// Aborted: the transaction ran for too long. Nothing happened.
    #[error("the transaction passed its timeout of {limit:?}: do less in it, or raise the timeout")]
    Timeout {
        /// The limit.
        limit: Duration,
    },

    /// Aborted: the transaction grew too large. Nothing happened.
    #[error(
        "the transaction has {actual} {what}, more than the limit of {limit}: split it, or raise the limit"
    )]
    LimitExceeded {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// What it would have had.
        actual: usize,
    },

    /// The transaction has ended already.
    #[error("the transaction is {status}: begin another one")]
    NotActive {
        /// How it ended.
        status: &'static str,
    },

    /// A write in a read-only transaction, or in a database that was opened to be read.
    #[error("read-only: begin a transaction that may write, in a database that was opened for writing")]
    ReadOnly,

    /// No such run.
    #[error("there is no run {0} in this database: begin one")]
    RunNotFound(RunId),

    /// The run exists already.
    #[error("there is a run {0} already: begin one with another id")]
    RunExists(RunId),

    /// The run has ended: it may read, and not write.
    #[error("the run {0} has ended: begin another one to write")]
    RunEnded(RunId),

    /// The value has another type than asked for.
    #[error(transparent)]
    Value(#[from] ValueError),

    /// The key is no ordered key of the type asked for.
    #[error(transparent)]
    Key(#[from] KeyError),

    /// A key, value or argument that is not allowed.
    #[error("{0}")]
    Invalid(String),

    /// A state machine is not in a state from which the transition is declared.
    #[error(
        "{machine}: no transition from {from:?} to {to:?}: \
         from {from:?} it may go to {allowed:?}: go there, or declare the transition"
    )]
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
    #[error("event log {stream:?}: entry {sequence} {problem}: restore the data from a copy")]
    BrokenChain {
        /// The stream.
        stream: String,
        /// The first entry that does not fit.
        sequence: u64,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// The commit may have happened whole, or not at all: the next recovery decides. Not an abort.
    #[error("the outcome of the commit is not known ({cause}): read back what it wrote before you repeat it")]
    Indeterminate {
        /// Why.
        #[source]
        cause: Arc<Error>,
    },

    /// No more writes: a sync failed, so that nothing is known of what it covered, or the directory is no
    /// longer the one that was opened. Reads go on.
    #[error("closed for writing ({cause}): reads go on; check the disk, then reopen the database")]
    Poisoned {
        /// Why.
        #[source]
        cause: Arc<Error>,
    },

    /// The database is closed, or closing.
    #[error("the database is closed: open it again")]
    Closed,

    /// No space left. Nothing happened, and writes work again once there is room.
    #[error("{file}: no space left: free some, then try again")]
    DiskFull {
        /// The file that could not grow.
        file: String,
    },

    /// An operation on a file failed.
    #[error("{file}: {operation} failed: {source}: check the disk and the rights on it, then try again")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        file: String,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },

    /// What had been synced is damaged. Nothing was cut or overwritten.
    #[error(
        "{file}: damaged at byte {offset}: {problem}: \
         restore it from a copy, or open with salvage and lose what it reports"
    )]
    Corruption {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        problem: String,
    },

    /// A file that must be there is not.
    #[error(
        "{file} is missing: {problem}: \
         restore it from a copy, or open with salvage and lose what it reports"
    )]
    Missing {
        /// The file.
        file: String,
        /// How that is known.
        problem: String,
    },

    /// Written by a later version of this library.
    #[error("{file} has format version {found}, and this library reads up to {supported}: use a later one")]
    NewerFormat {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The latest that this library knows.
        supported: u32,
    },

    /// Written by an earlier version of this library, in a format that this one does not read.
    #[error(
        "{file} has format version {found}, and this library reads only {supported}: \
         open it with the version that wrote it, and copy what is in it to a new database"
    )]
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
    #[error(
        "{place}: {problem} while the database was open, so nothing more is written: \
         close it, and put back what was there"
    )]
    Displaced {
        /// The path of the directory or the lock file.
        place: String,
        /// What happened to it.
        problem: String,
    },

    /// The process was forked from the one that opened the database, and so can't write to it.
    #[error(
        "the database was opened before this process was forked, and belongs to the parent: \
         open databases after a fork, in one of the two"
    )]
    Forked,

    /// An entry under a name of a database is a link, or no file.
    #[error(
        "{directory}: {file} is {kind}, and a database needs its own files: \
         copy them with what links lead to (`cp -rL`), then open the copy"
    )]
    NotAFile {
        /// The directory.
        directory: String,
        /// The name of the entry.
        file: String,
        /// What it is.
        kind: &'static str,
    },

    /// The database is open elsewhere, in this process or another.
    #[error("{directory} is open elsewhere: close it there, or share one handle (they are cheap to clone)")]
    Locked {
        /// The directory.
        directory: String,
    },
}

impl Error {
    /// Whether nothing happened, and the same transaction may succeed if it is run again: at once after a
    /// conflict, later after a timeout or when there was no room.
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

    /// Whether another transaction committed first: nothing happened, and running this one again may succeed.
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

    /// The error of an operation on a file; running out of space is a kind of its own.
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
