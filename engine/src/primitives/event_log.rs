//! Event logs: append-only streams with sequence numbers without holes and a hash chain.

use std::ops::{Bound, RangeBounds};

use crate::commit::{Append, StreamHead, unpack};
use crate::error::{Error, Result};
use crate::key::{Key, Namespace, TypeTag};
use crate::range::KeyRange;
use crate::txn::Transaction;
use crate::types::Version;
use crate::value::{VALUE_DEPTH_MAX, Value};

/// One stream of events.
///
/// Appends do not conflict with each other: the order of their commits is the order of their sequence
/// numbers, which begin at 0 and have no holes. A serializable transaction that has read (any part of) the
/// end of a stream conflicts with appends by others, as with any phantom; so what it read before its own
/// appends is what precedes them.
///
/// ```
/// use stormproof::{Database, EventLog};
///
/// # fn main() -> Result<(), stormproof::Error> {
/// let db = Database::open_in_memory()?;
/// let run = db.begin_run()?;
/// let log = EventLog::new("tool-calls");
/// db.transaction(run, |txn| {
///     log.append(txn, "search")?;
///     log.append(txn, "answer")
/// })?;
/// let mut txn = db.begin_transaction(run)?;
/// let events = log.read(&mut txn, ..)?;
/// assert_eq!(events[1].sequence, 1);
/// assert_eq!(log.verify(&mut txn)?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLog {
    name: String,
    stream: Key,
}

/// An entry of an event log.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its place in the stream, from 0, also if those before it were truncated.
    pub sequence: u64,
    /// What happened.
    pub value: Value,
    /// SHA-256 over the hash of the entry before (zeros for the first), the sequence number (8 bytes,
    /// big-endian) and the encoded value.
    pub hash: [u8; 32],
    /// The commit that appended it; `None` for the transaction's own.
    pub version: Option<Version>,
}

impl EventLog {
    /// Returns the stream of that name in the shared namespace.
    pub fn new(name: &str) -> Self {
        Self::in_namespace(&Namespace::shared(), name)
    }

    /// Returns the stream of that name in a namespace.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// use stormproof::{EventLog, Namespace};
    ///
    /// let own = EventLog::in_namespace(&Namespace::of_run(run), "thoughts");
    /// assert!(own.is_empty(&mut txn)?);
    /// own.append(&mut txn, "hm")?;
    /// assert_eq!(own.len(&mut txn)?, 1);
    /// let last = own.last(&mut txn)?.expect("there is one");
    /// assert_eq!((last.sequence, last.value), (0, "hm".into()));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn in_namespace(namespace: &Namespace, name: &str) -> Self {
        let stream = namespace.tagged(TypeTag::Event, &[]).with_component(name.as_bytes());
        Self { name: name.to_owned(), stream }
    }

    /// Appends an event. It gets its sequence number when the transaction commits.
    ///
    /// # Errors
    /// When the value does not fit or nests too deep, or the transaction is too large or may not write any
    /// more.
    pub fn append<V>(&self, txn: &mut Transaction, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        let value: Value = value.try_into()?;
        // One level is the event's own.
        let value = value.within_depth(VALUE_DEPTH_MAX - 1, "levels of nesting in an event")?;
        txn.append(Append { stream: self.stream.clone(), value })
    }

    /// Returns the events whose sequence numbers lie in `sequences`, in order, the transaction's own
    /// included. These stand where they will be if the transaction commits under serializable isolation;
    /// under snapshot isolation others may come before them.
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout; [`Error::BrokenChain`] for an entry that can't
    /// be read.
    pub fn read(&self, txn: &mut Transaction, sequences: impl RangeBounds<u64>) -> Result<Vec<Event>> {
        let from = match sequences.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match sequences.end_bound() {
            Bound::Included(&last) => last.checked_add(1),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => None,
        };
        let late = u64::from(rt::mutant!(PartOfStreamStartsLate) && from > 0);
        let mut events = self.committed(txn, from + late, end)?;
        if self.own_count(txn) > 0 {
            self.add_own(txn, [from, end.unwrap_or(u64::MAX)], &mut events)?;
        }
        Ok(events)
    }

    /// Returns how many events there are, the transaction's own included, and those that were truncated not.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn len(&self, txn: &mut Transaction) -> Result<u64> {
        Ok(self.next(txn)?.saturating_sub(self.first(txn)?))
    }

    /// Returns the sequence number of the first event that is kept: 0 if none was truncated.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn first(&self, txn: &mut Transaction) -> Result<u64> {
        Ok(self.anchor(txn)?.next)
    }

    /// Returns the sequence number after the last event, the transaction's own included.
    fn next(&self, txn: &mut Transaction) -> Result<u64> {
        Ok(self.head(txn)?.next + self.own_count(txn))
    }

    /// Returns whether there are no events.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn is_empty(&self, txn: &mut Transaction) -> Result<bool> {
        Ok(self.len(txn)? == 0)
    }

    /// Returns the last event, if there is one.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn last(&self, txn: &mut Transaction) -> Result<Option<Event>> {
        match self.next(txn)?.checked_sub(1) {
            Some(last) => Ok(self.read(txn, last..)?.pop()),
            None => Ok(None),
        }
    }

    /// Checks that the sequence has no holes and every entry's hash is what it must be, from the first that
    /// is kept. Returns how many there are.
    ///
    /// # Errors
    /// [`Error::BrokenChain`] names the first entry that does not fit.
    pub fn verify(&self, txn: &mut Transaction) -> Result<u64> {
        let anchor = self.anchor(txn)?;
        let mut head = anchor;
        for event in self.read(txn, ..)? {
            if event.sequence < anchor.next {
                return Err(self.broken(event.sequence, "was truncated, and is there"));
            }
            if event.sequence != head.next {
                return Err(self.broken(head.next, "is missing"));
            }
            head = head.followed_by(&event.value);
            if head.hash != event.hash {
                return Err(self.broken(event.sequence, "does not match its hash"));
            }
        }
        Ok(head.next - anchor.next)
    }

    /// Deletes the events before `sequence`, which must have been committed. The others keep their numbers,
    /// and [`verify`](Self::verify) still proves them, from the hash of the last one deleted, which is kept.
    /// Returns how many were deleted. Each counts as a write of the transaction: a stream with more events
    /// than its limits allow is truncated in several.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let log = stormproof::EventLog::new("tool-calls");
    /// for event in ["search", "read", "answer"] {
    ///     db.transaction(run, |txn| log.append(txn, event))?;
    /// }
    /// db.transaction(run, |txn| log.truncate_before(txn, 2))?;
    /// let mut txn = db.begin_transaction(run)?;
    /// assert_eq!((log.first(&mut txn)?, log.len(&mut txn)?, log.verify(&mut txn)?), (2, 1, 1));
    /// assert_eq!(log.read(&mut txn, ..)?[0].value, "answer".into());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] when the stream has no committed event before `sequence`; [`Error::BrokenChain`]
    /// for one that is missing; otherwise as a [write](Transaction::put).
    pub fn truncate_before(&self, txn: &mut Transaction, sequence: u64) -> Result<u64> {
        let anchor = self.anchor(txn)?;
        if sequence <= anchor.next {
            return Ok(0);
        }
        let events = self.committed(txn, anchor.next, Some(sequence))?;
        if events.last().map(|last| last.sequence + 1) != Some(sequence) {
            return Err(Error::Invalid(format!(
                "stream {:?} has no event {}: truncate it before one of its committed events, or behind the last",
                self.name,
                sequence - 1
            )));
        }
        let mut head = anchor;
        for event in events {
            if event.sequence != head.next {
                return Err(self.broken(head.next, "is missing"));
            }
            head = StreamHead { next: event.sequence + 1, hash: event.hash };
            txn.set_event(self.stream.clone().with_number(event.sequence), None)?;
        }
        if !rt::mutant!(TruncatedWithoutAnchor) {
            txn.set_event(self.stream.clone(), Some(head.anchor()))?;
        }
        Ok(head.next - anchor.next)
    }

    /// Returns where the events that are kept begin, and what the first of them is linked to.
    fn anchor(&self, txn: &mut Transaction) -> Result<StreamHead> {
        let Some(stored) = txn.get::<Value>(&self.stream)? else { return Ok(StreamHead::EMPTY) };
        let anchor = StreamHead::behind(&self.stream, self.stream.as_bytes(), stored);
        anchor.ok_or_else(|| self.broken(0, "has no place in the stream: its anchor is damaged"))
    }

    fn committed(&self, txn: &mut Transaction, from: u64, end: Option<u64>) -> Result<Vec<Event>> {
        let whole = KeyRange::all_with(self.stream.clone());
        let start = self.stream.clone().with_number(from);
        let range = match end.map(|end| self.stream.clone().with_number(end)).or_else(|| whole.end().cloned())
        {
            Some(end) => KeyRange::between(start.clone(), end.max(start)),
            None => whole,
        };
        let mut events = Vec::new();
        for entry in txn.range(range)? {
            let version = entry.version();
            let (key, value) = entry.into_pair();
            let sequence = key.last_number().unwrap_or(u64::MAX);
            let (hash, value) = unpack(value).ok_or_else(|| self.broken(sequence, "is not an event"))?;
            events.push(Event { sequence, value, hash, version });
        }
        Ok(events)
    }

    /// Returns where the stream ends in the snapshot: a read of its end.
    fn head(&self, txn: &mut Transaction) -> Result<StreamHead> {
        let last = txn.range(KeyRange::all_with(self.stream.clone()))?.next_back();
        match last {
            Some(entry) => {
                let (key, value) = entry.into_pair();
                let sequence = key.last_number().unwrap_or(u64::MAX);
                StreamHead::behind(&self.stream, key.as_bytes(), value)
                    .ok_or_else(|| self.broken(sequence, "is not an event"))
            }
            None => Ok(StreamHead::EMPTY),
        }
    }

    /// Returns how many events the transaction has appended itself.
    fn own_count(&self, txn: &mut Transaction) -> u64 {
        txn.context.own_events.count(&txn.context.appends, &self.stream)
    }

    /// Adds the transaction's own events with these numbers.
    fn add_own(&self, txn: &mut Transaction, numbers: [u64; 2], events: &mut Vec<Event>) -> Result<()> {
        let base = self.head(txn)?;
        let context = &mut txn.context;
        let own = context.own_events.linked(&context.appends, &self.stream, base, numbers);
        events.extend(own.map(|(append, head)| Event {
            sequence: head.next - 1,
            value: append.value.clone(),
            hash: head.hash,
            version: None,
        }));
        Ok(())
    }

    fn broken(&self, sequence: u64, problem: &'static str) -> Error {
        Error::BrokenChain { stream: self.name.clone(), sequence, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::EventLog;
    use crate::commit::StreamHead;
    use crate::database::Database;
    use crate::error::Error;
    use crate::key::Key;
    use crate::run_id::RunId;
    use crate::txn::Transaction;
    use crate::value::Value;

    fn filled(log: &EventLog) -> (Database, RunId) {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        for number in 0..5_i64 {
            db.transaction(run, |txn| log.append(txn, number)).unwrap();
        }
        (db, run)
    }

    fn sequences(txn: &mut Transaction, log: &EventLog, of: impl std::ops::RangeBounds<u64>) -> Vec<u64> {
        log.read(txn, of).unwrap().iter().map(|event| event.sequence).collect()
    }

    #[test]
    fn any_range_of_sequence_numbers_is_read_with_the_transactions_own_behind() {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        rt::check(|| {
            let log = EventLog::new("stream");
            let (db, run) = filled(&log);
            let mut txn = db.begin_transaction(run).unwrap();
            log.append(&mut txn, 5_i64).unwrap();
            assert_eq!(sequences(&mut txn, &log, ..), [0, 1, 2, 3, 4, 5]);
            assert_eq!(sequences(&mut txn, &log, 3..), [3, 4, 5]);
            assert_eq!(sequences(&mut txn, &log, ..=1), [0, 1]);
            assert_eq!(sequences(&mut txn, &log, 4..5), [4]);
            assert_eq!(sequences(&mut txn, &log, (Excluded(1), Included(4))), [2, 3, 4]);
            assert_eq!(sequences(&mut txn, &log, (Excluded(4), Unbounded)), [5]);
            assert_eq!(sequences(&mut txn, &log, 6..=u64::MAX), [0_u64; 0]);
            let last = log.last(&mut txn).unwrap().unwrap();
            assert_eq!((last.sequence, last.value, last.version), (5, Value::I64(5), None));
            let other = EventLog::new("other");
            assert!(other.is_empty(&mut txn).unwrap());
            assert_eq!(other.last(&mut txn).unwrap(), None);
        });
    }

    #[test]
    fn a_truncated_stream_keeps_its_numbers_and_its_chain_and_can_be_emptied() {
        rt::check(|| {
            let log = EventLog::new("stream");
            let (db, run) = filled(&log);
            let truncate = |before| db.transaction(run, |txn| log.truncate_before(txn, before));
            assert_eq!(truncate(3).unwrap(), 3);
            assert_eq!(truncate(2).unwrap(), 0, "they are gone already");
            assert!(matches!(truncate(6), Err(Error::Invalid(_))));
            let mut txn = db.begin_transaction(run).unwrap();
            assert_eq!(sequences(&mut txn, &log, ..), [3, 4]);
            log.append(&mut txn, 5_i64).unwrap();
            assert_eq!((log.first(&mut txn).unwrap(), log.len(&mut txn).unwrap()), (3, 3));
            assert_eq!(log.verify(&mut txn).unwrap(), 3);
            drop(txn);
            assert_eq!(truncate(5).unwrap(), 2);
            let mut txn = db.begin_transaction(run).unwrap();
            assert!(log.is_empty(&mut txn).unwrap());
            assert_eq!(log.last(&mut txn).unwrap(), None);
            log.append(&mut txn, 5_i64).unwrap();
            let last = log.last(&mut txn).unwrap().unwrap();
            assert_eq!(last.sequence, 5);
            txn.commit().map(drop).unwrap();
            let mut txn = db.begin_transaction(run).unwrap();
            assert_eq!(log.read(&mut txn, ..).unwrap()[0].hash, last.hash);
            assert_eq!(log.verify(&mut txn).unwrap(), 1);
        });
    }

    #[test]
    fn an_event_that_comes_back_after_its_stream_was_truncated_breaks_the_chain() {
        rt::check(|| {
            let log = EventLog::new("stream");
            let (db, run) = filled(&log);
            let key: Key = log.stream.clone().with_number(1);
            let event = db.transaction(run, |txn| txn.get::<Value>(&key)).unwrap();
            db.transaction(run, |txn| log.truncate_before(txn, 3)).unwrap();
            db.transaction(run, |txn| txn.tamper(&key, event.clone())).unwrap();
            let broken = db.transaction(run, |txn| log.verify(txn)).unwrap_err();
            assert!(broken.to_string().contains("was truncated"), "{broken}");
        });
    }

    #[test]
    fn whatever_is_tampered_with_breaks_the_chain_and_is_named() {
        let forged = |value: i64| Value::from(vec![Value::from(&[7_u8; 32]), Value::I64(value)]);
        // An attacker who computes the hash of the changed entry still breaks the chain at the next one.
        let linked = || {
            let before = StreamHead::EMPTY.followed_by(&Value::I64(0)).followed_by(&Value::I64(1));
            Value::from(vec![Value::from(&before.followed_by(&Value::I64(9)).hash), Value::I64(9)])
        };
        let tampered: [(u64, Option<Value>, u64, &str); 5] = [
            (2, Some(forged(2)), 2, "does not match its hash"),
            (2, Some(linked()), 3, "does not match its hash"),
            (2, None, 2, "is missing"),
            (0, None, 0, "is missing"),
            (4, Some(Value::I64(4)), 4, "is not an event"),
        ];
        for (at, stored, named, said) in tampered {
            rt::check(move || {
                let log = EventLog::new("stream");
                let (db, run) = filled(&log);
                assert_eq!(db.transaction(run, |txn| log.verify(txn)).unwrap(), 5);
                let key: Key = log.stream.clone().with_number(at);
                db.transaction(run, |txn| txn.tamper(&key, stored.clone())).unwrap();
                let broken = db.transaction(run, |txn| log.verify(txn)).unwrap_err();
                let Error::BrokenChain { stream, sequence, problem } = &broken else { panic!("{broken}") };
                assert_eq!((stream.as_str(), *sequence, *problem), ("stream", named, said));
            });
        }
    }
}
