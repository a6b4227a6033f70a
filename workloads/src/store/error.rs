//! Why an operation of a store failed: conflicts, by the rule that was broken, and the rest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Key, Range, Version};

/// Which rule a commit broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// A written key was written by another since the snapshot.
    Write,
    /// A conditional write's condition no longer holds.
    Cas,
    /// A key that was read was written by another since the snapshot.
    Read,
    /// A scanned range gained, lost or changed a key since the snapshot.
    Range,
}

/// One conflict of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conflict {
    /// Which rule.
    pub kind: ConflictKind,
    /// The key; of a range, the one that changed if the range itself is told, else its start.
    pub key: Key,
    /// The version at which the winner wrote, where the store reports it.
    pub winner: Option<Version>,
    /// The range that was scanned, where the store tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// The version that the loser had read, or its snapshot, where the store tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Version>,
}

impl Conflict {
    /// A conflict of which the store tells no more.
    pub const fn new(kind: ConflictKind, key: Key, winner: Option<Version>) -> Self {
        Self { kind, key, winner, range: None, seen: None }
    }
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreError {
    /// Aborted, nothing happened: running the transaction again may succeed.
    Conflict(Vec<Conflict>),
    /// The outcome is not known: the transaction may survive whole, or not at all.
    Indeterminate(String),
    /// The store is out of space; nothing happened.
    Full(String),
    /// The store accepts no writes any more (a sync failed, or it was closed); nothing happened.
    Closed(String),
    /// The transaction passed a limit that it was given; nothing happened.
    Limit {
        /// Of what.
        what: String,
        /// The limit.
        limit: u64,
        /// How much there was.
        actual: u64,
    },
    /// The transaction passed the time that it was given; nothing happened.
    TimedOut {
        /// That time.
        micros: u64,
    },
    /// The client gave up in the middle, with an error of its own; nothing happened.
    GaveUp,
    /// The operation was refused, for a reason that running it again does not change.
    Refused(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(conflicts) => {
                write!(f, "conflict on {} keys: run the transaction again", conflicts.len())
            }
            Self::Indeterminate(why) => write!(f, "the outcome is not known: {why}"),
            Self::Full(why) => write!(f, "out of space: {why}"),
            Self::Closed(why) => write!(f, "closed for writing: {why}"),
            Self::Limit { what, limit, actual } => write!(f, "{actual} {what}, more than {limit}"),
            Self::TimedOut { micros } => write!(f, "the time of {micros} µs is over"),
            Self::GaveUp => write!(f, "the client gave up"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// What happened, or why it did not.
pub type Result<T> = std::result::Result<T, StoreError>;
