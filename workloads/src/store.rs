//! The interface between workloads and whatever stores the data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key, ordered bytewise.
pub type Key = Vec<u8>;

/// A value: uninterpreted bytes.
pub type Bytes = Vec<u8>;

/// A version of the store: one per commit, rising in commit order.
pub type Version = u64;

/// What a store promises, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Reads committed data only.
    ReadCommitted,
    /// Reads from one snapshot; first committer wins.
    Snapshot,
    /// As if one transaction ran after the other.
    Serializable,
}

/// How a transaction runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnOptions {
    /// Isolation asked for; a store may give more.
    pub isolation: Isolation,
    /// Whether writes are refused.
    pub read_only: bool,
}

impl Default for TxnOptions {
    fn default() -> Self {
        Self { isolation: Isolation::Serializable, read_only: false }
    }
}

/// What a point read saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The value, if the key was there.
    pub value: Option<Bytes>,
    /// The version of the value or tombstone, 0 if the key never existed; `None` if the store has no versions, or
    /// if the transaction read its own write.
    pub version: Option<Version>,
}

/// A key range: `start` is included, `end` excluded; no `end` means up to the last key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Range {
    /// First key.
    pub start: Key,
    /// First key behind the range.
    pub end: Option<Key>,
}

impl Range {
    /// All keys that start with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Self { start: prefix.to_vec(), end: (!end.is_empty()).then_some(end) }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && self.end.as_ref().is_none_or(|end| key < end.as_slice())
    }
}

/// One key that a scan returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Bytes,
    /// Its version; `None` as in [`Read::version`].
    pub version: Option<Version>,
}

/// What a conditional write demands of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// This version; 0 demands that the key never existed.
    Version(Version),
    /// This value.
    Value(Bytes),
    /// That the key is absent now.
    Absent,
}

/// The answer to a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The commit version; `None` if nothing was written or the store has no versions.
    pub version: Option<Version>,
    /// Whether the commit is durable already: it must survive any crash from now on.
    pub durable: bool,
}

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Which rule.
    pub kind: ConflictKind,
    /// The key, or the start of the range.
    pub key: Key,
    /// The version at which the winner wrote, where the store tells.
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

/// A transactional key-value store.
pub trait Store: Send + Sync {
    /// Begins a transaction. Dropping it aborts it.
    ///
    /// # Errors
    /// When the store is closed.
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>>;

    /// Makes durable all that was acked before the call.
    ///
    /// # Errors
    /// When it could not: nothing more is known of what was not durable before.
    fn flush(&self) -> Result<()>;

    /// Its name, for reports.
    fn name(&self) -> String;
}

/// A transaction. After an error of kind [`StoreError::Conflict`] only dropping it makes sense.
pub trait StoreTxn {
    /// The snapshot that it reads, where the store has versions.
    fn start_version(&self) -> Option<Version>;

    /// Reads a key.
    fn get(&mut self, key: &[u8]) -> Result<Read>;

    /// Reads the keys in `range` in order (backwards if `reverse`), at most `limit`.
    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>>;

    /// Writes a key.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Deletes a key; nothing happens if it is absent.
    fn delete(&mut self, key: &[u8]) -> Result<()>;

    /// Writes a key on a condition. A condition that is known not to hold is a [`StoreError::Conflict`] at once.
    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()>;

    /// Commits.
    fn commit(self: Box<Self>) -> Result<Committed>;

    /// Aborts.
    fn abort(self: Box<Self>);
}
