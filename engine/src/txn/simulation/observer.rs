//! The observer of what transactions do.

use std::fmt::Debug;

use env::UnixMillis;

use crate::conflict::{CasExpectation, ConflictInfo};
use crate::durability::Durability;
use crate::iter::Entry;
use crate::key::Key;
use crate::range::KeyRange;
use crate::types::{Isolation, TxnId, Version};
use crate::value::Value;

/// An observer of what the transactions of a database do: for simulations, with the feature `simulation`. It
/// does not see the database's own transactions, which write run records and sweep expired keys.
///
/// It is called in the middle of transactions: it must not use the database, and must not wait.
pub trait Observer: Debug + Send + Sync {
    /// Returns a point in the observer's own order of events, for what begins before it is known what it is.
    fn now(&self) -> u64;

    /// Called when a database is open, and has these keys.
    fn opened(&self, durability: Durability, version: Version, entries: Vec<Entry>);

    /// Called when a transaction does something.
    fn observe(&self, txn: TxnId, what: Observed<'_>);

    /// Called when a key was read outside of a transaction.
    fn looked(&self, called: u64, key: &Key, value: Option<Value>);

    /// Called when what was acked before `called` is durable.
    fn flushed(&self, called: u64);

    /// Called when the database was closed, and all that it acked is durable.
    fn closed(&self);
}

/// What a transaction does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Observed<'a> {
    /// It has begun.
    Begun {
        /// [`Observer::now`] from before it took its snapshot.
        called: u64,
        /// The snapshot.
        start_version: Version,
        /// Its isolation.
        isolation: Isolation,
    },
    /// It has read a key.
    Read {
        /// The key.
        key: &'a Key,
        /// The value that it saw.
        value: Option<Value>,
        /// The version that the key has; `None` for its own write.
        version: Option<Version>,
    },
    /// It has read a range.
    Scanned {
        /// The part of the range that was walked.
        range: &'a KeyRange,
        /// From the last key to the first.
        reverse: bool,
        /// All keys in it, in that order.
        entries: Vec<Entry>,
    },
    /// It has written a key, for itself so far.
    Written {
        /// The key.
        key: &'a Key,
        /// The value; `None` deletes.
        value: Option<&'a Value>,
        /// When the value expires.
        expires_at: Option<UnixMillis>,
        /// What must hold when it commits.
        condition: Option<&'a CasExpectation>,
    },
    /// It has appended to an event log, for itself so far.
    Appended {
        /// The log.
        stream: &'a Key,
        /// The event.
        value: &'a Value,
    },
    /// Commit was called.
    CommitCalled,
    /// Commit has succeeded.
    Committed {
        /// The commit version; `None` if there was nothing to write.
        version: Option<Version>,
        /// Whether it must survive any crash from now on.
        durable: bool,
    },
    /// It has no effect.
    Aborted {
        /// Why, if others were first.
        conflicts: &'a [ConflictInfo],
    },
    /// Commit has failed, and only the next recovery shows whether it happened.
    Indeterminate,
}
