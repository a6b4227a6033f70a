//! Transactions of the engine, with the options and the answer of each.

use std::borrow::BorrowMut;
use std::time::Duration;

use stormproof_workloads::store::{
    Committed, Entry, Expected, Isolation, Iterated, Pull, Range, Read, Result, Retry, StoreError, StoreTxn,
    StreamEvent, TxnOptions,
};

use super::convert::{MACHINES, bytes, entry, error, key_range, stored};
use super::engine::{
    self, Commit, Error, EventLog, RetryPolicy, StateMachine, Transaction, TransactionOptions, Version,
};

/// A transaction of the engine: an owned one, or one that the engine's retry loop has lent.
pub(super) struct EngineTxn<T> {
    pub(super) txn: T,
    pub(super) wait_durable_every: u64,
}

/// Access to a transaction: an owned one can be ended by its client, a lent one by the retry loop only.
trait Held: BorrowMut<Transaction> {
    fn commit(self) -> engine::Result<Commit>;
    fn abort(self);
}

impl Held for Transaction {
    fn commit(self) -> engine::Result<Commit> {
        self.commit()
    }

    fn abort(self) {
        self.abort();
    }
}

impl Held for &mut Transaction {
    fn commit(self) -> engine::Result<Commit> {
        Err(Error::Invalid("the loop commits the transaction that it has lent".into()))
    }

    fn abort(self) {}
}

/// The error of a closure: what its client got.
pub(super) struct Told(pub(super) StoreError);

impl From<Error> for Told {
    fn from(failed: Error) -> Self {
        Self(error(failed))
    }
}

impl<T: BorrowMut<Transaction>> EngineTxn<T> {
    fn ask<R>(&mut self, question: impl FnOnce(&mut Transaction) -> engine::Result<R>) -> Result<R> {
        question(self.txn.borrow_mut()).map_err(error)
    }
}

impl<T: Held> StoreTxn for EngineTxn<T> {
    fn start_version(&self) -> Option<u64> {
        Some(self.txn.borrow().start_version().get())
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        let found = self.ask(|txn| txn.get_versioned(key))?;
        let value = found.value.as_ref().map(bytes).transpose()?;
        Ok(Read { value, version: found.version.map(Version::get) })
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        self.ask(|txn| {
            let range = txn.range(key_range(range))?.limit(limit.unwrap_or(usize::MAX));
            Ok(if reverse { range.rev().map(entry).collect() } else { range.map(entry).collect() })
        })?
    }

    fn iterate(&mut self, range: &Range, pulls: &[Pull]) -> Result<Iterated> {
        self.ask(|txn| {
            let mut found = txn.range(key_range(range))?;
            let mut next = |back: bool| if back { found.next_back() } else { found.next() };
            Ok(Iterated::pull(pulls, |back| next(back).map(entry)))
        })?
    }

    fn page(
        &mut self,
        range: &Range,
        cursor: Option<&[u8]>,
        size: usize,
        reverse: bool,
    ) -> Result<Vec<Entry>> {
        self.ask(|txn| {
            let found = txn.range(key_range(range))?;
            let found = match cursor {
                Some(key) if reverse => found.before(key),
                Some(key) => found.after(key),
                None => found,
            };
            let page = found.limit(size);
            Ok(if reverse { page.rev().map(entry).collect() } else { page.map(entry).collect() })
        })?
    }

    fn count(&mut self, range: &Range) -> Result<usize> {
        self.ask(|txn| Ok(txn.range(key_range(range))?.keys().count()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.ask(|txn| txn.put(key, stored(value)))
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.ask(|txn| txn.delete(key))
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        self.ask(|txn| match expected {
            Expected::Version(version) => txn.cas(key, Version::new(*version), stored(value)),
            Expected::Value(old) => txn.compare_and_set(key, stored(old), stored(value)),
            Expected::Absent => txn.insert(key, stored(value)),
        })
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.ask(|txn| txn.put_with_ttl(key, stored(value), ttl))
    }

    fn append_event(&mut self, stream: &str, payload: &[u8]) -> Result<()> {
        self.ask(|txn| EventLog::new(stream).append(txn, stored(payload)))
    }

    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        let events = self.ask(|txn| EventLog::new(stream).read(txn, ..))?;
        let event = |event: engine::Event| {
            Ok(StreamEvent { sequence: event.sequence, payload: bytes(&event.value)? })
        };
        events.into_iter().map(event).collect()
    }

    fn truncate_events(&mut self, stream: &str, before: u64) -> Result<()> {
        self.ask(|txn| EventLog::new(stream).truncate_before(txn, before)).map(drop)
    }

    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        self.ask(|txn| EventLog::new(stream).verify(txn))
    }

    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        self.ask(|txn| machines(state, None)?.create(txn, machine))
    }

    fn machine(&mut self, machine: &str) -> Result<Read> {
        let (state, version) = self.ask(|txn| machines("", None)?.state_versioned(txn, machine))?;
        Ok(Read { value: state.map(String::into_bytes), version: version.map(Version::get) })
    }

    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        self.ask(|txn| machines(from, Some(to))?.transition(txn, machine, &from.to_owned(), &to.to_owned()))
    }

    fn commit(self: Box<Self>) -> Result<Committed> {
        let Self { txn, wait_durable_every } = *self;
        txn.commit().map(|commit| committed(&commit, wait_durable_every)).map_err(error)
    }

    fn abort(self: Box<Self>) {
        self.txn.abort();
    }
}

pub(super) fn wanted(options: &TxnOptions) -> TransactionOptions {
    let isolation = match options.isolation {
        Isolation::Serializable => engine::Isolation::Serializable,
        Isolation::Snapshot | Isolation::ReadCommitted => engine::Isolation::Snapshot,
    };
    let wanted = TransactionOptions::new().isolation(isolation);
    if options.read_only { wanted.read_only() } else { wanted }
}

/// Returns a policy that soon pauses and soon runs alone, so that few attempts reach every path of the loop.
pub(super) fn policy(retry: Retry) -> RetryPolicy {
    RetryPolicy::new()
        .attempts_max(retry.attempts_max)
        .immediate(1)
        .pause_min(Duration::from_micros(retry.backoff_micros))
        .pause_max(Duration::from_micros(retry.backoff_micros_max))
        .alone_after(2)
}

/// Returns a commit as the history has it; every n-th waits until it is durable.
pub(super) fn committed(commit: &Commit, wait_durable_every: u64) -> Committed {
    let version = commit.version().map(Version::get);
    let waits =
        version.is_some_and(|version| wait_durable_every > 0 && version.is_multiple_of(wait_durable_every));
    // A failed wait is no failed commit: it only leaves open whether the commit is durable.
    let durable =
        if waits { commit.wait_durable().is_ok() } else { commit.ticket().is_durable().unwrap_or(false) };
    Committed { version, durable }
}

/// Returns a state machine that allows the transition asked for: which ones there are is for the workload to
/// decide.
fn machines(from: &str, to: Option<&str>) -> engine::Result<StateMachine<String>> {
    let mut builder = StateMachine::builder(MACHINES).initial(from.to_owned());
    if let Some(to) = to {
        builder = builder.transition(from.to_owned(), to.to_owned());
    }
    builder.build()
}
