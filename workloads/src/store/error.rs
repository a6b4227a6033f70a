//! Why an operation of a store failed: conflicts, by the rule that was broken, and the rest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Key, Version};

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
    /// The key, or the start of the range.
    pub key: Key,
    /// The version at which the winner wrote, where the store reports it.
    pub winner: Option<Version>,
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
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// What happened, or why it did not.
pub type Result<T> = std::result::Result<T, StoreError>;
