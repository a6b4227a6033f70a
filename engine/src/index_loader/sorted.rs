//! Records in key order, compared by the bytes in which most keys differ.
//!
//! Records lie all over memory, and comparing two by their keys means waiting for both. So each comes with
//! its *head*, the sixteen bytes behind the prefix that the keys in the middle half share, as in a node of
//! the directory (`mvcc/node.rs`). Heads that differ decide; where they are equal, whole keys do.

use std::cmp::Ordering;

use crate::mvcc::Record;

/// Records, in key order unless some were pushed.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) records: Vec<Headed>,
    prefix: Vec<u8>,
}

/// A record and its head.
#[derive(Debug)]
pub(super) struct Headed {
    head: u128,
    pub(super) record: Record,
}

impl Headed {
    fn new(record: Record, prefix: &[u8]) -> Self {
        Self { head: head(record.key(), prefix), record }
    }

    /// The order of keys, of records with heads behind the same prefix.
    #[inline]
    pub(super) fn cmp_key(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| self.record.key().cmp(other.record.key()))
    }
}

impl Sorted {
    #[inline]
    pub(super) fn push(&mut self, record: Record) {
        self.records.push(Headed::new(record, &self.prefix));
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Finds the prefix anew. They must be in order.
    pub(super) fn find_prefix(&mut self) {
        let (quarter, last) = (self.records.len() / 4, self.records.len().saturating_sub(1));
        let ends = self.records.get(quarter).zip(self.records.get(last - quarter));
        let prefix = ends.map_or(Vec::new(), |(a, b)| shared(a.record.key(), b.record.key()).to_vec());
        self.set_prefix(prefix);
    }

    fn set_prefix(&mut self, prefix: Vec<u8>) {
        if self.prefix != prefix {
            self.records.iter_mut().for_each(|headed| headed.head = head(headed.record.key(), &prefix));
            self.prefix = prefix;
        }
    }

    /// Merges two, whose keys are not the same.
    pub(super) fn merge(mut self, mut other: Self) -> Self {
        let prefix = shared(&self.prefix, &other.prefix).to_vec();
        self.set_prefix(prefix.clone());
        other.set_prefix(prefix.clone());
        let mut records = Vec::with_capacity(self.len() + other.len());
        let (mut left, mut right) =
            (self.records.into_iter().peekable(), other.records.into_iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let next = if a.cmp_key(b).is_le() { left.next() } else { right.next() };
            records.extend(next);
        }
        records.extend(left);
        records.extend(right);
        Self { records, prefix }
    }

    pub(super) fn into_records(self) -> Vec<Record> {
        self.records.into_iter().map(|headed| headed.record).collect()
    }
}

/// Orders keys as they are ordered, or leaves them equal.
#[inline]
fn head(key: &[u8], prefix: &[u8]) -> u128 {
    match key.strip_prefix(prefix) {
        Some(rest) => match rest.first_chunk() {
            Some(head) => u128::from_be_bytes(*head),
            None => {
                let mut head = [0; size_of::<u128>()];
                head[..rest.len()].copy_from_slice(rest);
                u128::from_be_bytes(head)
            }
        },
        None if key < prefix => 0,
        None => u128::MAX,
    }
}

/// The bytes that both begin with.
fn shared<'a>(a: &'a [u8], b: &[u8]) -> &'a [u8] {
    &a[..a.iter().zip(b).take_while(|(a, b)| a == b).count()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{RunNumber, TxnId, Version};

    fn record(key: &[u8]) -> Record {
        let by = (TxnId::new(1), RunNumber::ZERO);
        Record::new(&mut Vec::new(), key, Some(&[0]), Version::new(1), by, None.into())
    }

    fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()];
        let prefix = prop::sample::select(vec![&b""[..], b"user/", b"user/0", b"\xff\xff"]);
        let key = (prefix, prop::collection::vec(byte, 0..24)).prop_map(|(a, b)| [a, &b].concat());
        prop::collection::btree_set(key, 0..60).prop_map(|keys| keys.into_iter().collect())
    }

    proptest! {
        #[test]
        fn heads_order_as_keys_do(keys in keys(), from in prop::collection::vec(any::<bool>(), 60)) {
            let mut sorted = [Sorted::default(), Sorted::default()];
            for (key, second) in keys.iter().zip(&from) {
                sorted[usize::from(*second)].push(record(key));
            }
            for sorted in &mut sorted {
                sorted.find_prefix();
                for pair in sorted.records.windows(2) {
                    prop_assert_eq!(pair[0].cmp_key(&pair[1]), Ordering::Less);
                }
            }
            let [first, second] = sorted;
            let merged = first.merge(second).into_records();
            prop_assert!(merged.iter().map(|record| record.key().to_vec()).eq(keys));
        }
    }
}
