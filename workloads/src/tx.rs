//! A transaction as clients use it: every operation is recorded, with what it returned.
//!
//! Job: pass operations on to the store, record them, and offer what steps need (numbers, payloads that are
//! unique, time, random numbers, assertions).
//!
//! * INV-TX-1: no answer of the store reaches a step without being recorded.

mod iterate;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::act::Act;
use crate::client::{NESTED, Runner, micros};
use crate::history::{Op, Session, TxnIndex};
use crate::notebook::NoteKind;
use crate::store::{
    Bytes, Entry, Expected, Key, Range, Read, Result, StoreError, StoreTxn, StreamEvent, machine_key,
    stream_key,
};
use crate::workload::Workload;

/// A running transaction whose operations are recorded.
pub struct Tx<'a> {
    runner: Runner<'a>,
    session: Session,
    index: TxnIndex,
    inner: &'a mut (dyn StoreTxn + 'a),
    begun: Duration,
    begun_time: [Duration; 2],
    rng: ChaCha8Rng,
    uniques: u32,
    clocked: bool,
    wrote: Cell<bool>,
    written: RefCell<BTreeSet<Key>>,
    appended: Cell<usize>,
    may_panic: bool,
    timed: bool,
}

/// A summary of a transaction whose steps are all done.
#[derive(Clone, Copy, Default)]
pub(crate) struct Summary {
    /// Whether it has touched keys that expire.
    pub(crate) clocked: bool,
    /// Whether it has written.
    pub(crate) wrote: bool,
    /// How many keys it has written, and elements appended.
    pub(crate) keys_written: usize,
    /// How long it has taken since it had begun, if that matters.
    pub(crate) took: Duration,
    /// How long it took from the call of its begin to the answer of its commit, if that is known and matters.
    pub(crate) elapsed: Option<Duration>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(
        runner: Runner<'a>,
        session: Session,
        index: TxnIndex,
        inner: &'a mut (dyn StoreTxn + 'a),
        begun_time: [Duration; 2],
    ) -> Self {
        let begun = runner.environment.now();
        let rng = ChaCha8Rng::seed_from_u64(0);
        Self {
            runner,
            session,
            index,
            inner,
            begun,
            begun_time,
            rng,
            uniques: 0,
            clocked: false,
            wrote: Cell::new(false),
            written: RefCell::default(),
            appended: Cell::new(0),
            may_panic: false,
            timed: false,
        }
    }

    /// How long it takes matters, as it has a timeout.
    pub(crate) fn timed(self, timed: bool) -> Self {
        Self { timed, ..self }
    }

    /// The loop of a store calls the body, which may panic.
    pub(crate) fn in_a_loop(self) -> Self {
        Self { may_panic: true, ..self }
    }

    pub(crate) fn may_panic(&self) -> bool {
        self.may_panic
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            clocked: self.clocked,
            wrote: self.wrote.get(),
            keys_written: self.written.borrow().len() + self.appended.get(),
            took: if self.timed { self.now().saturating_sub(self.begun) } else { Duration::ZERO },
            elapsed: None,
        }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// Here and below: what the store answered. Pass it on.
    pub fn get(&mut self, key: impl AsRef<[u8]>) -> Result<Read> {
        let key = key.as_ref();
        let answer = self.inner.get(key);
        self.record("get", answer, |read| Op::Get { key: key.to_vec(), read: read.clone() })
    }

    /// Reads the keys in `range` in order (backwards if `reverse`), at most `limit`.
    pub fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        let answer = self.inner.scan(range, limit, reverse);
        self.record("scan", answer, |entries| Op::Scan {
            range: range.clone(),
            limit,
            reverse,
            entries: entries.clone(),
        })
    }

    /// Reads all keys that start with `prefix`.
    pub fn scan_prefix(&mut self, prefix: impl AsRef<[u8]>) -> Result<Vec<Entry>> {
        self.scan(&Range::prefix(prefix.as_ref()), None, false)
    }

    /// Writes a key.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let answer = self.inner.put(key, value);
        self.record("put", answer, |()| Op::Put { key: key.to_vec(), value: value.to_vec() })
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<()> {
        let key = key.as_ref();
        let answer = self.inner.delete(key);
        self.record("delete", answer, |()| Op::Delete { key: key.to_vec() })
    }

    /// Writes a key on a condition.
    pub fn cas(&mut self, key: impl AsRef<[u8]>, expected: &Expected, value: impl AsRef<[u8]>) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let answer = self.inner.cas(key, expected, value);
        self.record("cas", answer, |()| Op::Cas {
            key: key.to_vec(),
            expected: expected.clone(),
            value: value.to_vec(),
        })
    }

    /// Does something to a key, by the function that the act names.
    pub fn act(&mut self, key: &str, act: &Act) -> Result<()> {
        if matches!(act, Act::PutTtl { .. }) {
            self.note_clock();
        }
        let answer = self.inner.act(key, act);
        for op in self.checked(act.kind(), answer)? {
            self.event(op);
        }
        Ok(())
    }

    /// Does something by a single call to the store, beside the transaction.
    pub(crate) fn nested(&mut self, key: &str, act: &Act) -> Result<()> {
        match self.runner.single(NESTED + self.session, None, key, act) {
            // What became of it is on record; the transaction around it goes no further.
            Err(StoreError::Indeterminate(_) | StoreError::Conflict(_)) => Err(StoreError::GaveUp),
            answer => answer,
        }
    }

    /// Appends to the list under `key`.
    pub fn append(&mut self, key: impl AsRef<[u8]>, element: impl AsRef<[u8]>) -> Result<()> {
        let (key, element) = (key.as_ref(), element.as_ref());
        let answer = self.inner.append(key, element);
        self.record("append", answer, |()| Op::Append { key: key.to_vec(), element: element.to_vec() })
    }

    /// Reads the list under `key`.
    pub fn list(&mut self, key: impl AsRef<[u8]>) -> Result<Vec<Bytes>> {
        let key = key.as_ref();
        let answer = self.inner.list(key);
        let (elements, _) = self.record("list", answer, |(elements, version)| Op::List {
            key: key.to_vec(),
            elements: elements.clone(),
            version: *version,
        })?;
        Ok(elements)
    }

    /// Appends to an event stream: in the history, to the list [`stream_key`].
    pub fn append_event(&mut self, stream: &str, payload: impl AsRef<[u8]>) -> Result<()> {
        let payload = payload.as_ref();
        let answer = self.inner.append_event(stream, payload);
        let op = |_: &()| Op::Append { key: stream_key(stream), element: payload.to_vec() };
        self.record("append event", answer, op)
    }

    /// Reads an event stream: in the history, the list [`stream_key`].
    pub fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        let answer = self.inner.events(stream);
        let notebook = self.runner.notebook;
        let events = self.checked("events", answer)?;
        let first = events.first().map_or(0, |event| event.sequence);
        let whole = notebook.whole_stream(stream, &events);
        self.assert("a stream begins where it was truncated", whole.is_some(), || {
            format!("stream {stream} begins with event {first}, and was never truncated there")
        });
        if notebook.is_truncated(stream) && !events.is_empty() {
            self.note(NoteKind::Begins { stream: stream.into(), first });
        }
        if let Some(elements) = whole {
            self.event(Op::List { key: stream_key(stream), elements, version: None });
        }
        Ok(events)
    }

    /// Deletes the events of a stream before a sequence number, as far as they are known: histories have
    /// streams from their beginning. Returns whether the store can do that.
    pub fn truncate_events(&mut self, stream: &str, before: u64) -> Result<bool> {
        if !self.runner.store.capabilities().retention {
            return Ok(false);
        }
        let events = self.events(stream)?;
        let whole = self.runner.notebook.whole_stream(stream, &events).unwrap_or_default();
        let first = events.first().map_or(0, |event| event.sequence);
        if before <= first || before as usize > whole.len() {
            return Ok(true);
        }
        // Before the commit, as others may see it before the ack.
        self.runner.notebook.set_truncated(stream, whole[..before as usize].to_vec());
        self.note(NoteKind::Truncated { stream: stream.into(), before });
        let answer = self.inner.truncate_events(stream, before);
        self.checked("truncate events", answer).map(|()| true)
    }

    /// Reads an event stream, and parts of it, which must agree.
    pub(crate) fn events_in_parts(&mut self, stream: &str, from: u64) -> Result<Vec<StreamEvent>> {
        let answer = self.inner.events_in_parts(stream, from);
        self.record("events in parts", answer, |events| Op::List {
            key: stream_key(stream),
            elements: events.iter().map(|event| event.payload.clone()).collect(),
            version: None,
        })
    }

    /// Makes the store verify an event stream; returns the number of events that it counts.
    pub fn verify_events(&mut self, stream: &str) -> Result<u64> {
        let answer = self.inner.verify_events(stream);
        self.checked("verify events", answer)
    }

    /// Creates a state machine: in the history, a conditional write of [`machine_key`].
    pub fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        let answer = self.inner.create_machine(machine, state);
        self.record("create machine", answer, |()| Op::Cas {
            key: machine_key(machine),
            expected: Expected::Absent,
            value: state.into(),
        })
    }

    /// Returns the state of a machine: in the history, the value of [`machine_key`].
    pub fn machine(&mut self, machine: &str) -> Result<Option<String>> {
        let answer = self.inner.machine(machine);
        let op = |read: &Read| Op::Get { key: machine_key(machine), read: read.clone() };
        let read = self.record("machine", answer, op)?;
        Ok(read.value.map(|state| String::from_utf8_lossy(&state).into_owned()))
    }

    /// The state of a machine by two functions, which must agree: in the history as [`Tx::machine`].
    pub(crate) fn machine_twice(&mut self, machine: &str) -> Result<()> {
        let answer = self.inner.machine_twice(machine);
        let op = |read: &Read| Op::Get { key: machine_key(machine), read: read.clone() };
        self.record("machine twice", answer, op).map(drop)
    }

    /// Takes a machine from one state to another: in the history, a conditional write of [`machine_key`].
    pub fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        let answer = self.inner.transition(machine, from, to);
        self.record("transition", answer, |()| Op::Cas {
            key: machine_key(machine),
            expected: Expected::Value(from.into()),
            value: to.into(),
        })
    }

    /// Writes a key that is gone `ttl_ms` milliseconds later.
    pub fn put_with_ttl(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl_ms: u64,
    ) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        self.note_clock();
        let answer = self.inner.put_with_ttl(key, value, Duration::from_millis(ttl_ms));
        let op = |_: &()| Op::PutExpiring { key: key.to_vec(), value: value.to_vec(), ttl_ms };
        self.record("put with ttl", answer, op)
    }

    /// Reads a key that may have expired, so that the store's clock matters.
    pub fn get_expiring(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        self.note_clock();
        Ok(self.get(key)?.value)
    }

    /// Returns the number under a key, written as decimal text.
    pub fn number(&mut self, key: impl AsRef<[u8]>) -> Result<Option<i64>> {
        let key = key.as_ref();
        match self.get(key)?.value {
            None => Ok(None),
            Some(value) => self.parse(key, &value).map(Some),
        }
    }

    /// Returns the number that `value`, read from `key`, stands for.
    pub fn parse(&self, key: &[u8], value: &[u8]) -> Result<i64> {
        parse(value).ok_or_else(|| {
            let key = String::from_utf8_lossy(key);
            let message = format!("{key} holds {:?}", String::from_utf8_lossy(value));
            self.assert("a number stays a number", false, || message);
            StoreError::Refused(format!("{key} does not hold a number"))
        })
    }

    /// Writes a number as decimal text.
    pub fn put_number(&mut self, key: impl AsRef<[u8]>, number: i64) -> Result<()> {
        self.put(key, number.to_string())
    }

    /// Waits, inside of the transaction.
    pub fn think(&self, duration: Duration) {
        self.runner.environment.sleep(duration);
    }

    /// Returns the time at which the transaction began.
    pub fn begun(&self) -> Duration {
        self.begun
    }

    /// Returns the time now.
    pub fn now(&self) -> Duration {
        self.runner.environment.now()
    }

    /// Returns the stream of random numbers: the same in every attempt.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    pub(crate) fn reseed(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
    }

    /// Returns the index of the transaction in the history.
    pub fn index(&self) -> TxnIndex {
        self.index
    }

    /// Returns whose transaction it is.
    pub fn session(&self) -> Session {
        self.session
    }

    /// Returns at least `len` bytes that no other write has or will ever have.
    pub fn unique(&mut self, len: usize) -> Bytes {
        let mut bytes = format!("t{}.{}", self.index, self.uniques).into_bytes();
        self.uniques += 1;
        if bytes.len() < len {
            bytes.resize(len, b'.');
        }
        bytes
    }

    /// Reports a violation of `rule` unless `holds`. The transaction goes on.
    pub fn assert(&self, rule: &str, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.note(NoteKind::Broken { rule: rule.into(), message: message() });
        }
    }

    pub(crate) fn workload(&self) -> &'a dyn Workload {
        self.runner.workload
    }

    fn note_clock(&mut self) {
        if !self.clocked {
            self.clocked = true;
            self.note(NoteKind::Begun { wall: self.begun_time.map(micros) });
        }
    }

    fn note(&self, what: NoteKind) {
        self.runner.note(self.session, Some(self.index), what);
    }

    fn record<T>(&self, what: &str, answer: Result<T>, op: impl FnOnce(&T) -> Op) -> Result<T> {
        let answer = self.checked(what, answer)?;
        self.event(op(&answer));
        Ok(answer)
    }

    fn checked<T>(&self, what: &str, answer: Result<T>) -> Result<T> {
        if let Err(error) = &answer {
            self.event(Op::Failed { what: what.into(), error: error.to_string() });
        }
        answer
    }

    fn event(&self, op: Op) {
        match &op {
            Op::Get { .. } | Op::Scan { .. } | Op::List { .. } | Op::Failed { .. } => {}
            Op::Append { .. } => {
                self.wrote.set(true);
                self.appended.set(self.appended.get() + 1);
            }
            Op::Put { key, .. }
            | Op::PutExpiring { key, .. }
            | Op::Delete { key }
            | Op::DeleteIf { key, .. }
            | Op::Cas { key, .. } => {
                self.wrote.set(true);
                if !self.written.borrow().contains(key) {
                    self.written.borrow_mut().insert(key.clone());
                }
            }
        }
        self.runner.recorder.op(self.index, op);
    }
}

/// Returns the number that a value stands for: decimal text.
pub(crate) fn parse(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
