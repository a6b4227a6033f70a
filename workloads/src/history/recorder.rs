//! Records events while they happen.
//!
//! Job: give every event its place in the global order, cheaply, from many clients at once. Not its job:
//! calling the store.
//!
//! Invariants: INV-RECORDER-1: the internal lock is held for one push and never across a call to a store, so
//! it is no scheduling point and can't be held when a simulated life is cut off. INV-RECORDER-2: an
//! invocation gets its time before the call, an answer after it, so recorded intervals contain the true ones.

#![expect(
    clippy::disallowed_types,
    reason = "bookkeeping outside of the simulated world: held for a push only, so no interleaving depends on it"
)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Event, FoldError, History, Life, LifeEnd, Op, Outcome, Session, Time, TxnIndex, fold};
use crate::store::{Committed, Conflict, Isolation, Version};

/// Shared by all clients of a store; clones record into the same history.
///
/// A client calls [`tick`](Self::tick), begins, calls [`begin`](Self::begin); records each answer with
/// [`op`](Self::op); calls [`commit`](Self::commit) before it commits and [`committed`](Self::committed),
/// [`aborted`](Self::aborted) or nothing (not known) after.
#[derive(Clone, Default)]
pub struct Recorder {
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    clock: Time,
    txns: TxnIndex,
    events: Vec<Event>,
    sink: Option<Box<dyn Write + Send>>,
    sink_error: Option<io::Error>,
    /// When each running commit was called, by transaction.
    invoked: Vec<(TxnIndex, Time)>,
    /// Acked, and not known to be durable: transaction, time of the ack, and version, in ack order.
    volatile: Vec<(TxnIndex, Time, Option<Version>)>,
    /// How often a client was told that something is durable.
    promises: u64,
}

impl Recorder {
    /// Keeps events in memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes each event to `sink` as a JSON line as well, at once: what was recorded outlives the process.
    pub fn with_sink(sink: Box<dyn Write + Send>) -> Self {
        let recorder = Self::new();
        recorder.log().sink = Some(sink);
        recorder
    }

    /// Continues a history whose last event was at `last`, and in which `txns` transactions have begun:
    /// what another process has recorded before.
    pub fn resumed(last: Time, txns: TxnIndex, sink: Box<dyn Write + Send>) -> Self {
        let recorder = Self::with_sink(sink);
        let mut log = recorder.log();
        log.clock = last;
        log.txns = txns;
        drop(log);
        recorder
    }

    /// Returns the next point in the global order.
    pub fn tick(&self) -> Time {
        self.log().tick()
    }

    /// Returns the last point in the global order that was given out.
    pub fn now(&self) -> Time {
        self.log().clock
    }

    /// Records that a life is open for use.
    pub fn opened(&self, life: Life) {
        let mut log = self.log();
        let at = log.tick();
        log.push(Event::Opened { life, at });
    }

    /// Records that a life has ended. Its transactions that are recorded as running or committing stay so.
    pub fn ended(&self, life: Life, how: LifeEnd) {
        let mut log = self.log();
        let at = log.tick();
        log.volatile.clear();
        log.invoked.clear();
        log.push(Event::Ended { life, at, how });
    }

    /// Records that a transaction has begun; `called` is the [`tick`](Self::tick) from before the call.
    pub fn begin(
        &self,
        session: Session,
        life: Life,
        called: Time,
        start_version: Option<Version>,
        isolation: Isolation,
    ) -> TxnIndex {
        let mut log = self.log();
        let txn = log.txns;
        log.txns += 1;
        log.push(Event::Begin { txn, session, life, at: called, start_version, isolation });
        txn
    }

    /// Records that an operation has returned.
    pub fn op(&self, txn: TxnIndex, op: Op) {
        let mut log = self.log();
        let at = log.tick();
        log.push(Event::Op { txn, at, op });
    }

    /// Records that commit is about to be called.
    pub fn commit(&self, txn: TxnIndex) {
        let mut log = self.log();
        let at = log.tick();
        log.invoked.push((txn, at));
        log.push(Event::Commit { txn, at });
    }

    /// Records that commit has succeeded.
    pub fn committed(&self, txn: TxnIndex, answer: &Committed) {
        let mut log = self.log();
        let acked = log.tick();
        let invoked = log.answered(txn).unwrap_or(acked);
        let durable = answer.durable.then_some(acked);
        log.promises += u64::from(answer.durable);
        if durable.is_none() {
            log.volatile.push((txn, acked, answer.version));
        }
        let outcome = Outcome::Committed { invoked, acked, version: answer.version, durable };
        log.push(Event::Outcome { txn, outcome });
    }

    /// Records that the transaction was aborted: by the store for `conflicts`, or without any by the client.
    pub fn aborted(&self, txn: TxnIndex, conflicts: Vec<Conflict>) {
        let mut log = self.log();
        let at = log.tick();
        log.answered(txn);
        log.push(Event::Outcome { txn, outcome: Outcome::Aborted { at, conflicts } });
    }

    /// Records that commit has answered that it does not know the outcome. (No answer at all says the same.)
    pub fn unknown(&self, txn: TxnIndex) {
        let mut log = self.log();
        let now = log.tick();
        let invoked = log.answered(txn).unwrap_or(now);
        log.push(Event::Outcome { txn, outcome: Outcome::Unknown { invoked } });
    }

    /// Records that an acked commit is now known to be durable (its ticket was waited for).
    pub fn durable(&self, txn: TxnIndex) {
        let mut log = self.log();
        log.volatile.retain(|&(other, _, _)| other != txn);
        log.promises += 1;
        let at = log.tick();
        log.push(Event::Durable { txn, at });
    }

    /// Records the success of a flush that was called at `called` (a [`tick`](Self::tick) from before the
    /// call): all that was acked before is durable.
    pub fn flushed(&self, called: Time) {
        let mut log = self.log();
        let split = log.volatile.partition_point(|&(_, acked, _)| acked < called);
        let durable: Vec<_> = log.volatile.drain(..split).collect();
        log.promises += u64::from(!durable.is_empty());
        let at = log.tick();
        for (txn, _, _) in durable {
            log.push(Event::Durable { txn, at });
        }
    }

    /// Records that a client was told that everything up to `version` is durable.
    pub fn durable_up_to(&self, version: Version) {
        let mut log = self.log();
        log.promises += 1;
        let at = log.tick();
        let is_durable = |known: Option<Version>| known.is_some_and(|known| known <= version);
        let (durable, rest) = std::mem::take(&mut log.volatile).into_iter().partition(|v| is_durable(v.2));
        log.volatile = rest;
        let durable: Vec<_> = durable;
        for (txn, _, _) in durable {
            log.push(Event::Durable { txn, at });
        }
    }

    /// Counts that a client learnt, in any way, that something is durable.
    pub fn promise(&self) {
        self.log().promises += 1;
    }

    /// Returns how often a client was told that something is durable: by a commit, a ticket or a flush.
    pub fn promises(&self) -> u64 {
        self.log().promises
    }

    /// Returns how many events were recorded so far.
    pub fn len(&self) -> usize {
        self.log().events.len()
    }

    /// Returns whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a copy of the events so far.
    pub fn events(&self) -> Vec<Event> {
        self.log().events.clone()
    }

    /// Calls `look` with the events so far. It must not record any: the log is locked.
    pub fn with_events<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        look(&self.log().events)
    }

    /// Returns the history so far.
    ///
    /// # Errors
    /// When a client recorded events of a transaction that it never began.
    pub fn history(&self) -> Result<History, FoldError> {
        fold(self.events())
    }

    /// Takes the events, leaving the recorder empty but for its clock.
    ///
    /// # Errors
    /// When the sink had failed: the file then lacks events.
    pub fn take(&self) -> io::Result<Vec<Event>> {
        let mut log = self.log();
        log.txns = 0;
        if let Some(error) = log.sink_error.take() {
            return Err(error);
        }
        if let Some(sink) = &mut log.sink {
            sink.flush()?;
        }
        Ok(std::mem::take(&mut log.events))
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn tick(&mut self) -> Time {
        self.clock += 1;
        self.clock
    }

    fn answered(&mut self, txn: TxnIndex) -> Option<Time> {
        let at = self.invoked.iter().position(|&(other, _)| other == txn)?;
        Some(self.invoked.swap_remove(at).1)
    }

    fn push(&mut self, event: Event) {
        if let Some(sink) = &mut self.sink
            && let Err(error) = super::jsonl::write_event(sink, &event)
        {
            self.sink_error.get_or_insert(error);
        }
        self.events.push(event);
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log = self.log();
        f.debug_struct("Recorder").field("clock", &log.clock).field("events", &log.events.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Recorder;
    use crate::history::{LifeEnd, Op, Outcome};
    use crate::store::{Committed, Isolation};

    fn put(recorder: &Recorder, session: u32) -> u32 {
        let called = recorder.tick();
        let txn = recorder.begin(session, 0, called, Some(0), Isolation::Serializable);
        recorder.op(txn, Op::Put { key: b"k".to_vec(), value: vec![0] });
        recorder.commit(txn);
        txn
    }

    #[test]
    fn a_history_that_another_process_began_is_gone_on_with() {
        let before = Recorder::new();
        before.opened(0);
        let txn = put(&before, 1);
        before.committed(txn, &Committed { version: Some(1), durable: true });
        before.ended(0, LifeEnd::Crashed);
        let mut events = before.events();
        let after = Recorder::resumed(before.tick(), 1, Box::new(std::io::sink()));
        after.opened(1);
        assert_eq!(put(&after, 1), 1);
        events.extend(after.events());
        let history = super::fold(events).expect("adds up");
        assert!(history.txns[0].begun < history.txns[1].begun);
        assert_eq!((history.lives.len(), history.txns.len()), (2, 2));
    }

    #[test]
    fn a_flush_makes_durable_what_was_acked_before_it_was_called_and_nothing_else() {
        let recorder = Recorder::new();
        recorder.opened(0);
        let before = put(&recorder, 1);
        recorder.committed(before, &Committed { version: Some(1), durable: false });
        let called = recorder.tick();
        let during = put(&recorder, 2);
        recorder.committed(during, &Committed { version: Some(2), durable: false });
        recorder.flushed(called);
        let cut_off = put(&recorder, 3);
        recorder.ended(0, LifeEnd::Crashed);
        let history = recorder.history().expect("adds up");
        let durable = |txn: u32| match &history.txns[txn as usize].outcome {
            Outcome::Committed { durable, .. } => durable.is_some(),
            outcome => panic!("{outcome:?}"),
        };
        assert!(durable(before));
        assert!(!durable(during));
        assert!(matches!(history.txns[cut_off as usize].outcome, Outcome::Unknown { .. }));
    }
}
