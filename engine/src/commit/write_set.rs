//! Write set: what a transaction would write, buffered until commit.

use std::cell::RefCell;
use std::collections::{BTreeMap, btree_map};
use std::slice;

use env::UnixMillis;
use smallvec::SmallVec;

use crate::conflict::CasExpectation;
use crate::cost;
use crate::key::Key;
use crate::mvcc::{Hint, Record};
use crate::range::KeyRange;
use crate::types::{RunNumber, TxnId};
use crate::value::Value;

/// Up to this many writes stay in a sorted vector, which is faster to fill than a tree; a single one needs no
/// allocation.
const VECTOR_MAX: usize = 32;

thread_local! {
    /// Where this thread encodes records, one after the other. What is in it in between means nothing.
    static ENCODED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A larger buffer is not kept.
const ENCODED_KEPT_MAX: usize = 64 << 10;

/// Buffered writes by key: puts, deletes and conditional writes. The last one to a key counts; its
/// condition, once there is one, stays.
#[derive(Clone, Debug)]
pub(crate) struct WriteSet {
    entries: Entries,
    bytes: usize,
    counts: Counts,
}

/// How many writes there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) puts: usize,
    pub(crate) deletes: usize,
    pub(crate) conditional: usize,
}

#[derive(Clone, Debug)]
enum Entries {
    Few(SmallVec<[(Key, BufferedWrite); 1]>),
    Many(BTreeMap<Key, BufferedWrite>),
}

/// A buffered write.
#[derive(Clone, Debug)]
pub(crate) struct BufferedWrite {
    /// `None` deletes.
    pub(crate) value: Option<Value>,
    pub(crate) expires_at: Option<UnixMillis>,
    /// What must hold at commit.
    pub(crate) condition: Option<CasExpectation>,
    /// Where the key is, if a read found out.
    pub(crate) hint: Hint,
    /// The write as the index and the log take it, once the transaction asks to be committed.
    pub(crate) record: Option<Record>,
}

/// The writes to keys of a range in key order, from either end.
#[derive(Debug)]
pub(crate) enum WritesInRange<'a> {
    Few(slice::Iter<'a, (Key, BufferedWrite)>),
    Many(btree_map::Range<'a, Key, BufferedWrite>),
}

impl BufferedWrite {
    pub(crate) const fn new(value: Option<Value>) -> Self {
        Self { value, expires_at: None, condition: None, hint: Hint::NONE, record: None }
    }
}

impl Default for WriteSet {
    fn default() -> Self {
        Self { entries: Entries::Few(SmallVec::new()), bytes: 0, counts: Counts::default() }
    }
}

impl WriteSet {
    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<&BufferedWrite> {
        match &self.entries {
            Entries::Few(entries) => entries
                .binary_search_by(|(found, _)| found.cmp(key))
                .ok()
                .map(|position| &entries[position].1),
            Entries::Many(entries) => entries.get(key),
        }
    }

    /// Buffers a write, in the place of an earlier one to the same key.
    pub(crate) fn insert(&mut self, key: Key, mut write: BufferedWrite) {
        self.bytes += size(&key, &write);
        match &mut self.entries {
            Entries::Few(entries) => match entries.binary_search_by(|(found, _)| found.cmp(&key)) {
                Ok(position) => {
                    let earlier = &mut entries[position].1;
                    self.bytes -= size(&key, earlier);
                    *self.counts.of(earlier) -= 1;
                    inherit(earlier, &mut write);
                    *self.counts.of(&write) += 1;
                    *earlier = write;
                }
                Err(_) if entries.len() == VECTOR_MAX => {
                    *self.counts.of(&write) += 1;
                    let mut many: BTreeMap<_, _> = std::mem::take(entries).into_iter().collect();
                    many.insert(key, write);
                    self.entries = Entries::Many(many);
                }
                Err(position) => {
                    *self.counts.of(&write) += 1;
                    entries.insert(position, (key, write));
                }
            },
            Entries::Many(entries) => {
                if let Some(earlier) = entries.get_mut(&key) {
                    self.bytes -= size(&key, earlier);
                    *self.counts.of(earlier) -= 1;
                    inherit(earlier, &mut write);
                    *self.counts.of(&write) += 1;
                    *earlier = write;
                } else {
                    *self.counts.of(&write) += 1;
                    entries.insert(key, write);
                }
            }
        }
    }

    /// Encodes all writes that are not encoded yet.
    #[inline]
    pub(crate) fn encode(&mut self, txn: TxnId, run: RunNumber) {
        ENCODED.with_borrow_mut(|buffer| {
            for (key, write) in self.iter_mut().filter(|(_, write)| write.record.is_none()) {
                let expires = write.expires_at.into();
                write.record = Some(Record::of_value(buffer, key, write.value.as_ref(), (txn, run), expires));
            }
            if buffer.capacity() > ENCODED_KEPT_MAX {
                *buffer = Vec::new();
            }
        });
    }

    /// Returns the writes in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &BufferedWrite)> {
        let (few, many) = match &self.entries {
            Entries::Few(entries) => (Some(entries), None),
            Entries::Many(entries) => (None, Some(entries)),
        };
        few.into_iter().flatten().map(|(key, write)| (key, write)).chain(many.into_iter().flatten())
    }

    /// The writes in key order, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut BufferedWrite)> {
        let (few, many) = match &mut self.entries {
            Entries::Few(entries) => (Some(entries), None),
            Entries::Many(entries) => (None, Some(entries)),
        };
        few.into_iter().flatten().map(|(key, write)| (&*key, write)).chain(many.into_iter().flatten())
    }

    /// Returns the writes in key order, to keep.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Key, BufferedWrite)> {
        let (few, many) = match self.entries {
            Entries::Few(entries) => (entries, BTreeMap::new()),
            Entries::Many(entries) => (SmallVec::new(), entries),
        };
        few.into_iter().chain(many)
    }

    /// Returns the writes to keys of a range, in key order.
    pub(crate) fn in_range(&self, range: &KeyRange) -> WritesInRange<'_> {
        let start = range.start();
        // An end before the start, which may be asked for, is an empty range.
        let end = range.end().map(|end| end.max(start));
        match &self.entries {
            Entries::Few(entries) => {
                let before = |bound: &Key| entries.partition_point(|(key, _)| key < bound);
                WritesInRange::Few(entries[before(start)..end.map_or(entries.len(), before)].iter())
            }
            Entries::Many(entries) => WritesInRange::Many(match end {
                Some(end) => entries.range(start..end),
                None => entries.range(start..),
            }),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Few(entries) => entries.len(),
            Entries::Many(entries) => entries.len(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of keys and values, about.
    #[inline]
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Counts {
    const fn of(&mut self, write: &BufferedWrite) -> &mut usize {
        match (&write.condition, &write.value) {
            (Some(_), _) => &mut self.conditional,
            (None, Some(_)) => &mut self.puts,
            (None, None) => &mut self.deletes,
        }
    }
}

impl<'a> Iterator for WritesInRange<'a> {
    type Item = (&'a Key, &'a BufferedWrite);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        cost::step();
        match self {
            Self::Few(writes) => writes.next().map(|(key, write)| (key, write)),
            Self::Many(writes) => writes.next(),
        }
    }
}

impl DoubleEndedIterator for WritesInRange<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        cost::step();
        match self {
            Self::Few(writes) => writes.next_back().map(|(key, write)| (key, write)),
            Self::Many(writes) => writes.next_back(),
        }
    }
}

/// Gives a later write to the same key the condition and the place of the earlier one.
fn inherit(earlier: &mut BufferedWrite, write: &mut BufferedWrite) {
    if let Some(condition) = earlier.condition.take() {
        write.condition = Some(condition);
    }
    if write.hint == Hint::NONE {
        write.hint = earlier.hint;
    }
}

fn size(key: &Key, write: &BufferedWrite) -> usize {
    key.as_bytes().len() + write.value.as_ref().map_or(0, Value::size)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{BufferedWrite, Counts, WriteSet};
    use crate::conflict::CasExpectation;
    use crate::key::{Key, TypeTag};
    use crate::range::KeyRange;
    use crate::value::Value;

    fn key(number: u8) -> Key {
        Key::shared(TypeTag::Kv, &[number])
    }

    proptest! {
        #[test]
        fn is_a_map_that_keeps_conditions(
            writes in prop::collection::vec((0_u8..80, any::<Option<i64>>(), any::<bool>()), 0..120),
        ) {
            let mut set = WriteSet::default();
            let mut model = BTreeMap::new();
            for (number, value, conditional) in writes {
                let condition = conditional.then_some(CasExpectation::Absent);
                let value = value.map(Value::I64);
                let write = BufferedWrite { condition: condition.clone(), ..BufferedWrite::new(value.clone()) };
                set.insert(key(number), write);
                let entry = model.entry(key(number)).or_insert((None, None));
                entry.0 = value;
                entry.1 = entry.1.take().or(condition);
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            let size = |(key, (value, _)): (&Key, &(Option<Value>, _))| {
                key.as_bytes().len() + value.as_ref().map_or(0, Value::size)
            };
            let expected_bytes: usize = model.iter().map(size).sum();
            prop_assert_eq!(set.bytes(), expected_bytes);
            for (key, (value, condition)) in &model {
                let found = set.get(key).unwrap();
                prop_assert_eq!(&found.value, value);
                prop_assert_eq!(&found.condition, condition);
            }
            let range = KeyRange::between(key(10), key(40));
            let inside: Vec<_> = set.in_range(&range).map(|(key, _)| key.clone()).collect();
            let mut expected: Vec<_> = model.keys().filter(|key| range.contains(key)).cloned().collect();
            prop_assert_eq!(&inside, &expected);
            expected.reverse();
            let backwards: Vec<_> = set.in_range(&range).rev().map(|(key, _)| key.clone()).collect();
            prop_assert_eq!(backwards, expected);
            prop_assert_eq!(set.in_range(&KeyRange::between(key(40), key(10))).count(), 0);
            let conditional = model.values().filter(|(_, condition)| condition.is_some()).count();
            let plain = model.values().filter(|(_, condition)| condition.is_none());
            let deletes = plain.filter(|(value, _)| value.is_none()).count();
            let puts = model.len() - conditional - deletes;
            prop_assert_eq!(set.counts(), Counts { puts, deletes, conditional });
            prop_assert!(set.iter().map(|(key, _)| key).eq(model.keys()));
            prop_assert!(set.into_iter().map(|(key, _)| key).eq(model.into_keys()));
        }
    }
}
