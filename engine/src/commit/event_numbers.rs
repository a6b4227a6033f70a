//! Sequence numbers and hash chain of event logs, which the commit leader assigns.
//!
//! An append names its stream and nothing else, so that two of them do not conflict. The leader, which
//! handles one commit at a time, gives it the next sequence number and links it to the entry before: the
//! sequence has no holes and its order is the commit order. The heads of streams are cached, or read from the
//! last entry; a group that fails drops the cache.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

#[cfg(feature = "sha2")]
use sha2::{Digest as _, Sha256};

use super::write_set::{BufferedWrite, WriteSet};
use crate::cost;
use crate::key::Key;
use crate::mvcc::Index;
use crate::range::KeyRange;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// Streams whose heads are cached.
const CACHED_MAX: usize = 4096;

/// An entry for an event log, before it has a sequence number.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    /// What all keys of the stream start with.
    pub(crate) stream: Key,
    pub(crate) value: Value,
}

impl Append {
    /// Bytes that it will take, about.
    pub(crate) fn size(&self) -> usize {
        cost::step();
        self.stream.as_bytes().len() + size_of::<u64>() + self.value.size()
    }
}

/// The heads of streams, cached.
#[derive(Debug, Default)]
pub(super) struct StreamHeads {
    heads: BTreeMap<Key, StreamHead>,
}

/// The head of a stream: what the next entry links to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamHead {
    /// Sequence number of the next entry: how many there have been.
    pub(crate) next: u64,
    /// Hash of the last entry; zeros if there was none.
    pub(crate) hash: [u8; 32],
}

impl StreamHeads {
    /// Numbers the appends of a transaction that is going to commit, and turns them into writes.
    pub(super) fn number(&mut self, index: &Index, appends: Vec<Append>, writes: &mut WriteSet) {
        for append in appends {
            if self.heads.len() >= CACHED_MAX {
                self.heads.clear();
            }
            let head = self
                .heads
                .entry(append.stream.clone())
                .or_insert_with(|| StreamHead::find(index, &append.stream, Version::MAX));
            let (key, value) = head.link(&append.stream, append.value);
            writes.insert(key, BufferedWrite::new(Some(value)));
        }
    }

    /// Drops the cache: what was numbered last did not commit.
    pub(super) fn forget(&mut self) {
        self.heads.clear();
    }
}

impl StreamHead {
    pub(crate) const EMPTY: Self = Self { next: 0, hash: [0; 32] };

    /// Reads the last entry at or below a version, or the anchor if all were truncated; entries are never
    /// written twice.
    pub(crate) fn find(index: &Index, stream: &Key, at: Version) -> Self {
        let mut head = Self::EMPTY;
        let range = KeyRange::all_with(stream.clone());
        let (start, end) = (range.start().as_bytes(), range.end().map(Key::as_bytes));
        index.scan_reverse(start, end, at, |entry| {
            let stored = entry.value().map(|value| ValueRef::decode(value).to_value());
            head = stored.and_then(|stored| Self::behind(stream, entry.key(), stored)).unwrap_or(head);
            ControlFlow::Break(())
        });
        head
    }

    /// Returns the head after the entry that is stored under a key, or after the anchor of its stream.
    pub(crate) fn behind(stream: &Key, key: &[u8], stored: Value) -> Option<Self> {
        let (hash, value) = unpack(stored)?;
        if key != stream.as_bytes() {
            return Some(Self { next: Key::from_encoded(key).last_number()? + 1, hash });
        }
        match value {
            Value::I64(next) => Some(Self { next: u64::try_from(next).ok()?, hash }),
            _ => None,
        }
    }

    /// Returns what is stored under the key of the stream itself once the entries before this are truncated:
    /// where the rest begins, and the hash that its first entry is linked to.
    #[cfg_attr(not(feature = "sha2"), expect(dead_code, reason = "only event logs have anchors"))]
    pub(crate) fn anchor(&self) -> Value {
        let hash = if rt::mutant!(AnchorWithoutHash) { [0; 32] } else { self.hash };
        Value::from(vec![Value::from(&hash), Value::I64(i64::try_from(self.next).unwrap_or(i64::MAX))])
    }

    /// Returns the key and the stored value of the next entry; moves past it.
    pub(crate) fn link(&mut self, stream: &Key, value: Value) -> (Key, Value) {
        let key = stream.clone().with_number(self.next);
        *self = self.followed_by(&value);
        (key, Value::from(vec![Value::from(&self.hash), value]))
    }

    /// Returns the head after the next entry.
    pub(crate) fn followed_by(&self, value: &Value) -> Self {
        Self { next: self.next + 1, hash: chain(&self.hash, self.next, value) }
    }
}

/// Without the feature `sha2` there are no event logs to append to.
#[cfg(not(feature = "sha2"))]
fn chain(_before: &[u8; 32], _sequence: u64, _value: &Value) -> [u8; 32] {
    unreachable!("nothing can append to an event log")
}

/// Returns the hash of an entry: SHA-256 over the hash before it, its sequence number and its encoded value.
#[cfg(feature = "sha2")]
fn chain(before: &[u8; 32], sequence: u64, value: &Value) -> [u8; 32] {
    cost::step();
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(sequence.to_be_bytes());
    hasher.update(value.encoded());
    hasher.finalize().into()
}

/// Returns hash and value of a stored entry.
pub(crate) fn unpack(stored: Value) -> Option<([u8; 32], Value)> {
    let Value::Array(parts) = stored else { return None };
    let [Value::Bytes(hash), value] = <[Value; 2]>::try_from(Vec::from(parts)).ok()? else { return None };
    Some((<[u8; 32]>::try_from(hash.as_ref()).ok()?, value))
}
