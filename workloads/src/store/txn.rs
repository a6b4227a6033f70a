//! Transactions of a store. Most methods have a default, in terms of a few that every store has.

use std::time::Duration;

use super::{
    Bytes, Committed, Conflict, ConflictKind, Entry, Expected, Iterated, Key, Pull, Range, Read, Result,
    StoreError, StreamEvent, Version, list_codec,
};
use crate::act::{Act, ByHand};
use crate::history::Op;

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

    /// Deletes a key on the condition that it is at a version. A store without such a delete reads first.
    fn delete_if(&mut self, key: &[u8], expected: Version) -> Result<()> {
        let read = self.get(key)?;
        if read.version != Some(expected) {
            let conflict = Conflict::new(ConflictKind::Cas, key.to_vec(), read.version);
            return Err(StoreError::Conflict(vec![conflict]));
        }
        self.delete(key)
    }

    /// Does what an act says, by the function that it names, and returns the operations that this was. A
    /// store without that function does it with its plain operations.
    fn act(&mut self, key: &str, act: &Act) -> Result<Vec<Op>> {
        ByHand(self).act(key, act)
    }

    /// Writes a key that is gone `ttl` later, by the store's own clock.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the store has no TTL ([`Capabilities::ttl`](super::Capabilities::ttl)).
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
    /// [`StoreError::Refused`] where the store truncates no streams
    /// ([`Capabilities::retention`](super::Capabilities::retention)).
    fn truncate_events(&mut self, stream: &str, before: u64) -> Result<()> {
        let _ = (stream, before);
        Err(StoreError::Refused("this store truncates no streams".into()))
    }

    /// Reads a whole event stream, and parts of it, which must agree: from the event number `from` on, the
    /// last one, how many there are.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where they do not.
    fn events_in_parts(&mut self, stream: &str, from: u64) -> Result<Vec<StreamEvent>> {
        let _ = from;
        self.events(stream)
    }

    /// Checks whatever the store keeps to prove that a stream is untouched (a hash chain), and counts its
    /// events.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the stream is damaged.
    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        Ok(self.events(stream)?.len() as u64)
    }

    /// Creates a state machine in its first state. A store without state machines writes a key
    /// that must be absent.
    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        self.cas(&machine_key(machine), &Expected::Absent, state.as_bytes())
    }

    /// Returns the state of a machine.
    fn machine(&mut self, machine: &str) -> Result<Read> {
        self.get(&machine_key(machine))
    }

    /// Reads the state of a machine by two functions.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where they do not agree.
    fn machine_twice(&mut self, machine: &str) -> Result<Read> {
        self.machine(machine)
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
