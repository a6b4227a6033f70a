//! Conflicts: why a transaction may not commit.

use std::fmt;

use env::UnixMillis;

use crate::key::Key;
use crate::types::Version;
use crate::value::Value;

/// One conflict: which rule of the contract (contract §3) the commit would break.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// db.put(run, "key", 1_i64)?;
/// let mut txn = db.begin_transaction(run)?;
/// txn.put("key", 2_i64)?;
/// db.put(run, "key", 3_i64)?;
/// let Err(stormproof::Error::Conflict(conflicts)) = txn.commit() else { panic!("the other was first") };
/// assert_eq!(conflicts[0].key().user_key(), b"key");
/// assert_eq!(conflicts[0].current(), db.version());
/// println!("{}", conflicts[0]);
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConflictInfo {
    /// A key that was read has been written by another since the snapshot.
    ReadConflict {
        /// The key.
        key: Key,
        /// The version that was read: 0 for a key that never existed.
        read: Version,
        /// The version that it has now.
        current: Version,
    },
    /// A key that would be written has been written by another since the snapshot.
    WriteConflict {
        /// The key.
        key: Key,
        /// The snapshot.
        start: Version,
        /// The version that it has now.
        current: Version,
    },
    /// The condition of a conditional write does not hold.
    CasConflict {
        /// The key.
        key: Key,
        /// What was expected.
        expected: CasExpectation,
        /// The version that it has now.
        current: Version,
    },
    /// A range that was scanned has gained, lost or changed a key since the snapshot.
    RangeConflict {
        /// First key of the range.
        start: Key,
        /// First key after the range; `None` if it goes on to the last key.
        end: Option<Key>,
        /// A key in the range that has changed.
        key: Key,
        /// The version that it has now.
        current: Version,
    },
    /// A key that was read has expired since the transaction began.
    Expired {
        /// The key.
        key: Key,
        /// The version that was read, and that it still has.
        current: Version,
        /// When it expired.
        at: UnixMillis,
    },
}

/// The condition of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CasExpectation {
    /// The key has this version; 0: it never existed.
    Version(Version),
    /// The key has this value.
    Value(Value),
    /// The key is absent.
    Absent,
}

impl ConflictInfo {
    /// Returns the key that conflicts.
    pub const fn key(&self) -> &Key {
        match self {
            Self::ReadConflict { key, .. }
            | Self::WriteConflict { key, .. }
            | Self::CasConflict { key, .. }
            | Self::RangeConflict { key, .. }
            | Self::Expired { key, .. } => key,
        }
    }

    /// Returns the version of that key now: the commit that won, or of a key that expired, the value whose
    /// time is over.
    pub const fn current(&self) -> Version {
        match self {
            Self::ReadConflict { current, .. }
            | Self::WriteConflict { current, .. }
            | Self::CasConflict { current, .. }
            | Self::RangeConflict { current, .. }
            | Self::Expired { current, .. } => *current,
        }
    }
}

impl fmt::Display for ConflictInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadConflict { key, read, current } => {
                write!(f, "{key} was read at {read} and is now at {current}")
            }
            Self::WriteConflict { key, start, current } => {
                write!(f, "{key} was written at {current}, after the snapshot {start}")
            }
            Self::CasConflict { key, expected, current } => match expected {
                CasExpectation::Version(version) => {
                    write!(f, "{key} was expected at {version} and is at {current}")
                }
                CasExpectation::Value(_) => {
                    write!(f, "{key}, now at {current}, has another value than expected")
                }
                CasExpectation::Absent => {
                    write!(f, "{key} was expected to be absent and is there at {current}")
                }
            },
            Self::RangeConflict { start, end, key, current } => {
                write!(f, "the range from {start} to ")?;
                match end {
                    Some(end) => write!(f, "{end}")?,
                    None => f.write_str("the end")?,
                }
                write!(f, " was scanned, and {key} in it changed at {current}")
            }
            Self::Expired { key, current, at: UnixMillis(at) } => {
                write!(f, "{key} was read at {current} and expired at {at} ms, before the commit")
            }
        }
    }
}

/// Returns a list of conflicts for one message.
pub(crate) fn describe(conflicts: &[ConflictInfo]) -> String {
    let shown = conflicts.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match conflicts.len() {
        0..=3 => shown,
        more => format!("{shown}; and {} more", more - 3),
    }
}
