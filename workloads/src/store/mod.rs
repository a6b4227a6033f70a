//! The interface between workloads and a store.

mod error;
mod iteration;
mod watch;
pub(crate) mod list_codec;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::{Conflict, ConflictKind, Result, StoreError};
pub use iteration::{Iterated, Pull};
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
}

impl Default for TxnOptions {
    fn default() -> Self {
        Self { isolation: Isolation::Serializable, read_only: false, run: None }
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

/// A transaction. After an error of kind [`StoreError::Conflict`] only dropping it makes sense.
pub trait StoreTxn {
    /// Returns the snapshot that it reads, where the store has versions.
    fn start_version(&self) -> Option<Version>;

    /// Reads a key.
    fn get(&mut self, key: &[u8]) -> Result<Read>;

    /// Reads the keys in `range` in order (backwards if `reverse`), at most `limit`.
    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>>;

    /// Iterates over a range from both ends as asked, and drops the iterator. A store without lazy iterators
    /// reads the whole range.
    fn iterate(&mut self, range: &Range, pulls: &[Pull]) -> Result<Iterated> {
        let mut rest = self.scan(range, None, false)?.into_iter();
        Iterated::pull(pulls, |back| if back { rest.next_back().map(Ok) } else { rest.next().map(Ok) })
    }

    /// Reads at most `size` entries after a key, or before it if `reverse`; from the end of the range
    /// without one. A store without cursors scans what is left of the range.
    fn page(
        &mut self,
        range: &Range,
        cursor: Option<&[u8]>,
        size: usize,
        reverse: bool,
    ) -> Result<Vec<Entry>> {
        self.scan(&range.from_cursor(cursor, reverse), Some(size), reverse)
    }

    /// Counts the keys of a range. A store that can't scans it.
    fn count(&mut self, range: &Range) -> Result<usize> {
        Ok(self.scan(range, None, false)?.len())
    }

    /// Writes a key.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Deletes a key; nothing happens if it is absent.
    fn delete(&mut self, key: &[u8]) -> Result<()>;

    /// Writes a key on a condition. A condition that is known not to hold is a [`StoreError::Conflict`] at
    /// once.
    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()>;

    /// Writes a key that is gone `ttl` later, by the store's own clock.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store has no TTL ([`Capabilities::ttl`]).
    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        let _ = (key, value, ttl);
        Err(StoreError::Refused("this store has no TTL".into()))
    }

    /// Appends to the list under `key`, which must have been written by this method only. A store without
    /// lists reads the list, and writes it longer.
    fn append(&mut self, key: &[u8], element: &[u8]) -> Result<()> {
        let mut list = self.get(key)?.value.unwrap_or_default();
        list_codec::push(&mut list, element);
        self.put(key, &list)
    }

    /// Reads the list under `key`, oldest element first, and its version as in [`Read::version`].
    fn list(&mut self, key: &[u8]) -> Result<(Vec<Bytes>, Option<Version>)> {
        let read = self.get(key)?;
        let elements = list_codec::elements(&read.value.unwrap_or_default())
            .ok_or_else(|| StoreError::Refused("the value under this key is not a list".into()))?;
        Ok((elements, read.version))
    }

    /// Appends to an event stream. A store without streams keeps a list.
    fn append_event(&mut self, stream: &str, payload: &[u8]) -> Result<()> {
        self.append(&stream_key(stream), payload)
    }

    /// Reads a whole event stream.
    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        let (elements, _) = self.list(&stream_key(stream))?;
        Ok((0..).zip(elements).map(|(sequence, payload)| StreamEvent { sequence, payload }).collect())
    }

    /// Deletes the events of a stream before a sequence number; the others keep theirs.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store truncates no streams ([`Capabilities::retention`]).
    fn truncate_events(&mut self, stream: &str, before: u64) -> Result<()> {
        let _ = (stream, before);
        Err(StoreError::Refused("this store truncates no streams".into()))
    }

    /// Checks whatever the store keeps to prove that a stream is untouched (a hash chain), and counts its
    /// events.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the stream is damaged.
    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        Ok(self.events(stream)?.len() as u64)
    }

    /// Creates a state machine in its first state. A store without state machines puts a key.
    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        self.put(&machine_key(machine), state.as_bytes())
    }

    /// Returns the state of a machine.
    fn machine(&mut self, machine: &str) -> Result<Read> {
        self.get(&machine_key(machine))
    }

    /// Takes a machine from one state to another. A store without state machines writes a key on the
    /// condition that it still has the old value.
    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        self.cas(&machine_key(machine), &Expected::Value(from.into()), to.as_bytes())
    }

    /// Commits.
    fn commit(self: Box<Self>) -> Result<Committed>;

    /// Aborts.
    fn abort(self: Box<Self>);
}

/// Returns the key under which histories, and stores without event streams, keep a stream.
pub fn stream_key(stream: &str) -> Key {
    format!("stream/{stream}").into_bytes()
}

/// Returns the key under which histories, and stores without state machines, keep a machine.
pub fn machine_key(machine: &str) -> Key {
    format!("machine/{machine}").into_bytes()
}
