//! The interface between workloads and a store.

mod error;
mod iteration;
mod txn;
mod watch;
pub(crate) mod list_codec;

use serde::{Deserialize, Serialize};

use crate::act::{self, Act};
use crate::history::Op;
use crate::manner::Manner;

pub use error::{Conflict, ConflictKind, Result, StoreError};
pub use iteration::{Iterated, Pull};
pub use txn::{StoreTxn, machine_key, stream_key};
pub use watch::{StoreWatch, WatchRequest, Watched, WatchedCommit};

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

/// A run of an agent, as the store names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunHandle(pub String);

/// How a transaction runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnOptions {
    /// Isolation asked for; a store may give more.
    pub isolation: Isolation,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Which run writes; `None` leaves it to the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunHandle>,
    /// Through which door, within which limits, and what becomes of its ticket.
    #[serde(default, skip_serializing_if = "Manner::is_usual")]
    pub manner: Manner,
}

impl Default for TxnOptions {
    fn default() -> Self {
        let isolation = Isolation::Serializable;
        Self { isolation, read_only: false, run: None, manner: Manner::default() }
    }
}

/// How often a transaction is run again after a conflict, and how long the client waits before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, the first one included.
    pub attempts_max: u32,
    /// The first wait; each is up to twice as long as the one before, and jittered.
    pub backoff_micros: u64,
    /// The longest wait.
    pub backoff_micros_max: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts_max: 100, backoff_micros: 50, backoff_micros_max: 10_000 }
    }
}

impl Retry {
    /// A single attempt.
    pub const NEVER: Self = Self { attempts_max: 1, backoff_micros: 0, backoff_micros_max: 0 };
}

/// What a store can do beyond ordered keys and transactions. Workloads ask before they plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The strongest isolation that it gives.
    pub isolation_max: Isolation,
    /// Whether reads and commits report versions.
    pub versions: bool,
    /// [`StoreTxn::put_with_ttl`].
    pub ttl: bool,
    /// Event streams of its own, so that [`StoreTxn::append_event`] is not a list kept under one key.
    pub event_streams: bool,
    /// State machines of its own, so that [`StoreTxn::transition`] is not a conditional write of one key.
    pub state_machines: bool,
    /// [`Store::begin_run`] and [`Store::end_run`].
    pub runs: bool,
    /// [`Store::forget_run`] and [`StoreTxn::truncate_events`].
    #[serde(default)]
    pub retention: bool,
    /// [`Store::open_sibling`].
    pub siblings: bool,
    /// [`Store::transaction`].
    pub retries: bool,
    /// [`Store::watch`].
    #[serde(default)]
    pub watches: bool,
    /// [`Store::single`], limits and views ([`TxnOptions::manner`]), and [`StoreTxn::act`] by functions of
    /// its own.
    pub acts: bool,
}

impl Default for Capabilities {
    /// Serializable transactions over ordered keys, and nothing else.
    fn default() -> Self {
        Self {
            isolation_max: Isolation::Serializable,
            versions: false,
            ttl: false,
            event_streams: false,
            state_machines: false,
            runs: false,
            retention: false,
            siblings: false,
            retries: false,
            watches: false,
            acts: false,
        }
    }
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEvent {
    /// Its number in the stream: 0, 1, 2 … without a hole.
    pub sequence: u64,
    /// What was appended.
    pub payload: Bytes,
}

/// What a point read saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Read {
    /// The value, if the key was there.
    pub value: Option<Bytes>,
    /// The version of the value or tombstone, 0 if the key never existed; `None` if the store has no
    /// versions, or if the transaction read its own write.
    pub version: Option<Version>,
}

/// A key range: `start` is included, `end` excluded; no `end` means up to the last key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Range {
    /// First key.
    pub start: Key,
    /// First key after the range.
    pub end: Option<Key>,
}

impl Range {
    /// Returns all keys that start with `prefix`.
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

    /// Returns the part after a key, or before it if `reverse`; all of it without one.
    #[must_use]
    pub fn from_cursor(&self, cursor: Option<&[u8]>, reverse: bool) -> Self {
        let mut rest = self.clone();
        match cursor {
            Some(key) if reverse => rest.end = Some(key.to_vec()),
            Some(key) => rest.start = [key, &[0]].concat(),
            None => {}
        }
        rest
    }

    /// Returns whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && self.end.as_ref().is_none_or(|end| key < end.as_slice())
    }
}

/// One key that a scan returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Bytes,
    /// Its version; `None` as in [`Read::version`].
    pub version: Option<Version>,
}

/// What a conditional write demands of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// The answer to a single call outside of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Single {
    /// What it did and saw.
    pub ops: Vec<Op>,
    /// The commit, if the store can tell it: it is not told when another client has written since.
    pub committed: Option<Committed>,
}

/// What applications have a store do beside their transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chore {
    /// Drops old versions that nothing reads any more.
    Collect,
    /// Deletes what has expired.
    Sweep,
    /// Writes a checkpoint.
    Checkpoint,
    /// Reads its figures.
    Metrics,
    /// Lists its runs.
    Runs,
}

impl Chore {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Collect, Self::Sweep, Self::Checkpoint, Self::Metrics, Self::Runs];
}

/// A transactional key-value store.
pub trait Store: Send + Sync {
    /// Begins a transaction. Dropping it aborts it.
    ///
    /// # Errors
    /// When the store is closed.
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>>;

    /// Runs `body` in a transaction and commits it, and does both again after a conflict: with the loop that
    /// the store itself has for applications. `body` is called once for each attempt, and its error ends the
    /// loop, unless it is a conflict.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store has no such loop ([`Capabilities::retries`]).
    fn transaction(&self, options: &TxnOptions, retry: Retry, body: Body<'_>) -> Result<Committed> {
        let _ = (options, retry, body);
        Err(StoreError::Refused("this store does not run transactions again".into()))
    }

    /// Does what an act says by a single call, outside of a transaction. `run` should be the client's own, by
    /// which the store knows its version again.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store has no such calls ([`Capabilities::acts`]).
    fn single(&self, run: Option<&RunHandle>, key: &str, act: &Act) -> Result<Single> {
        let _ = (run, key, act);
        act::no_single_calls()
    }

    /// Does what applications have it do beside their transactions, and checks what it tells of itself.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where what it tells contradicts itself.
    fn chore(&self, chore: Chore) -> Result<()> {
        let _ = chore;
        Ok(())
    }

    /// Makes durable all that was acked before the call.
    ///
    /// # Errors
    /// When it could not: nothing more is known of what was not durable before.
    fn flush(&self) -> Result<()>;

    /// Returns its name, for reports.
    fn name(&self) -> String;

    /// Returns what it can do beyond the methods without a default.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Begins a run, a child of `parent` if there is one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store has no runs ([`Capabilities::runs`]).
    fn begin_run(&self, parent: Option<&RunHandle>) -> Result<RunHandle> {
        let _ = parent;
        Err(StoreError::Refused("this store has no runs".into()))
    }

    /// Ends a run: from now on, transactions that write in it are refused.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store has no runs, or does not know this one.
    fn end_run(&self, run: &RunHandle) -> Result<()> {
        let _ = run;
        Err(StoreError::Refused("this store has no runs".into()))
    }

    /// Returns whether the record of a run says that it has ended; `None` where there is none.
    fn run_has_ended(&self, run: &RunHandle) -> Option<bool> {
        let _ = run;
        None
    }

    /// Forgets a run that has ended: from now on it is not found.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store forgets none ([`Capabilities::retention`]), or this one has
    /// not ended, or is not known.
    fn forget_run(&self, run: &RunHandle) -> Result<()> {
        let _ = run;
        Err(StoreError::Refused("this store forgets no runs".into()))
    }

    /// Opens another, small database beside this one, and creates it if it does not exist. It is closed with
    /// [`Store::close`].
    ///
    /// # Errors
    /// [`StoreError::Refused`] where that is not possible ([`Capabilities::siblings`]).
    fn open_sibling(&self, name: &str) -> Result<Box<dyn Store>> {
        let _ = name;
        Err(StoreError::Refused("this store opens no others".into()))
    }

    /// Watches the keys with a prefix: delivers every commit that touches one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where that is not possible ([`Capabilities::watches`]).
    fn watch(&self, request: &WatchRequest) -> Result<Box<dyn StoreWatch + '_>> {
        let _ = request;
        Err(StoreError::Refused("this store can't be watched".into()))
    }

    /// Closes the store in order.
    ///
    /// # Errors
    /// When what was acked could not be made durable.
    fn close(self: Box<Self>) -> Result<()> {
        self.flush()
    }
}

/// The body of a transaction, which runs again after a conflict.
pub type Body<'b> = &'b mut dyn FnMut(&mut dyn StoreTxn) -> Result<()>;

/// Runs a transaction again after each conflict, without pauses: the plainest loop.
pub(crate) fn run_again(
    store: &dyn Store,
    options: &TxnOptions,
    retry: Retry,
    body: Body<'_>,
) -> Result<Committed> {
    let mut attempts = 1;
    loop {
        let mut txn = store.begin(options)?;
        match body(&mut *txn).and_then(|()| txn.commit()) {
            Err(StoreError::Conflict(_)) if attempts < retry.attempts_max => attempts += 1,
            done => return done,
        }
    }
}
