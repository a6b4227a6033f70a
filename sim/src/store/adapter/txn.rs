//! Transactions of the engine, with the options and the answer of each.

use std::borrow::BorrowMut;
use std::collections::BTreeSet;
use std::time::Duration;

use stormproof_workloads::act::Act;
use stormproof_workloads::history::Op;
use stormproof_workloads::manner::{Manner, TicketBy};
use stormproof_workloads::store::{
    Committed, Entry, Expected, Isolation, Iterated, Pull, Range, Read, Result, Retry, StoreError, StoreTxn,
    StreamEvent, TxnOptions,
};

use super::EngineStore;
use super::acts;
use super::convert::{MACHINES, bytes, entry, error, key_range, stored};
use super::engine::{
    self, Commit, Error, EventLog, RetryPolicy, RunId, StateMachine, Status, Transaction, TransactionOptions,
    Version,
};

/// A transaction of the engine: an owned one, or one that the engine's retry loop has lent.
pub(super) struct EngineTxn<'s, T> {
    pub(super) txn: T,
    pub(super) store: &'s EngineStore,
    pub(super) ticket: Option<TicketBy>,
    /// The error of the operation that failed.
    pub(super) failed: Option<Error>,
    /// The keys that it has written.
    pub(super) written: BTreeSet<Vec<u8>>,
    /// Whether these are all.
    pub(super) tells_all: bool,
    /// What was done to which key, so far.
    pub(super) kinds: Vec<(String, Vec<&'static str>)>,
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

/// The error of a closure that has errors of its own: the engine's.
pub(super) struct Told(pub(super) Error);

impl From<Error> for Told {
    fn from(failed: Error) -> Self {
        Self(failed)
    }
}

impl<T: BorrowMut<Transaction>> EngineTxn<'_, T> {
    fn ask<R>(
        &mut self,
        function: &'static str,
        question: impl FnOnce(&mut Transaction) -> engine::Result<R>,
    ) -> Result<R> {
        let answer = question(self.txn.borrow_mut());
        self.store.count(function, &answer);
        answer.map_err(|failed| {
            self.failed = Some(failed.clone());
            error(failed)
        })
    }

    pub(super) fn wrote(&self) -> bool {
        !self.tells_all || !self.written.is_empty()
    }

    /// Checks that as many keys are buffered as were written.
    fn check_sets(&self) -> Result<()> {
        let context = self.txn.borrow().context();
        let sets = context.write_set_len() + context.delete_set_len() + context.cas_set_len();
        for function in ["write_set_len", "delete_set_len", "cas_set_len"] {
            self.store.calls.ok(match function {
                "write_set_len" => "TransactionContext::write_set_len",
                "delete_set_len" => "TransactionContext::delete_set_len",
                _ => "TransactionContext::cas_set_len",
            });
        }
        self.store.calls.ok("TransactionContext::append_len");
        let is_active = *context.status() == Status::Active;
        if self.tells_all && is_active && sets != self.written.len() {
            let written = self.written.len();
            return Err(StoreError::Refused(format!("{written} keys were written, and {sets} are buffered")));
        }
        Ok(())
    }
}

impl<T: Held> StoreTxn for EngineTxn<'_, T> {
    fn start_version(&self) -> Option<u64> {
        self.store.calls.ok("Transaction::start_version");
        Some(self.txn.borrow().start_version().get())
    }

    fn act(&mut self, key: &str, act: &Act) -> Result<Vec<Op>> {
        let kind = act.kind();
        let done = acts::in_transaction(self.txn.borrow_mut(), &self.store.calls, key, act, &mut self.failed);
        match self.kinds.iter_mut().find(|(known, _)| known == key) {
            Some((_, kinds)) => {
                self.store.calls.pair(kinds, kind);
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            None => self.kinds.push((key.to_owned(), vec![kind])),
        }
        let ops = done?;
        for op in &ops {
            if let Op::Put { key, .. }
            | Op::PutExpiring { key, .. }
            | Op::Delete { key }
            | Op::DeleteIf { key, .. }
            | Op::Cas { key, .. } = op
                && !self.written.contains(key)
            {
                self.written.insert(key.clone());
            }
        }
        Ok(ops)
    }

    fn delete_if(&mut self, key: &[u8], expected: u64) -> Result<()> {
        self.tells_all = false;
        self.ask("Transaction::delete_if", |txn| txn.delete_if(key, Version::new(expected)))
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        let found = self.ask("Transaction::get_versioned", |txn| txn.get_versioned(key))?;
        let value = found.value.as_ref().map(bytes).transpose()?;
        Ok(Read { value, version: found.version.map(Version::get) })
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        self.ask("Transaction::range", |txn| {
            let range = txn.range(key_range(range))?.limit(limit.unwrap_or(usize::MAX));
            Ok(if reverse { range.rev().map(entry).collect() } else { range.map(entry).collect() })
        })?
    }

    fn iterate(&mut self, range: &Range, pulls: &[Pull]) -> Result<Iterated> {
        self.ask("Transaction::range", |txn| {
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
        self.ask("Range::after", |txn| {
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
        self.ask("Range::keys", |txn| Ok(txn.range(key_range(range))?.keys().count()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.tells_all = false;
        self.ask("Transaction::put", |txn| txn.put(key, stored(value)))
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.tells_all = false;
        self.ask("Transaction::delete", |txn| txn.delete(key))
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        self.tells_all = false;
        let function = match expected {
            Expected::Version(_) => "Transaction::cas",
            Expected::Value(_) => "Transaction::compare_and_set",
            Expected::Absent => "Transaction::insert",
        };
        self.ask(function, |txn| match expected {
            Expected::Version(version) => txn.cas(key, Version::new(*version), stored(value)),
            Expected::Value(old) => txn.compare_and_set(key, stored(old), stored(value)),
            Expected::Absent => txn.insert(key, stored(value)),
        })
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.tells_all = false;
        self.ask("Transaction::put_with_ttl", |txn| txn.put_with_ttl(key, stored(value), ttl))
    }

    fn append_event(&mut self, stream: &str, payload: &[u8]) -> Result<()> {
        self.tells_all = false;
        self.ask("EventLog::append", |txn| EventLog::new(stream).append(txn, stored(payload)))
    }

    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        let events = self.ask("EventLog::read", |txn| EventLog::new(stream).read(txn, ..))?;
        events.into_iter().map(streamed).collect()
    }

    fn events_in_parts(&mut self, stream: &str, from: u64) -> Result<Vec<StreamEvent>> {
        let log = EventLog::new(stream);
        let count = self.ask("EventLog::len", |txn| log.len(txn))?;
        let is_empty = self.ask("EventLog::is_empty", |txn| log.is_empty(txn))?;
        let last = self.ask("EventLog::last", |txn| log.last(txn))?;
        let part = self.ask("EventLog::read", |txn| log.read(txn, from..))?;
        let all = self.ask("EventLog::read", |txn| log.read(txn, ..))?;
        let behind: Vec<_> = all.iter().filter(|event| event.sequence >= from).collect();
        let agree = count == all.len() as u64
            && is_empty == all.is_empty()
            && last.as_ref() == all.last()
            && part.iter().eq(behind.iter().copied());
        if !agree {
            let why = format!("{stream} has {} events, and parts of it tell something else", all.len());
            return Err(StoreError::Refused(why));
        }
        all.into_iter().map(streamed).collect()
    }

    fn truncate_events(&mut self, stream: &str, before: u64) -> Result<()> {
        self.tells_all = false;
        self.ask("EventLog::truncate_before", |txn| EventLog::new(stream).truncate_before(txn, before))
            .map(drop)
    }

    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        self.ask("EventLog::verify", |txn| EventLog::new(stream).verify(txn))
    }

    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        self.tells_all = false;
        self.ask("StateMachine::create", |txn| machines(state, None)?.create(txn, machine))
    }

    fn machine(&mut self, machine: &str) -> Result<Read> {
        let kind = "StateMachine::state_versioned";
        let (state, version) = self.ask(kind, |txn| machines("", None)?.state_versioned(txn, machine))?;
        Ok(Read { value: state.map(String::into_bytes), version: version.map(Version::get) })
    }

    fn machine_twice(&mut self, machine: &str) -> Result<Read> {
        let read = self.machine(machine)?;
        let again = self.ask("StateMachine::state", |txn| machines("", None)?.state(txn, machine))?;
        if again.map(String::into_bytes) != read.value {
            return Err(StoreError::Refused(format!("{machine} is in two states at once")));
        }
        Ok(read)
    }

    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        self.tells_all = false;
        self.ask("StateMachine::transition", |txn| {
            machines(from, Some(to))?.transition(txn, machine, &from.to_owned(), &to.to_owned())
        })
    }

    fn commit(self: Box<Self>) -> Result<Committed> {
        self.check_sets()?;
        let Self { txn, store, ticket, .. } = *self;
        let answer = txn.commit();
        store.count("Transaction::commit", &answer);
        answer.map(|commit| store.committed(&commit, ticket)).map_err(error)
    }

    fn abort(self: Box<Self>) {
        self.store.calls.ok("Transaction::abort");
        self.txn.abort();
    }
}

pub(super) fn isolation(wanted: Isolation) -> engine::Isolation {
    match wanted {
        Isolation::Serializable => engine::Isolation::Serializable,
        Isolation::Snapshot | Isolation::ReadCommitted => engine::Isolation::Snapshot,
    }
}

pub(super) fn wanted(options: &TxnOptions) -> TransactionOptions {
    let Manner { timeout_micros, writes_max, bytes_max, .. } = options.manner;
    let mut wanted = TransactionOptions::new().isolation(isolation(options.isolation));
    if let Some(micros) = timeout_micros {
        wanted = wanted.timeout(Duration::from_micros(micros));
    }
    if let Some(writes) = writes_max {
        wanted = wanted.writes_max(writes);
    }
    if let Some(bytes) = bytes_max {
        wanted = wanted.bytes_max(bytes);
    }
    if options.read_only { wanted.read_only() } else { wanted }
}

/// Checks that a transaction is what it was asked to be.
pub(super) fn check_context(txn: &Transaction, run: RunId, options: &TxnOptions) -> Result<()> {
    let context = txn.context();
    let is = (context.run(), context.isolation(), context.is_read_only(), context.start_version());
    let asked = (run, isolation(options.isolation), options.read_only, txn.start_version());
    let is_empty = context.read_set_len() + context.range_set_len() + context.append_len() == 0
        && context.write_bytes() == 0;
    if is != asked || txn.run() != run || !is_empty || *context.status() != Status::Active {
        return Err(StoreError::Refused(format!("{asked:?} was asked for, and this was begun: {context:?}")));
    }
    Ok(())
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

fn streamed(event: engine::Event) -> Result<StreamEvent> {
    Ok(StreamEvent { sequence: event.sequence, payload: bytes(&event.value)? })
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
