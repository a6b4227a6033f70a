//! Where event logs end, as the commit leader knows it.
//!
//! An append names its stream and nothing else, so that two of them do not conflict. The leader, who handles one commit
//! at a time, gives it the next sequence number and links it to the entry before: the sequence has no holes and its
//! order is the commit order. The links are remembered, or read from the last entry of the stream; a group that fails
//! forgets them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};

use crate::commit::Request;
use crate::key::Key;
use crate::mvcc::Index;
use crate::range::KeyRange;
use crate::txn::Buffered;
use crate::types::Version;
use crate::value::Value;

/// Streams whose ends are remembered.
const REMEMBERED_MAX: usize = 4096;

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
        self.stream.as_bytes().len() + size_of::<u64>() + self.value.size()
    }
}

/// The ends of streams.
#[derive(Debug, Default)]
pub(crate) struct StreamHeads {
    heads: BTreeMap<Key, Head>,
}

/// The end of a stream: what the next entry links to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Sequence number of the next entry: how many there are.
    pub(crate) next: u64,
    /// Hash of the last entry; zeros if there is none.
    pub(crate) hash: [u8; 32],
}

impl StreamHeads {
    /// Turns the appends of a transaction that is going to commit into writes.
    pub(crate) fn place(&mut self, index: &Index, request: &mut Request) {
        for append in std::mem::take(&mut request.appends) {
            if self.heads.len() >= REMEMBERED_MAX {
                self.heads.clear();
            }
            let head = self
                .heads
                .entry(append.stream.clone())
                .or_insert_with(|| Head::find(index, &append.stream, Version::MAX));
            let (key, value) = head.link(&append.stream, append.value);
            request
                .writes
                .insert(key, Buffered { value: Some(value), expires_at: None, condition: None, slot: None });
        }
    }

    /// Forgets all: what was placed last did not commit.
    pub(crate) fn forget(&mut self) {
        self.heads.clear();
    }
}

impl Head {
    pub(crate) const EMPTY: Self = Self { next: 0, hash: [0; 32] };

    /// Reads the last entry at or below a version; entries are never written twice.
    pub(crate) fn find(index: &Index, stream: &Key, at: Version) -> Self {
        let mut head = Self::EMPTY;
        index.walk(&KeyRange::all_with(stream.clone()), true, |slot| {
            let Some(entry) = slot.entry(at) else { return ControlFlow::Continue(()) };
            if let (Some(sequence), Some((hash, _))) =
                (slot.key().last_number(), entry.value.and_then(unpack))
            {
                head = Self { next: sequence + 1, hash };
            }
            ControlFlow::Break(())
        });
        head
    }

    /// The key and the stored value of the next entry; moves on behind it.
    pub(crate) fn link(&mut self, stream: &Key, value: Value) -> (Key, Value) {
        let key = stream.clone().with_number(self.next);
        self.hash = chain(&self.hash, self.next, &value);
        self.next += 1;
        (key, Value::Array(vec![Value::from(&self.hash), value]))
    }
}

/// The hash of an entry: SHA-256 over the hash before it, its sequence number and its encoded value.
pub(crate) fn chain(before: &[u8; 32], sequence: u64, value: &Value) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(sequence.to_be_bytes());
    let encoded = bincode::encode_to_vec(value, bincode::config::standard());
    hasher.update(encoded.expect("values encode: their depth is limited when they are written"));
    hasher.finalize().into()
}

/// Hash and value of a stored entry.
pub(crate) fn unpack(stored: Value) -> Option<([u8; 32], Value)> {
    let Value::Array(parts) = stored else { return None };
    let [Value::Bytes(hash), value] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    Some((<[u8; 32]>::try_from(hash.as_ref()).ok()?, value))
}
