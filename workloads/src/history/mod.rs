//! What happened, as the clients saw it: the only thing that checkers read.
//!
//! A history is a list of transactions with their operations, in the order in which they began, over one or
//! more *lives* of the store: a crash ends a life, recovery begins the next. Times are positions in one
//! global order of events (a logical clock that every recorded event advances), so that "before" in real time
//! is `<`.
//!
//! As a file a history is JSON lines, one [`Event`] each, in order: it can be written while it happens
//! ([`Recorder`], [`write_jsonl`]) and read line by line ([`read_jsonl`]). [`fold`] makes a [`History`] of
//! events.

mod fold;
mod jsonl;
mod recorder;

pub use fold::{FoldError, fold};
pub use jsonl::{JsonlError, read_jsonl, write_jsonl};
pub use recorder::Recorder;

use serde::{Deserialize, Serialize};

use crate::store::{Bytes, Conflict, Entry, Expected, Isolation, Key, Range, Read, Version};

/// Position in the global order of events.
pub type Time = u64;

/// Index of a transaction, in the order in which they began.
pub type TxnIndex = u32;

/// A client that runs one transaction after the other.
pub type Session = u32;

/// How many times the store had crashed or been closed before: 0 for the first life.
pub type Life = u32;

/// An operation and what it returned. An operation that returned an error is recorded as [`Op::Failed`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// A point read.
    Get {
        /// Which key.
        key: Key,
        /// What it saw.
        read: Read,
    },
    /// A range read.
    Scan {
        /// Which keys.
        range: Range,
        /// The most entries.
        limit: Option<usize>,
        /// From the end.
        reverse: bool,
        /// All that it returned, in the order in which it did.
        entries: Vec<Entry>,
    },
    /// A write.
    Put {
        /// Which key.
        key: Key,
        /// The new value.
        value: Bytes,
    },
    /// A write of a value that expires: from then on a snapshot may see it or miss it, but never both.
    PutExpiring {
        /// Which key.
        key: Key,
        /// The new value.
        value: Bytes,
        /// How long it lives.
        ttl_ms: u64,
    },
    /// A delete.
    Delete {
        /// Which key.
        key: Key,
    },
    /// A conditional write whose condition held so far.
    Cas {
        /// Which key.
        key: Key,
        /// The condition.
        expected: Expected,
        /// The new value.
        value: Bytes,
    },
    /// A conditional delete whose condition held so far.
    DeleteIf {
        /// Which key.
        key: Key,
        /// The condition.
        expected: Expected,
    },
    /// An append to a list: a blind write that keeps what was there.
    Append {
        /// Which list.
        key: Key,
        /// The new last element.
        element: Bytes,
    },
    /// A read of a whole list.
    List {
        /// Which list.
        key: Key,
        /// Its elements, oldest first.
        elements: Vec<Bytes>,
        /// The version of the list, as in [`Read::version`].
        version: Option<Version>,
    },
    /// An operation that returned an error; the transaction goes no further.
    Failed {
        /// Which operation.
        what: String,
        /// The error.
        error: String,
    },
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Still running when its life ended, and commit had not been called: it must have no effect.
    Running,
    /// Commit was called and never answered, or answered that it does not know: all of it may survive, or
    /// nothing.
    Unknown {
        /// When commit was called.
        invoked: Time,
    },
    /// Acked.
    Committed {
        /// When commit was called.
        invoked: Time,
        /// When it answered.
        acked: Time,
        /// The commit version; `None` if nothing was written or the store has no versions.
        version: Option<Version>,
        /// When it was known to be durable, if it was.
        durable: Option<Time>,
    },
    /// Aborted: it must have no effect.
    Aborted {
        /// When it was.
        at: Time,
        /// Why, if the store refused it; empty if the client wished it.
        conflicts: Vec<Conflict>,
    },
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Txn {
    /// Its index in [`History::txns`].
    pub index: TxnIndex,
    /// Whose it was.
    pub session: Session,
    /// In which life.
    pub life: Life,
    /// When it began: begin was called at this time.
    pub begun: Time,
    /// The snapshot that it read, where the store has versions.
    pub start_version: Option<Version>,
    /// The isolation that was asked for.
    pub isolation: Isolation,
    /// Its operations in order.
    pub ops: Vec<Op>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifeEnd {
    /// Closed in order: nothing acked is lost.
    Closed,
    /// A power cut.
    Crashed,
}

/// One life of the store, from opening to crash or close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeRecord {
    /// Its number.
    pub life: Life,
    /// When it was open for use (recovery had ended).
    pub opened: Time,
    /// When and how it ended; `None` for the last one.
    pub ended: Option<(Time, LifeEnd)>,
}

/// One recorded event; a history is the fold of its events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A life is open for use.
    Opened {
        /// Which.
        life: Life,
        /// When.
        at: Time,
    },
    /// A life ended.
    Ended {
        /// Which.
        life: Life,
        /// When.
        at: Time,
        /// How.
        how: LifeEnd,
    },
    /// A transaction began.
    Begin {
        /// Its index.
        txn: TxnIndex,
        /// Whose.
        session: Session,
        /// In which life.
        life: Life,
        /// When.
        at: Time,
        /// Its snapshot, where the store has versions.
        start_version: Option<Version>,
        /// The isolation asked for.
        isolation: Isolation,
    },
    /// An operation returned.
    Op {
        /// Whose.
        txn: TxnIndex,
        /// When.
        at: Time,
        /// What, and what it returned.
        op: Op,
    },
    /// Commit was called.
    Commit {
        /// Whose.
        txn: TxnIndex,
        /// When.
        at: Time,
    },
    /// A transaction ended; none of this for those that a crash cut off.
    Outcome {
        /// Whose.
        txn: TxnIndex,
        /// How.
        outcome: Outcome,
    },
    /// An earlier ack became known to be durable.
    Durable {
        /// Whose.
        txn: TxnIndex,
        /// When.
        at: Time,
    },
}

impl Event {
    /// Returns when it happened. An outcome that is not known has no time of its own.
    pub fn at(&self) -> Option<Time> {
        match self {
            Self::Opened { at, .. }
            | Self::Ended { at, .. }
            | Self::Begin { at, .. }
            | Self::Op { at, .. }
            | Self::Commit { at, .. }
            | Self::Durable { at, .. } => Some(*at),
            Self::Outcome { outcome, .. } => match outcome {
                Outcome::Committed { acked, .. } => Some(*acked),
                Outcome::Aborted { at, .. } => Some(*at),
                Outcome::Running | Outcome::Unknown { .. } => None,
            },
        }
    }
}

/// A whole history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Lives, in order.
    pub lives: Vec<LifeRecord>,
    /// Transactions, in the order in which they began.
    pub txns: Vec<Txn>,
}
